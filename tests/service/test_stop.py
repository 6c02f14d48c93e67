"""Stopping: steps that run end and are committed, no new one starts, and what waits inside a step is taken again."""

import asyncio

import pytest

from drupe.core.command import Continue
from drupe.core.lifecycle import State
from drupe.core.record import Query
from drupe.engine.process import Process
from drupe.engine.workchain import ToContext, WorkChain
from drupe.errors import ClosedError
from drupe.service.runner import Runner
from drupe.storage.memory import MemoryStore
from drupe.storage.memory_state import MemoryState
from tests.service.samples import Asking, Gate, Sum, reached, until

STEPS = []


class Slow(Process):
    """Two steps, the first behind a gate."""

    gate = None

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("done", valid_type=bool)

    async def run(self):
        STEPS.append("first")
        await Slow.gate.pass_through()
        return Continue(self.second)

    def second(self):
        STEPS.append("second")
        self.out("done", value=True)


class OneStep(Process):
    """One step behind the gate."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("done", valid_type=bool)

    async def run(self):
        await Slow.gate.pass_through()
        self.out("done", value=True)


class Awaits(Process):
    child = Slow

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("done", valid_type=bool)

    async def run(self):
        STEPS.append("awaits")
        self.out("done", (await self.submit(self.child)).done)


class Nests(Awaits):
    def run(self):
        STEPS.append("nests")
        self.out("done", self.child().execute().done)


class NestsWhatAwaits(Nests):
    child = Awaits


class AwaitsWhatNests(Awaits):
    child = Nests


class HandsOver(WorkChain):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("done", valid_type=bool)
        spec.outline(cls.ask, cls.tell)

    def ask(self):
        STEPS.append("asks")
        return ToContext(child=self.submit(Slow))

    def tell(self):
        self.out("done", self.ctx.child.done)


class AsksInside(Process):
    """Executes, inside its step, a child that is paused."""

    def run(self):
        STEPS.append("asks inside")
        return Asking().execute().answer


@pytest.fixture
def gate():
    STEPS.clear()
    Slow.gate = Gate()
    return Slow.gate


@pytest.fixture
def runner():
    """Makes runners on the same data."""
    state = MemoryState()
    return lambda: Runner(MemoryStore(state))


async def test_a_step_that_runs_ends_and_is_committed_and_no_new_one_starts(runner, gate):
    async with runner() as one:
        process = await one.launch(Slow)
        await gate.reached.wait()
        assert one.running() == [process]
        one.stop()
        draining = asyncio.ensure_future(one.drained())
        await asyncio.sleep(0)
        assert not draining.done()
        gate.open.set()
        await draining
        assert STEPS == ["first"]
        assert one.running() == []
        last = (await one.store.history(process.pid))[-1]
        assert (last.event, last.detail) == ("step", "run")
    async with runner() as other:
        assert await (await other.resume(process.pid)) == {"done": True}
        assert STEPS == ["first", "second"]


@pytest.mark.parametrize("parent", [Awaits, Nests, NestsWhatAwaits, AwaitsWhatNests, HandsOver])
async def test_a_parent_suspended_on_a_child_is_given_up_and_its_step_repeated(runner, gate, parent):
    """The child's step ends and is kept; the parent's is taken again, finds the child, and makes no second one."""
    async with runner() as one:
        process = await one.launch(parent)
        await gate.reached.wait()
        assert [type(found) for found in one.running()] == [Slow]
        one.stop()
        draining = asyncio.ensure_future(one.drained())
        await asyncio.sleep(0)
        gate.open.set()
        async with asyncio.timeout(5):
            await draining
        assert process.state in (State.RUNNING, State.WAITING)
        assert STEPS.count("first") == 1
        assert "second" not in STEPS
        before = len((await one.store.list(Query())).records)
    begun = len(STEPS)
    async with runner() as other:
        assert await (await other.resume(process.pid)) == {"done": True}
        assert STEPS.count("first") == 1
        assert STEPS.count("second") == 1
        assert len((await other.store.list(Query())).records) == before
        repeated = 0 if parent is HandsOver else begun - 1
        assert len(STEPS) == begun + repeated + 1


@pytest.mark.parametrize("parent", [Awaits, Nests])
async def test_a_step_whose_child_ends_meanwhile_goes_on_to_its_end(runner, gate, parent, monkeypatch):
    """A child in its last step comes to its end, and so does the step that waits for it: nothing is repeated."""
    monkeypatch.setattr(parent, "child", OneStep)
    async with runner() as one:
        process = await one.launch(parent)
        await gate.reached.wait()
        one.stop()
        draining = asyncio.ensure_future(one.drained())
        await asyncio.sleep(0)
        gate.open.set()
        await draining
        assert (process.state, process.outputs) == (State.FINISHED, {"done": True})
    assert len(STEPS) == 1


async def test_a_step_that_executes_a_paused_child_does_not_keep_a_runner_from_stopping(runner):
    STEPS.clear()
    async with runner() as one:
        process = await one.launch(AsksInside)
        await until(lambda: len(one.living()) == 2)
        (asking,) = [found for found in one.living() if isinstance(found, Asking)]
        await reached(asking, State.WAITING)
        await asking.pause()
        one.stop()
        async with asyncio.timeout(5):
            await one.drained()
    async with runner() as other:
        again = await other.resume(process.pid)
        asking = await other.resume(asking.pid)
        assert asking.paused
        await asking.play()
        asking.resume(1)
        await again
        assert again.result() == 1
        assert STEPS == ["asks inside", "asks inside"]


async def test_nothing_starts_in_a_runner_that_was_stopped(runner, gate):
    gate.open.set()
    async with runner() as one:
        one.stop()
        process = await one.launch(Slow)
        await one.drained()
        assert process.state is State.CREATED
        assert STEPS == []


async def test_waiting_and_paused_processes_are_kept_as_they_are(runner):
    async with runner() as one:
        waiting, paused = await one.launch(Asking), await one.launch(Asking)
        await reached(waiting, State.WAITING)
        await reached(paused, State.WAITING)
        await paused.pause("a break")
        one.stop()
        await one.drained()
    async with runner() as other:
        record = await other.store.record(paused.pid)
        assert (record.state, record.paused, record.status) == (State.WAITING, True, "a break")
        again = await other.resume(waiting.pid)
        again.resume(1)
        assert await again == {"answer": 1}


async def test_a_drained_runner_that_was_not_stopped_has_run_everything(runner, gate):
    gate.open.set()
    async with runner() as one:
        processes = [await one.launch(Slow), await one.launch(HandsOver)]
        await one.drained()
        assert all(process.has_terminated() for process in processes)
        assert one.living() == []


async def test_leaving_releases_what_is_owned_and_writes_nothing_else(runner, gate):
    async with runner() as one:
        running, waiting = await one.launch(Slow), await one.launch(Asking)
        await gate.reached.wait()
        await reached(waiting, State.WAITING)
        store = one.store
    await store.open()
    for process, seq in ((running, 2), (waiting, 3)):
        record = await store.record(process.pid)
        assert (record.owner, record.seq, record.epoch) == (None, seq, 1)
    await store.close()


async def test_whoever_still_waits_when_a_runner_is_left_is_told(runner):
    async with runner() as one:
        process = await one.launch(Asking)
        waiter = asyncio.ensure_future(process.wait())
        await reached(process, State.WAITING)
    with pytest.raises(ClosedError, match=process.pid):
        async with asyncio.timeout(5):
            await waiter


async def test_leaving_because_of_an_error_passes_the_error_on(runner):
    pids = []

    async def fails():
        async with runner() as one:
            pids.append((await one.launch(Asking)).pid)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    async with runner() as other:
        assert (await other.store.record(pids[0])).owner is None


async def test_cancelling_a_waiter_leaves_the_process_as_it_is(runner):
    async with runner() as one:
        process = await one.launch(Asking)
        await reached(process, State.WAITING)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(process.wait(), 0.001)
        waiter = asyncio.gather(process.wait(), one.wait(process))
        await asyncio.sleep(0)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        process.resume(1)
        assert await process == {"answer": 1}
        assert await (await one.launch(Sum, numbers=[1])) == {"total": 1}
