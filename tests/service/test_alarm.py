"""A process that is parked for a time goes on when it has come, though nobody looks around meanwhile."""

import asyncio
import contextlib
import time
from functools import partial

import pytest

from drupe.core.lifecycle import State
from drupe.core.record import Query
from drupe.errors import StoreUnavailableError
from drupe.messaging.memory import MemoryHub
from drupe.service.alarm import SCATTER, Alarm
from drupe.storage.memory_queue import MemoryTaskQueue
from drupe.storage.postgres import PostgresStore
from drupe.storage.sqlite import SqliteStore
from tests.service.timed import NEVER, Sleeper, at_work

AHEAD = 0.5
"""Seconds after which the first one is due: by then it is parked."""
LATE = 1.0
"""Seconds that a machine with much to do may be late; a look by the clock comes later."""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.service("postgres"))])
def make(request, tmp_path):
    """Makes stores on the same data."""
    if request.param == "sqlite":
        return partial(SqliteStore, tmp_path / "store.db", durability="process")
    return partial(PostgresStore, request.getfixturevalue("postgres_url"), durability="process")


@pytest.fixture
def hub():
    return MemoryHub(MemoryTaskQueue())


async def rows_of(worker, wanted, number):
    """Return when so many processes are as they are wanted, with their rows."""
    async with asyncio.timeout(60.0):
        while True:
            rows = (await worker.runner.store.list(Query(limit=1000))).records
            if len(found := [row for row in rows if wanted(row)]) == number:
                return found
            await asyncio.sleep(0.005)


async def park(worker, *due):
    """Have a worker park a process for each time."""
    for at in due:
        await worker.runner.launch(Sleeper, at=at)
    await rows_of(worker, lambda row: row.parked, len(due))


async def late(worker, number):
    """Return when so many are over, with how late each went on."""
    found = []
    for row in await rows_of(worker, lambda row: row.state is State.FINISHED, number):
        process = await worker.runner.load(row.pid)
        found.append(process.outputs.went_on - process.inputs.at)
        assert row.epoch == 2, "it was parked, and claimed once"
    return found


@pytest.mark.slow
async def test_each_goes_on_soon_after_its_time_and_not_before(make, hub):
    """The later ones are parked first: what comes next for now is not what comes next for long."""
    async with at_work(make(), hub) as worker:
        now = time.time()
        await park(worker, now + NEVER, *(now + AHEAD + 0.05 * number for number in reversed(range(10))))
        found = await late(worker, 10)
        assert 0.0 <= min(found) <= max(found) < LATE
        (far,) = await rows_of(worker, lambda row: row.parked, 1)
        assert (far.wake_at, far.epoch) == (now + NEVER, 1)


@pytest.mark.slow
async def test_many_workers_wait_for_the_same_moment_and_each_process_goes_on_once(make, hub):
    """Who parked them is gone."""
    async with contextlib.AsyncExitStack() as stack:
        async with at_work(make(), hub) as former:
            now = time.time()
            await park(former, *(now + 2 * AHEAD + 0.01 * number for number in range(10)))
        workers = [await stack.enter_async_context(at_work(make(), hub)) for _ in range(4)]
        found = await late(workers[0], 10)
        assert 0.0 <= min(found) <= max(found) < LATE


class Times:
    """A store that knows only when the next one comes."""

    def __init__(self, *left):
        self.left = list(left)

    async def next_wake(self, *, queue=None):
        found = self.left.pop(0)
        if isinstance(found, Exception):
            raise found
        return found


async def test_the_next_time_is_asked_for_when_it_has_come_or_an_earlier_one_may_be_there():
    store = Times(1000.0, 500.0, None)
    alarm = Alarm(store, interval=NEVER)
    assert alarm.left() == 0.0
    for _ in range(2):
        await alarm.set()
        assert 990.0 < alarm.left() <= 1000.0 + SCATTER
    alarm.forget()
    assert alarm.left() == 0.0
    await alarm.set()
    assert 490.0 < alarm.left() <= 500.0 + SCATTER
    alarm.forget()
    await alarm.set()
    assert NEVER - 10.0 < alarm.left() <= NEVER


async def test_there_is_a_look_once_in_a_while_whatever_the_next_time_is():
    alarm = Alarm(Times(1000.0), interval=2.0)
    await alarm.set()
    assert 0.0 < alarm.left() <= 2.0


async def test_a_store_that_cannot_say_when_is_asked_at_the_next_look():
    alarm = Alarm(Times(StoreUnavailableError("it is away"), 1.0), interval=2.0)
    with pytest.raises(StoreUnavailableError):
        await alarm.set()
    assert 0.0 < alarm.left() <= 2.0


async def test_what_is_parked_while_it_is_asked_is_asked_for_again():
    class Slow(Times):
        async def next_wake(self, *, queue=None):
            alarm.forget()
            return await super().next_wake()

    alarm = Alarm(Slow(1000.0), interval=NEVER)
    await alarm.set()
    assert alarm.left() == 0.0
