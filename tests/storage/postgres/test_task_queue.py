"""The queue of tasks in the database keeps the contract."""

import contextlib

import pytest

from drupe.errors import StoreUnavailableError
from drupe.storage.postgres import PostgresStore, task_queue
from drupe.storage.postgres.task_queue import SharedTaskQueue
from drupe.testing import FailAt
from drupe.testing.task_queue_contract import TaskQueueContract, ids, take, task

pytestmark = pytest.mark.service("postgres")


class TestPostgresTaskQueue(TaskQueueContract):
    @pytest.fixture
    def queues(self, clock, postgres_url):
        @contextlib.asynccontextmanager
        async def open_another():
            store = PostgresStore(postgres_url, clock=clock)
            await store.open()
            yield store.tasks
            await store.close()

        return open_another


async def test_whoever_holds_a_task_is_seen_to_live_on_every_machine(postgres_url, monkeypatch):
    one, two = PostgresStore(postgres_url), PostgresStore(postgres_url)
    await one.open()
    await two.open()
    await one.tasks.put([task("a"), task("b")])
    await take(one.tasks, holder="one", limit=1)
    shared = SharedTaskQueue(two.tasks)
    assert await shared.holders() == []
    one._writer._work._session._db.close()  # it comes back with the next write, and shows itself again
    while await shared.holders() != ["one"]:  # the server notices in its own time
        pass
    await one.tasks.put([task("c")])
    assert await shared.holders() == []
    await one.close()
    while await shared.holders() != ["one"]:
        pass
    monkeypatch.setattr(task_queue, "_LOOK", 0.0)
    shared = SharedTaskQueue(two.tasks)
    assert ids(await take(shared, holder="two", limit=1)) == ["b"]  # missed once: it may be on its way back
    assert ids(await take(shared, holder="two")) == ["a", "c"]
    await two.close()


@pytest.mark.parametrize("verb", ["put", "take", "settle", "release", "forget"])
async def test_an_answer_that_was_lost_is_the_same_when_it_is_asked_again(new_postgres_url, verb):
    answers = []
    for number in (0, 1):
        probe = FailAt(1, StoreUnavailableError("who knows"), "store.committed") if number else (lambda _: None)
        url = new_postgres_url()
        first, store = PostgresStore(url), PostgresStore(url, probe=probe)
        await first.open()
        await first.tasks.put([task("a"), task("b")])
        (held,) = await take(first.tasks, limit=1)
        await store.open()
        asked = {
            "put": lambda queue: queue.put([task("c")]),
            "take": take,
            "settle": lambda queue, held=held: queue.settle(held),
            "release": lambda queue, held=held: queue.release(held),
            "forget": lambda queue: queue.forget("me"),
        }[verb]
        answer = await asked(store.tasks)
        rest = ids(await take(first.tasks, holder="you"))
        await store.close()
        await first.close()
        answers.append((answer, rest))
    assert answers[0] == answers[1]
