"""The queue of tasks in a store's file keeps the contract, and what was put survives the end of its program."""

import contextlib
import sqlite3

import pytest

from drupe.errors import StoreUnavailableError
from drupe.storage.sqlite import SqliteStore, inbox, task_queue
from drupe.testing import FailAt, ManualClock
from drupe.testing.task_queue_contract import TaskQueueContract, ids, take, task

PUT = """
import asyncio, sys
from drupe.core.message import Task
from drupe.storage.sqlite import SqliteStore

async def main(path):
    store = SqliteStore(path)
    await store.open()
    number = 0
    while True:
        await store.tasks.put([Task(id=str(number), queue="q")])
        print(number, flush=True)
        number += 1

asyncio.run(main(sys.argv[1]))
"""


class TestSqliteTaskQueue(TaskQueueContract):
    @pytest.fixture
    def queues(self, clock, path):
        @contextlib.asynccontextmanager
        async def open_another():
            store = SqliteStore(path, clock=clock)
            await store.open()
            yield store.tasks
            await store.close()

        return open_another


@pytest.fixture
async def store(path):
    store = SqliteStore(path, durability="process", clock=ManualClock())
    await store.open()
    yield store
    await store.close()


async def test_a_task_that_was_put_survives_kill_9(path, program):
    writer = program(PUT, path)
    lines = [writer.stdout.readline() for _ in range(20)]
    writer.kill()
    lines += [line for line in writer.stdout if line.endswith("\n")]
    store = SqliteStore(path)
    await store.open()
    found = ids(await take(store.tasks, limit=10_000))
    await store.close()
    assert found[: len(lines)] == [line.strip() for line in lines]
    assert len(found) - len(lines) <= 1


async def test_a_delay_ends_with_the_boot_it_was_measured_in(path):
    clock = ManualClock()
    store = SqliteStore(path, clock=clock)
    await store.open()
    await store.tasks.put([task("a")])
    (taken,) = await take(store.tasks)
    await store.tasks.release(taken, delay=1000)
    clock.reboot()
    assert ids(await take(store.tasks)) == ["a"]
    await store.close()


@pytest.mark.parametrize("verb", ["put", "take", "settle", "release", "forget"])
async def test_an_answer_that_was_lost_is_the_same_when_it_is_asked_again(path, verb):
    answers = []
    for number in (0, 1):
        probe = FailAt(1, StoreUnavailableError("who knows"), "store.committed") if number else (lambda _: None)
        file = path.with_name(f"{number}.db")
        first, store = SqliteStore(file), SqliteStore(file, probe=probe)
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


async def test_a_task_that_cannot_be_read_is_in_nobodys_way(store, path, caplog):
    await store.tasks.put([task("bad"), task("good")])
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE task SET body = x'c1' WHERE id = 'bad'")

    assert ids(await take(store.tasks)) == ["good"]
    assert await take(store.tasks) == []
    assert "bad is left aside" in caplog.text


async def test_orders_and_tasks_are_found_by_an_index(store, path):

    with contextlib.closing(sqlite3.connect(path)) as db:
        for statement, values in (
            (inbox._OPEN, ("p",)),
            (inbox._OPEN_FOR_OWNER, ("o", 1)),
            (inbox._FIRST_SIGNAL, ("p", "n")),
            (inbox._FIND, ("o",)),
            (inbox._LEFT, ("p",)),
            (task_queue._FREE, ("q", "b", 1.0, 1)),
            (task_queue._HOLDERS, ()),
            (task_queue._FORGET, ("h",)),
        ):
            plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
            assert [
                line for line in plan if line.startswith("SCAN") and "INDEX" not in line and line != "SCAN found"
            ] == [], (statement, plan)
