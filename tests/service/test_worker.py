"""A worker at work: it takes up what nobody holds, and ends when it is told to, or when it owns nothing any more."""

import asyncio
from functools import partial

import pytest

from drupe.core.lifecycle import State
from drupe.engine.process import Process
from drupe.engine.registry import ClassRegistry
from drupe.errors import FencedError
from drupe.messaging.memory import MemoryCommunicator, MemoryHub
from drupe.service.runner import Runner
from drupe.service.worker import Worker
from drupe.storage.memory import MemoryState, MemoryStore
from drupe.testing.communicator_contract_case import soon
from tests.service.samples import Asking, Sum, reached


@pytest.fixture
def state():
    return MemoryState()


@pytest.fixture
async def make(state):
    """Makes workers on one store, each with the owners that it knows to be dead."""
    hub, closing = MemoryHub(MemoryStore(state).tasks), []

    async def make(dead=()):
        runner = Runner(MemoryStore(state), lease=0.3)
        await runner.__aenter__()
        closing.append(partial(runner.__aexit__, None, None, None))
        communicator = MemoryCommunicator(hub)
        await communicator.open()
        closing.append(communicator.close)
        return Worker(runner, communicator, ClassRegistry(Process), dead=lambda: list(dead), slots=2, sweep=0.01)

    yield make
    for close in reversed(closing):
        await close()


@pytest.mark.slow
async def test_what_nobody_holds_is_taken_up_and_goes_on(make, state):
    async with Runner(MemoryStore(state)) as former:
        process = await former.create(Sum, {"numbers": [1, 2]})
        paused = await former.create(Sum, {"numbers": [3]})
        await paused.pause()
    worker = await make()
    stop = asyncio.Event()
    working = asyncio.create_task(worker.work(stop))

    while (await worker.runner.store.record(process.pid)).state is not State.FINISHED:  # noqa: ASYNC110 (as in `until`)
        await asyncio.sleep(0)
    stop.set()

    assert await soon(working) == []
    record = await worker.runner.store.record(paused.pid)
    assert (record.paused, record.owner) == (True, None)


@pytest.mark.slow
async def test_a_worker_that_was_declared_dead_says_so_and_ends(make, state):
    worker = await make()
    process = await worker.runner.launch(Asking)
    await reached(process, State.WAITING)
    working = asyncio.create_task(worker.work(asyncio.Event()))
    heir = MemoryStore(state)
    await heir.open()
    await heir.join("heir", lease=60)
    await heir.claim(process.pid, owner="heir", dead=[worker.runner.owner])

    with pytest.raises(FencedError, match="declared dead"):
        await soon(working)
