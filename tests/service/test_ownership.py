"""One owner: who runs a process, who takes it over and when, and what becomes of the one it was taken from."""

import asyncio

import pytest

from drupe.core.lifecycle import State
from drupe.core.record import Fence, Query
from drupe.engine.listener import ProcessListener
from drupe.engine.process import Process
from drupe.errors import FencedError, OwnedError
from drupe.service.presence import Presence
from drupe.service.runner import Runner
from drupe.storage.memory import MemoryStore
from drupe.storage.memory_state import MemoryState
from drupe.testing.clock import ManualClock
from tests.service.samples import Asking, Gate, Sum, reached

LEASE = 10.0
ALL = Query()
TOLD = []


class Watched(Process):
    """Writes down every hook after a commit that is called, and emits an output behind a gate."""

    gate = None

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("n", valid_type=int)

    async def run(self):
        await Watched.gate.pass_through()
        self.out("n", 1)

    def on_finished(self):
        TOLD.append("on_finished")

    def on_excepted(self):
        TOLD.append("on_excepted")

    def on_terminated(self):
        TOLD.append("on_terminated")


class Told(ProcessListener):
    def on_process_finished(self, process, outputs):
        TOLD.append("listener")

    on_process_excepted = on_process_finished


@pytest.fixture
def gate():
    TOLD.clear()
    Watched.gate = Gate()
    return Watched.gate


async def test_a_process_is_run_by_one_of_two_runners(store):
    async with Runner(store()) as one, Runner(store()) as other:
        process = await one.launch(Asking)
        await reached(process, State.WAITING)
        with pytest.raises(OwnedError, match=one.owner) as caught:
            await other.resume(process.pid)
        assert caught.value.owner == one.owner
        assert other.living() == []
        process.resume(1)
        assert await process == {"answer": 1}


async def test_of_many_who_resume_at_once_one_gets_the_process(store):
    async with Runner(store()) as first:
        pid = (await first.create(Asking)).pid
    runners = [Runner(store()) for _ in range(5)]
    async with runners[0], runners[1], runners[2], runners[3], runners[4]:
        found = await asyncio.gather(*(runner.resume(pid) for runner in runners), return_exceptions=True)
        assert sum(isinstance(outcome, OwnedError) for outcome in found) == 4
        assert sum(isinstance(outcome, Asking) for outcome in found) == 1


async def test_what_a_runner_left_is_free_at_once(store):
    async with Runner(store()) as one:
        process = await one.launch(Asking)
        await reached(process, State.WAITING)
    async with Runner(store()) as other:
        again = await other.resume(process.pid)
        again.resume("later")
        assert await again == {"answer": "later"}
        assert (await other.store.record(process.pid)).owner is None


async def test_a_process_is_taken_over_when_the_lease_of_its_owner_is_over_and_not_before():
    state, clock = MemoryState(), ManualClock()

    def runner():
        return Runner(MemoryStore(state, clock=clock), clock=clock, lease=LEASE)

    async with runner() as silent, runner() as heir:
        process = await silent.launch(Asking)
        await reached(process, State.WAITING)
        clock.advance(LEASE - 0.01)
        with pytest.raises(OwnedError):
            await heir.resume(process.pid)
        clock.advance(0.01)
        again = await heir.resume(process.pid)
        again.resume(5)
        assert await again == {"answer": 5}


DIES = """
import asyncio, sys
from pathlib import Path
from drupe.service.presence import Presence
from drupe.service.runner import Runner
from drupe.storage.sqlite import SqliteStore
from drupe.core.lifecycle import State
from tests.service.samples import Asking, reached

async def main(path, folder):
    async with Runner(SqliteStore(path, durability="process"), presence=Presence(Path(folder))) as runner:
        process = await runner.launch(Asking, pid="orphan")
        await reached(process, State.WAITING)
        print("waits", flush=True)
        await process

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.slow
async def test_a_process_is_taken_over_at_once_when_its_owner_was_killed(store, path, tmp_path, program):
    """The kernel tells: the lock on the presence file of a dead program is free, though its lease is not over."""
    owner = program(DIES, path, tmp_path / "presence")
    assert owner.stdout.readline() == "waits\n"
    async with Runner(store(), presence=Presence(tmp_path / "presence")) as runner:
        with pytest.raises(OwnedError):
            await runner.resume("orphan")
        owner.kill()
        owner.wait()
        process = await runner.resume("orphan")
        process.resume("alive")
        assert await process == {"answer": "alive"}


async def test_without_presence_a_dead_owner_keeps_its_processes_until_its_lease_is_over(store):
    async with Runner(store(), presence=None) as one:
        pid = (await one.create(Asking)).pid
        async with Runner(store()) as other:
            with pytest.raises(OwnedError):
                await other.resume(pid)


# --- being fenced ----------------------------------------------------------------------------------------------


async def test_a_fenced_process_writes_nothing_and_tells_nobody_but_who_waits(store, gate):
    async with Runner(store()) as one, Runner(store()) as other:
        one.add_listener(Told())
        process = await one.launch(Watched)
        beside = await one.launch(Asking)
        await gate.reached.wait()
        await one.store.release(Fence(process.pid, 1))
        taken = await other.store.claim(process.pid, owner=other.owner)
        waiter = asyncio.ensure_future(process.wait())
        gate.open.set()
        with pytest.raises(FencedError):
            await waiter
        with pytest.raises(FencedError):
            await process
        assert TOLD == []
        assert not process.has_terminated()
        assert await other.store.record(process.pid) == taken
        assert [event.event for event in await other.store.history(process.pid)] == ["created", "running"]

        await reached(beside, State.WAITING)  # its runner goes on with its other processes
        beside.resume(3)
        assert await beside == {"answer": 3}
        assert await (await one.launch(Sum, numbers=[4])) == {"total": 4}


async def test_the_new_owner_finishes_what_the_fenced_one_began(store, gate):
    async with Runner(store()) as one, Runner(store()) as other:
        process = await one.launch(Watched)
        await gate.reached.wait()
        await one.store.release(Fence(process.pid, 1))
        again = await other.resume(process.pid)
        gate.open.set()
        assert await again == {"n": 1}
        with pytest.raises(FencedError):
            await process
        assert TOLD == ["on_finished", "on_terminated"]  # once


@pytest.mark.parametrize("verb", ["pause", "kill"])
async def test_a_verb_on_a_fenced_process_is_answered_with_the_fencing(store, verb):
    async with Runner(store()) as one, Runner(store()) as other:
        process = await one.launch(Asking)
        await reached(process, State.WAITING)
        await one.store.release(Fence(process.pid, 1))
        again = await other.resume(process.pid)
        with pytest.raises(FencedError):
            await getattr(process, verb)()
        assert again.state is State.WAITING
        again.resume(1)
        assert await again == {"answer": 1}


async def test_a_fenced_parent_makes_no_child(store, gate):
    class Parent(Process):
        async def run(self):
            await gate.pass_through()
            await self.submit(Sum, numbers=[1])

    async with Runner(store()) as one, Runner(store()) as other:
        process = await one.launch(Parent)
        await gate.reached.wait()
        await one.store.release(Fence(process.pid, 1))
        await other.store.claim(process.pid, owner=other.owner)
        gate.open.set()
        with pytest.raises(FencedError):
            await process
        assert len((await other.store.list(ALL)).records) == 1
