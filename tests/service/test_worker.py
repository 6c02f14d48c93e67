"""A worker at work: it takes up what nobody holds, and ends when it is told to, or when it owns nothing any more."""

import asyncio
from functools import partial

import pytest

from drupe.core.lifecycle import State
from drupe.engine.process import Process
from drupe.engine.registry import ClassRegistry
from drupe.errors import FencedError, StoreUnavailableError
from drupe.messaging.memory import MemoryCommunicator, MemoryHub
from drupe.runtime.probe import quiet
from drupe.service.runner import Runner
from drupe.service.worker import Worker
from drupe.storage.memory import MemoryState, MemoryStore
from drupe.testing.communicator_contract_case import soon
from drupe.testing.probe import FailAt
from tests.service.samples import Asking, Gate, Sum, reached


@pytest.fixture
def state():
    return MemoryState()


@pytest.fixture
async def make(state):
    """Makes workers on one store, each with the owners that it knows to be dead."""
    hub, closing = MemoryHub(MemoryStore(state).tasks), []

    async def make(dead=(), probe=quiet, **given):
        runner = Runner(MemoryStore(state, probe=probe), lease=0.3)
        await runner.__aenter__()
        closing.append(partial(runner.__aexit__, None, None, None))
        communicator = MemoryCommunicator(hub)
        await communicator.open()
        closing.append(communicator.close)
        given = {"slots": 2, "sweep": 0.01} | given
        return Worker(runner, communicator, ClassRegistry(Process), dead=lambda: list(dead), **given)

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


@pytest.mark.slow
async def test_what_somebody_held_whose_lease_has_run_out_is_taken_up_and_goes_on(make, state):
    """It is frozen: nobody knows it to be dead, and it does not renew."""
    async with Runner(MemoryStore(state), lease=0.3) as frozen:
        left = [await frozen.create(Sum, {"numbers": [n]}) for n in range(3)]
        frozen._lease.stop()
        worker = await make()
        stop = asyncio.Event()
        working = asyncio.create_task(worker.work(stop))

        for process in left:
            while (await worker.runner.store.record(process.pid)).state is not State.FINISHED:  # noqa: ASYNC110 (as above)
                await asyncio.sleep(0.01)
        stop.set()

        assert await soon(working) == []


class Holding(Process):
    """Takes a slot until the test lets it on."""

    gate: Gate

    async def run(self):
        self.gate.reached.set()
        await self.gate.open.wait()


@pytest.mark.slow
async def test_what_was_left_for_want_of_a_slot_is_taken_up_as_soon_as_there_is_one(make, state):
    """Not after another look: the next one is an hour away."""
    Holding.gate = Gate()
    async with Runner(MemoryStore(state)) as former:
        left = [await former.create(Sum, {"numbers": [n]}) for n in range(3)]
    worker = await make(slots=1, sweep=3600)
    await worker.runner.launch(Holding)
    await soon(Holding.gate.reached.wait())
    stop, again = asyncio.Event(), asyncio.Event()
    sweep, sweeps = worker.sweep, []

    async def counted():
        sweeps.append(again.set() if sweeps else None)
        return await sweep()

    worker.sweep = counted
    working = asyncio.create_task(worker.work(stop))
    await soon(again.wait())

    Holding.gate.open.set()
    for process in left:
        while (await worker.runner.store.record(process.pid)).state is not State.FINISHED:  # noqa: ASYNC110 (as above)
            await asyncio.sleep(0.01)
    stop.set()

    assert await soon(working) == []


@pytest.mark.slow
@pytest.mark.parametrize("hit", range(1, 6))
async def test_what_was_given_up_because_the_store_failed_is_taken_up_again_by_the_same_worker(hit, make, state):
    """Nobody else may take it: its owner lives."""
    worker = await make(probe=FailAt(hit, StoreUnavailableError("the disk is full"), "store.save"))
    process = await worker.runner.launch(Sum, {"numbers": [1, 2, 3]})
    stop = asyncio.Event()
    working = asyncio.create_task(worker.work(stop))

    while (await worker.runner.store.record(process.pid)).state is not State.FINISHED:  # noqa: ASYNC110 (as above)
        await asyncio.sleep(0.01)
    stop.set()

    assert await soon(working) == []
    assert (await worker.runner.store.record(process.pid)).epoch == 2
