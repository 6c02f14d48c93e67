"""Communicators of one folder whose tasks lie in a store's file: the contract holds, and no end of anybody loses a task."""

import asyncio
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from drupe.messaging.local.communicator import LocalCommunicator
from drupe.storage.sqlite import SqliteStore
from drupe.testing.communicator_contract import CommunicatorContract
from drupe.testing.communicator_contract_case import soon

ROOT = Path(__file__).parents[3]

TAKE_AND_HOLD = """
import asyncio, sys
from pathlib import Path
from drupe.messaging.local.communicator import LocalCommunicator
from drupe.storage.sqlite import SqliteStore

async def main(folder):
    store = SqliteStore(folder / "store.db", durability="process")
    await store.open()
    communicator = LocalCommunicator(folder, store.tasks)
    await communicator.open()

    async def hold(task):
        print(task.body, task.attempt, flush=True)
        await asyncio.Event().wait()

    await communicator.subscribe_task(hold, prefetch=2)
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.fixture
async def store(folder):
    store = SqliteStore(folder / "store.db", durability="process")
    await store.open()
    yield store
    await store.close()


class TestLocalCommunicatorWithDurableTasks(CommunicatorContract):
    @pytest.fixture
    def communicators(self, folder, store):
        return partial(LocalCommunicator, folder, store.tasks)


@pytest.fixture
async def worker(folder):
    """A function that starts an interpreter which takes tasks and never ends them."""
    started = []

    async def start():
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            TAKE_AND_HOLD,
            str(folder),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": "src"},
            stdout=subprocess.PIPE,
        )
        started.append(process)
        assert await line(process) == "ready"
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.wait()
        process._transport.close()


async def line(process):
    return (await soon(process.stdout.readline())).decode().strip()


async def bodies(communicator):
    async with communicator.pull() as tasks:
        return [(task.body, task.attempt) async for task in tasks]


@pytest.mark.slow
async def test_the_tasks_of_a_worker_that_is_killed_go_to_those_who_live(folder, store, worker):
    here = LocalCommunicator(folder, store.tasks)
    await here.open()
    first, second = await worker(), await worker()
    await here.task_send("work", no_reply=True)
    taker, other = (first, second) if await taken_by(first, second) is first else (second, first)

    taker.kill()

    assert await line(other) == "work 2"
    await here.close()


async def taken_by(*processes):
    lines = {asyncio.ensure_future(line(process)): process for process in processes}
    done, others = await asyncio.wait(lines, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    await asyncio.wait(others)
    (task,) = done
    assert task.result() == "work 1"
    return lines[task]


@pytest.mark.slow
async def test_when_all_end_at_once_whoever_comes_next_has_their_tasks(folder, store, worker):
    sender = LocalCommunicator(folder, store.tasks)
    await sender.open()
    for number in range(3):
        await sender.task_send(number, no_reply=True)
    await sender.close()
    process = await worker()
    assert {await line(process), await line(process)} == {"0 1", "1 1"}
    process.kill()
    await process.wait()

    heir = LocalCommunicator(folder, store.tasks)
    await heir.open()

    assert await bodies(heir) == [(0, 2), (1, 2), (2, 1)]
    await heir.close()


@pytest.mark.slow
async def test_who_comes_takes_nothing_from_those_who_live(folder, store, worker):
    process = await worker()
    sender = LocalCommunicator(folder, store.tasks)
    await sender.open()
    await sender.task_send("mine", no_reply=True)
    assert await line(process) == "mine 1"

    newcomer = LocalCommunicator(folder, store.tasks)
    await newcomer.open()

    assert await bodies(newcomer) == []
    await newcomer.close()
    await sender.close()
