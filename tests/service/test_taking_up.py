"""A worker takes up many at once: by few writes, each by one worker only, and what is wrong with one keeps no other back."""

import asyncio
from functools import partial

import msgspec
import pytest

from drupe.core.asking import order_of
from drupe.core.command import Wait
from drupe.core.lifecycle import State
from drupe.core.message import KillRequest, SignalRequest
from drupe.engine.process import Process
from drupe.engine.registry import ClassRegistry
from drupe.messaging.memory import MemoryCommunicator, MemoryHub
from drupe.runtime.probe import quiet
from drupe.service.runner import Runner
from drupe.service.worker import Worker
from drupe.storage.memory import MemoryState, MemoryStore
from drupe.testing.host_case import until
from drupe.testing.probe import Recorder
from tests.service.samples import Gate, Sum

NUMBER = 30


class Waiting(Process):
    """Waits for a signal and ends with what it brings."""

    def run(self):
        return Wait(self.told, signal="go")

    def told(self, value):
        return value


@pytest.fixture
def state():
    return MemoryState()


@pytest.fixture
async def make(state):
    """Makes workers on one store, which sweep when they are told to."""
    hub, closing = MemoryHub(MemoryStore(state).tasks), []

    async def make(probe=quiet, slots=NUMBER, store=MemoryStore):
        runner = Runner(store(state, probe=probe))
        await runner.__aenter__()
        closing.append(partial(runner.__aexit__, None, None, None))
        communicator = MemoryCommunicator(hub)
        await communicator.open()
        closing.append(communicator.close)
        return Worker(runner, communicator, ClassRegistry(Process), dead=list, slots=slots)

    yield make
    for close in reversed(closing):
        await close()


async def left(state, number=NUMBER):
    """Have processes that nobody holds, and get their pids."""
    async with Runner(MemoryStore(state)) as former:
        return [(await former.create(Sum, {"numbers": [n]})).pid for n in range(number)]


async def waiting(state):
    """Have one that waits for a signal and that nobody holds, and get its pid."""
    async with Runner(MemoryStore(state)) as former:
        process = await former.launch(Waiting)
        await until(lambda: process.state is State.WAITING)
        return process.pid


async def test_many_are_taken_up_by_one_write(make, state):
    pids, recorder = await left(state), Recorder()
    worker = await make(recorder)
    assert sorted(await worker.sweep()) == sorted(pids)
    assert (recorder.count("store.claim_many"), recorder.count("store.claim")) == (1, 0)
    await worker.runner.drained()
    assert {row.row.state for row in state.processes.values()} == {State.FINISHED}


async def test_as_many_are_taken_up_together_as_there_are_slots(make, state):
    pids, recorder = await left(state), Recorder()
    worker = await make(recorder, slots=10)
    assert sorted(await worker.sweep()) == sorted(pids)
    assert 3 <= recorder.count("store.claim_many") < NUMBER
    await worker.runner.drained()
    assert {row.row.state for row in state.processes.values()} == {State.FINISHED}


async def test_of_two_workers_each_has_what_the_other_has_not(make, state):
    pids = await left(state)
    workers = [await make(slots=10) for _ in range(2)]
    found = await asyncio.gather(*(worker.sweep() for worker in workers))
    taken = found[0] + found[1]
    for worker in workers:
        taken += await worker.sweep()  # what a worker missed because the other was just having it
        await worker.runner.drained()
    assert sorted(taken) == sorted(pids)
    assert {(kept.row.epoch, kept.row.state) for kept in state.processes.values()} == {(2, State.FINISHED)}


class Busy(MemoryStore):
    """A store in which somebody else is always writing, when many are wanted."""

    async def claim_many(self, pids, *, owner, dead=()):
        return []


async def test_what_was_not_to_be_had_together_is_had_alone(make, state):
    pids = await left(state)
    worker = await make(store=Busy)
    assert await worker.sweep() == []
    assert sorted(await worker.sweep()) == sorted(pids)
    await worker.runner.drained()
    assert {kept.row.state for kept in state.processes.values()} == {State.FINISHED}


class Slow(MemoryStore):
    """A store that does what it is asked at once, and answers when it is let."""

    gate: Gate

    async def claim_many(self, pids, *, owner, dead=()):
        claimed = await super().claim_many(pids, owner=owner, dead=dead)
        self.gate.reached.set()
        await self.gate.open.wait()
        return claimed


async def test_what_was_being_claimed_by_one_who_stops_is_given_back(make, state):
    """Its steps may have half a minute to end, in which others could have done it."""
    pids, Slow.gate = await left(state), Gate()
    worker = await make(store=Slow)
    sweeping = asyncio.create_task(worker.sweep())
    await Slow.gate.reached.wait()
    sweeping.cancel()
    await asyncio.sleep(0)
    assert {kept.row.owner for kept in state.processes.values()} == {worker.runner.owner}
    Slow.gate.open.set()
    await asyncio.wait([sweeping])
    assert sweeping.cancelled()
    assert {kept.row.owner for kept in state.processes.values()} == {None}
    assert sorted(await (await make()).sweep()) == sorted(pids)


@pytest.mark.parametrize("damage", ["row", "checkpoint"])
async def test_what_cannot_be_loaded_is_told_of_once_and_keeps_no_other_back(damage, make, state, caplog):
    pids = await left(state)
    kept = state.processes[pids[3]]
    if damage == "row":
        kept.row = msgspec.structs.replace(kept.row, version=7)
    kept.checkpoints[1] = msgspec.structs.replace(kept.checkpoints[1], body=b"nonsense")
    worker = await make()
    assert sorted(await worker.sweep()) == sorted(pids[:3] + pids[4:])
    await worker.runner.drained()
    for _ in range(2):
        assert await worker.sweep() == []
    assert caplog.text.count(f"process {pids[3]} is left as it is") == 1
    assert (kept.row.owner, kept.row.seq, kept.row.attempts) == (None, 1, 0)


async def test_what_is_paused_stays_paused_beside_the_others(make, state):
    pids = await left(state)
    kept = state.processes[pids[3]]
    kept.row = msgspec.structs.replace(kept.row, paused=True)
    worker = await make()
    assert sorted(await worker.sweep()) == sorted(pids[:3] + pids[4:])
    assert (kept.row.owner, kept.row.paused, kept.row.epoch) == (None, True, 1)


async def test_a_signal_that_is_there_already_is_taken(make, state):
    pid = await waiting(state)
    worker = await make()
    await worker.runner.store.ask([order_of(SignalRequest(name="go", payload=7), id="s1", pid=pid, at=1.0)])
    assert await worker.sweep() == [pid]
    await worker.runner.drained()
    assert state.processes[pid].row.state is State.FINISHED
    assert (await worker.runner.load(pid)).stage.result == 7


async def test_what_else_was_asked_is_done_first(make, state):
    """A step would be begun otherwise by a process that is to be killed."""
    pid = await waiting(state)
    worker = await make()
    orders = [SignalRequest(name="go", payload=7), KillRequest(reason="enough")]
    await worker.runner.store.ask([order_of(order, id=f"o{n}", pid=pid, at=n) for n, order in enumerate(orders)])
    assert await worker.sweep() == [pid]
    await worker.runner.drained()
    assert state.processes[pid].row.state is State.KILLED


async def test_what_a_dead_worker_held_is_had_together(make, state):
    frozen = Runner(MemoryStore(state))
    await frozen.store.open()
    await frozen.store.join(frozen.owner, lease=0.0)  # it has run out
    pids = [(await frozen.create(Sum, {"numbers": [n]})).pid for n in range(NUMBER)]
    recorder = Recorder()
    worker = await make(recorder)
    assert sorted(await worker.sweep()) == sorted(pids)
    assert recorder.count("store.claim_many") == 1
    await worker.runner.drained()
    assert {kept.row.state for kept in state.processes.values()} == {State.FINISHED}
    await frozen.store.close()
