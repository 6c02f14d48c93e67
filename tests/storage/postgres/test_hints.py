"""Programs hear of each other's commits, and look when they may have missed something."""

import asyncio
import contextlib
import threading
import time

import msgspec
import pytest

from drupe.core.asking import order_of
from drupe.core.lifecycle import State
from drupe.core.message import PauseRequest
from drupe.core.order import Answer, Outcome
from drupe.core.record import Fence, Rest
from drupe.interfaces.hints import Hint
from drupe.messaging.consumer import POLL
from drupe.storage.postgres import PostgresStore, notice
from drupe.testing.store_case import LEASE, ME, birth, step
from drupe.testing.task_queue_contract import task
from tests.storage.postgres.proxy import Proxy

pytestmark = pytest.mark.service("postgres")

PATIENCE = 20 * POLL


class Heard:
    """What a store told, and waiting for it."""

    def __init__(self, store):
        self.hints = []
        self._there = threading.Condition()
        self.silence = store.hints.hear(self._put)

    def _put(self, hint):
        with self._there:
            self.hints.append(hint)
            self._there.notify_all()

    async def until(self, wanted):
        def wait():
            with self._there:
                assert self._there.wait_for(lambda: any(map(wanted, self.hints)), PATIENCE), self.hints

        await asyncio.to_thread(wait)

    async def listening(self):
        """Return when the connection listens: once it was said at first, and once by it."""

        def wait():
            with self._there:
                assert self._there.wait_for(lambda: sum(hint.more for hint in self.hints) > 1, PATIENCE), self.hints

        await asyncio.to_thread(wait)
        with self._there:
            self.hints.clear()


@contextlib.asynccontextmanager
async def opened(url, **given):
    store = PostgresStore(url, **given)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def test_tasks_orders_ends_and_what_is_free_are_told_of(postgres_url):
    async with opened(postgres_url, telling=True) as one, opened(postgres_url) as two:
        heard = Heard(two)
        await heard.listening()
        await one.tasks.put([task("a")])
        await heard.until(lambda hint: task("a").queue in hint.queues)
        await one.join(ME, lease=LEASE)
        (free,) = await one.create([birth(owner=None)])
        await heard.until(lambda hint: hint.free)
        record = await one.claim(free.pid, owner=ME)
        (receipt,) = await one.ask([order_of(PauseRequest(), id="order", pid="p1", at=1.0)])
        await heard.until(lambda hint: hint.asked == {"p1"})
        await one.answer(Fence("p1", record.epoch), [Answer(id=receipt.id, outcome=Outcome.APPLIED)])
        await heard.until(lambda hint: hint.settled == {"p1"})
        heard.hints.clear()
        await one.save(step(record, state=State.FINISHED, event="finished"))
        await heard.until(lambda hint: hint.settled == {"p1"})
        assert not any(hint.more for hint in heard.hints)


async def test_a_task_that_is_done_is_told_of_if_somebody_waits_for_that(postgres_url):
    async with opened(postgres_url, telling=True) as one, opened(postgres_url) as two:
        heard = Heard(two)
        await heard.listening()
        await one.tasks.put([msgspec.structs.replace(task("silent"), no_reply=True), task("awaited")])
        silent, awaited = await one.tasks.take(task("awaited").queue, holder="me", limit=2)
        await one.tasks.settle(silent)
        await one.tasks.settle(awaited)
        await heard.until(lambda hint: hint.settled)
        assert [hint.settled for hint in heard.hints if hint.settled] == [{awaited.task.id}]


async def test_a_time_that_comes_soon_is_told_of_and_a_later_one_is_not(postgres_url):
    async with opened(postgres_url, telling=True) as one, opened(postgres_url) as two:
        heard = Heard(two)
        await heard.listening()
        await one.join(ME, lease=LEASE)
        rows = await one.create([birth("far"), birth("soon")])
        far, soon = (Fence(row.pid, row.epoch) for row in rows)
        await one.park(far, Rest(wake_at=time.time() + 3600.0))
        await one.park(soon, Rest(wake_at=time.time() + 1.0))
        await heard.until(lambda hint: hint.timed)
        assert heard.hints == [Hint(timed=True)]


async def test_what_is_committed_together_is_told_once(postgres_url):
    async with opened(postgres_url, telling=True) as one, opened(postgres_url) as two:
        heard = Heard(two)
        await heard.listening()
        await one.create([birth(f"p{number}", owner=None) for number in range(50)])
        await one.tasks.put([task("last")])
        await heard.until(lambda hint: hint.queues)
        assert len(heard.hints) == 2


async def test_names_are_told_of_whatever_is_in_them(postgres_url):
    name = "o'clock\\"  # what ends a text in a statement, and what may keep it from ending
    async with opened(postgres_url, telling=True) as one, opened(postgres_url) as two:
        heard = Heard(two)
        await heard.listening()
        await one.tasks.put([task("a", queue=name)])
        await heard.until(lambda hint: hint.queues == {name})
        heard.hints.clear()
        (held,) = await one.tasks.take(name, holder="me", limit=1)
        await one.tasks.release(held)
        await heard.until(lambda hint: hint.queues == {name})


async def test_a_store_that_is_not_to_tell_does_not(postgres_url):
    async with opened(postgres_url) as silent, opened(postgres_url, telling=True) as one:
        heard = Heard(one)
        await heard.listening()
        await silent.tasks.put([task("a")])
        await silent.create([birth(owner=None)])
        await one.tasks.put([task("b")])
        await heard.until(lambda hint: hint.queues)
        assert len(heard.hints) == 1


async def test_after_a_connection_that_was_cut_everything_is_looked_at(own_database_url, new_postgres_url):
    url = new_postgres_url()
    async with Proxy(url) as proxy, opened(url, telling=True) as one, opened(proxy.url) as two:
        heard = Heard(two)
        await heard.listening()
        proxy.cut()
        await heard.until(lambda hint: hint.more)
        heard.hints.clear()
        await one.tasks.put([task("a")])
        await heard.until(lambda hint: hint.queues)


async def test_who_wants_to_hear_no_more_is_not_told(postgres_url):
    async with opened(postgres_url, telling=True) as one:
        first, second = Heard(one), Heard(one)
        await second.listening()
        first.silence()
        first.hints.clear()
        await one.tasks.put([task("a")])
        await second.until(lambda hint: hint.queues)
        assert first.hints == []


def test_what_is_too_much_to_say_is_not_said():
    told = notice.Notice()
    assert told.text() is None
    told.queues.add("o'clock\0")
    assert notice.read(told.text()) == Hint(queues=frozenset({"o'clock\0"}))
    assert notice.sent("told", "o'clock") == "NOTIFY told, 'o''clock'"
    told.settled.update(map(str, range(1000)))
    assert notice.read(told.text()) == Hint(queues=frozenset({"o'clock\0"}), more=True)
    long = notice.Notice()
    long.asked.update(f"{number:0100}" for number in range(100))
    long.free = True
    assert notice.read(long.text()) == Hint(free=True, more=True)
    assert notice.read("of somebody else") == Hint(more=True)
