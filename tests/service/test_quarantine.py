"""A process of which programs die is quarantined after so many, and nobody else is because of it."""

import contextlib

import pytest

from drupe.core.command import Continue
from drupe.core.lifecycle import State
from drupe.core.order import Outcome
from drupe.core.record import Fence, is_quarantined
from drupe.engine.process import Process
from drupe.errors import OwnedError
from drupe.service.controller import Controller
from drupe.service.presence import Presence
from drupe.service.runner import Runner
from drupe.storage.memory import MemoryState, MemoryStore
from drupe.testing.communicator_contract_case import soon
from tests.service.samples import Asking, Gate, reached, until

LIMIT = 3
STARTS = []


class Dying(Process):
    """Its second step would end the interpreter: here the test does that, by having its owner be dead for all others."""

    gate = None

    def run(self):
        return Continue(self.die)

    async def die(self):
        STARTS.append("die")
        await Dying.gate.pass_through()
        return Continue(self.rest)

    async def rest(self):
        await Dying.gate.pass_through()


class WaitsInStep(Process):
    """Waits for such a child in the middle of a step."""

    async def run(self):
        await self.submit(Dying)


class DiesOrAsks(Process):
    """Waits for a child that waits for an answer, if its interpreter does not end before."""

    async def run(self):
        await Dying.gate.pass_through()
        await self.submit(Asking)


class Graveyard(Presence):
    """Knows who is dead because the test says so."""

    def __init__(self, dead):
        self.dead = dead

    def announce(self, owner):
        """Need no file."""

    def withdraw(self, owner):
        """Have none."""

    def is_dead(self, owner):
        return owner in self.dead


class Programs:
    """Programs with one store, each a runner."""

    def __init__(self, stack):
        STARTS.clear()
        self._stack = stack
        self._state = MemoryState()
        self._dead = set()

    def new(self):
        """Get one more, not begun; what `Dying` does there waits until somebody has it go on."""
        Dying.gate = Gate()
        return Runner(MemoryStore(self._state), presence=Graveyard(self._dead), attempts=LIMIT, poll=None)

    async def begin(self):
        return await self._stack.enter_async_context(self.new())

    async def launch_and_die(self, process_class=Dying):
        """Have one launch a process, and die in its step; get the pid."""
        runner = await self.begin()
        process = await runner.launch(process_class)
        await self.die(runner)
        return process.pid

    async def resume_and_die(self, pid):
        runner = await self.begin()
        await runner.resume(pid)
        await self.die(runner)

    async def die(self, runner):
        await soon(Dying.gate.reached.wait())
        self._dead.add(runner.owner)


@pytest.fixture
async def programs():
    async with contextlib.AsyncExitStack() as stack:
        yield Programs(stack)


async def quarantined(programs):
    """Get a program that has just quarantined a process, and that process."""
    pid = await programs.launch_and_die()
    for _ in range(LIMIT - 1):
        await programs.resume_and_die(pid)
    runner = await programs.begin()
    return runner, await runner.resume(pid)


async def test_it_starts_as_often_as_the_limit_says_and_is_paused_then(programs):
    runner, process = await quarantined(programs)

    row = await runner.store.record(process.pid)
    assert STARTS == ["die"] * LIMIT
    assert process.paused
    assert is_quarantined(row)
    assert row.status == "quarantined: 3 programs in a row died while it was in die; `drupe play` has it try again"
    event = (await runner.store.history(process.pid))[-1]
    assert (event.event, event.state, event.detail) == ("quarantined", State.RUNNING, row.status)


@pytest.mark.parametrize("held", [True, False])
async def test_played_again_it_has_all_its_attempts(programs, held):
    runner, process = await quarantined(programs)
    if not held:
        row = await runner.store.record(process.pid)
        await runner.store.release(Fence(row.pid, row.epoch))

    async with Controller(runner.store, poll=0.01) as controller:
        handle = await controller.play(process.pid)
        runner.attend()
        assert (await handle.settled()).outcome is Outcome.APPLIED

    row = await runner.store.record(process.pid)
    assert (row.paused, row.status, row.attempts) == (False, None, 0)
    if held:
        await soon(Dying.gate.reached.wait())
        assert len(STARTS) == LIMIT + 1


async def test_a_program_that_stops_has_not_died_of_it(programs):
    pid = await programs.launch_and_die()
    for _ in range(LIMIT + 1):
        async with programs.new() as runner:
            await runner.resume(pid)
            await soon(Dying.gate.reached.wait())

    runner = await programs.begin()
    process = await runner.resume(pid)
    assert not process.paused
    assert (await runner.store.record(pid)).attempts == 1


async def test_a_step_that_ended_is_progress(programs):
    pid = await programs.launch_and_die()
    await programs.resume_and_die(pid)
    runner = await programs.begin()
    process = await runner.resume(pid)
    await soon(Dying.gate.reached.wait())

    Dying.gate.open.set()
    await soon(process.wait())
    assert len(STARTS) == LIMIT


async def test_whoever_only_waits_when_programs_die_has_not_killed_them(programs):
    pid = None
    for _ in range(LIMIT + 1):
        runner = await programs.begin()
        process = await (runner.launch(Asking) if pid is None else runner.resume(pid))
        await reached(process, State.WAITING)
        pid = process.pid
        Dying.gate.reached.set()
        await programs.die(runner)

    runner = await programs.begin()
    await runner.resume(pid)
    assert (await runner.store.record(pid)).attempts == 0


async def test_a_parent_that_waits_in_a_step_is_not_quarantined_with_its_child(programs):
    pid = await programs.launch_and_die(WaitsInStep)
    for _ in range(LIMIT - 1):
        await programs.resume_and_die(pid)

    runner = await programs.begin()
    parent = await runner.resume(pid)
    await soon(until(lambda: any(is_held_back(process) for process in runner.living())))

    assert STARTS == ["die"] * LIMIT
    assert not parent.paused
    assert parent in runner.living()


def is_held_back(process):
    return isinstance(process, Dying) and process.paused


async def test_of_two_under_suspicion_one_waits_until_the_other_got_on(programs):
    runner = await programs.begin()
    pids = [(await runner.launch(Dying)).pid for _ in range(3)]
    await programs.die(runner)
    runner = await programs.begin()
    for pid in pids:
        await runner.resume(pid)  # once is bad luck
    await programs.die(runner)
    careful = await programs.begin()
    careful.be_careful()

    first = await careful.resume(pids[0])
    await soon(Dying.gate.reached.wait())
    for pid in pids[1:]:
        with pytest.raises(OwnedError, match="one at a time"):
            await careful.resume(pid)
    await careful.launch(Dying)  # nothing is known against this one
    gate, Dying.gate = Dying.gate, Gate()
    gate.open.set()
    await soon(until(lambda: first._life.tenure.seq > 3))

    await careful.resume(pids[1])
    with pytest.raises(OwnedError, match="one at a time"):
        await careful.resume(pids[2])


async def test_a_suspect_whose_step_waits_for_a_child_keeps_no_other_from_running(programs):
    runner = await programs.begin()
    pids = [(await runner.launch(kind)).pid for kind in (DiesOrAsks, Dying)]
    await programs.die(runner)
    runner = await programs.begin()
    for pid in pids:
        await runner.resume(pid)
    await programs.die(runner)
    careful = await programs.begin()
    careful.be_careful()

    Dying.gate.open.set()
    process = await careful.resume(pids[0])
    await soon(until(lambda: any(isinstance(other, Asking) for other in careful.living())))
    await soon(until(lambda: process._life.waiting_for_child))

    await careful.resume(pids[1])
