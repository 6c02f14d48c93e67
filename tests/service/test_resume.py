"""Resuming: what is there, what is not, what is damaged, what is of another version, and what ended long ago."""

import asyncio
import sqlite3
import sys
from contextlib import closing

import pytest

from drupe.core.command import Wait
from drupe.core.lifecycle import State
from drupe.core.record import Fence, Query
from drupe.core.upcast import upcast
from drupe.engine.field import field
from drupe.engine.process import Process
from drupe.engine.registry import ClassRegistry
from drupe.errors import (
    ChildMismatchError,
    CorruptedError,
    DuplicateProcessError,
    ExceptedError,
    KilledError,
    NewerVersionError,
    OwnedError,
    UnknownClassError,
    UnknownProcessError,
    UpcastError,
)
from drupe.service.runner import Runner
from drupe.storage.memory import MemoryStore
from drupe.storage.memory_state import MemoryState
from tests.service.samples import Asking, Sum, reached, until


class Failing(Process):
    def run(self):
        raise ValueError("on purpose")


class Leaves(Process):
    """Leaves children behind that wait, and ends."""

    def run(self):
        for number in range(3):
            self.submit(LeavesOne, key=str(number))


class LeavesOne(Process):
    def run(self):
        self.submit(Asking)


class AwaitsAsking(Process):
    async def run(self):
        return (await self.submit(Asking)).answer


class TwoOfOneKey(Process):
    """Asks for two children by the same key; the second time with other inputs, if told so."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("second", valid_type=list)
        spec.input("waits", valid_type=bool, default=True)

    async def run(self):
        first = self.submit(Sum, numbers=[1], key="k")
        second = self.submit(Sum, numbers=self.inputs.second, key="k")
        if self.inputs.waits:
            return (await first).total + (await second).total
        return None


@pytest.fixture
def runner():
    """Makes runners on the same data."""
    state = MemoryState()
    return lambda **given: Runner(MemoryStore(state), **given)


# --- what ended ------------------------------------------------------------------------------------------------


async def test_a_process_that_ended_is_loaded_with_its_outcome(runner):
    async with runner() as one:
        pids = [(await one.launch(Sum, numbers=[2])).pid, (await one.launch(Failing)).pid]
        killed = await one.launch(Asking)
        await reached(killed, State.WAITING)
        await killed.kill("enough")
        await one.drained()
        rows = [await one.store.record(pid) for pid in (*pids, killed.pid)]
    async with runner() as other:
        finished, failed, gone = [await other.resume(row.pid) for row in rows]
        assert await finished == {"total": 2}
        with pytest.raises(ExceptedError, match="on purpose"):
            await failed
        assert "raise ValueError" in failed.traceback_text()
        with pytest.raises(KilledError, match="enough"):
            await gone
        assert [await other.store.record(row.pid) for row in rows] == rows  # not claimed, not written
        assert other.living() == []


async def test_resuming_a_process_that_is_at_hand_gives_the_same_one(runner):
    async with runner() as one:
        process = await one.launch(Asking)
        assert await one.resume(process.pid) is process
        assert await asyncio.gather(*(one.resume(process.pid) for _ in range(5))) == [process] * 5


async def test_descendants_are_resumed_also_of_a_process_that_has_ended(runner):
    async with runner() as one:
        process = await one.launch(Leaves)
        await process
        await until(lambda: [found.state for found in one.living()] == [State.WAITING] * 3)
    async with runner() as other:
        again = await other.resume(process.pid)
        assert again.state is State.FINISHED
        assert len(other.living()) == 3
        for asking in other.living():
            asking.resume(1)
        await other.drained()
        assert {row.state for row in (await other.store.list(Query())).records} == {State.FINISHED}


async def test_a_descendant_that_somebody_else_runs_is_left_to_them(runner):
    async with runner() as one:
        process = await one.launch(Leaves)
        await process
        asking = await one.launch(Asking)
        await one.store.release(await _fence(one, asking.pid))
        async with runner() as other:
            await other.resume(asking.pid)
            again = await other.resume(process.pid)
            assert again.state is State.FINISHED


async def _fence(runner, pid):
    return Fence(pid, (await runner.store.record(pid)).epoch)


async def test_a_parent_waits_for_a_child_that_another_runner_runs(runner):
    """Its step is repeated here while its child lives there: it looks again and again until the child has ended."""
    async with runner() as one:
        parent = await one.launch(AwaitsAsking)
        await until(lambda: len(one.living()) == 2)
        (child,) = [found for found in one.living() if isinstance(found, Asking)]
        await reached(child, State.WAITING)
        await one.store.release(await _fence(one, parent.pid))
        async with runner() as other:
            with pytest.raises(OwnedError):
                await other.resume(child.pid)
            again = await other.resume(parent.pid)
            child.resume(7)
            await again
            assert again.result() == 7


# --- what is not at hand -----------------------------------------------------------------------------------------


async def test_an_unknown_pid_is_told(runner):
    async with runner() as one:
        with pytest.raises(UnknownProcessError, match="nobody"):
            await one.resume("nobody")
        with pytest.raises(UnknownProcessError, match="nobody"):
            await one.load("nobody")


async def test_a_class_that_is_not_at_hand_is_not_imported_and_the_process_stays_free(runner, tmp_path, monkeypatch):
    (tmp_path / "elsewhere_defined.py").write_text("raise SystemError('imported')")
    monkeypatch.syspath_prepend(tmp_path)

    class Local(Process):
        def run(self):
            return Wait()

    Local.__module__ = "elsewhere_defined"
    async with runner() as one:
        pid = (await one.create(Local)).pid
    async with runner() as other:
        before = await other.store.record(pid)
        with pytest.raises(UnknownClassError, match="elsewhere_defined"):
            await other.resume(pid)
        assert "elsewhere_defined" not in sys.modules
        assert await other.store.record(pid) == before
        assert before.owner is None
    registry = ClassRegistry(Process)
    registry.add(Local)
    async with runner(registry=registry) as third:
        assert (await third.resume(pid)).pid == pid


async def test_descendants_that_cannot_be_loaded_do_not_keep_the_others_from_going_on(runner, caplog):
    class Local(Process):
        def run(self):
            return Wait()

    class Parent(Process):
        def run(self):
            self.submit(Asking)
            self.submit(Local)
            self.submit(Asking, key="last")

    registry = ClassRegistry(Process)
    async with runner() as one:
        process = await one.create(Parent)
        one.start(process)
        await process
    registry.add(Parent)
    async with runner(registry=registry) as other:
        await other.resume(process.pid)
        assert [type(found) for found in other.living()] == [Asking, Asking]
    assert "Local" in caplog.text


# --- what is of another version ----------------------------------------------------------------------------------


def versions():
    class Old(Process):
        word = field("")

        def run(self):
            self.word = "stone"
            return Wait(self.end)

        def end(self, value):
            return self.word + value

    class New(Old):
        version = 2
        length = field(0)

        @upcast(from_version=1)
        @staticmethod
        def count(state):
            state["fields"]["length"] = len(state["fields"]["word"])
            return state

        def end(self, value):
            return self.length + value

    class Broken(Old):
        version = 2

        @upcast(from_version=1)
        @staticmethod
        def fail(state):
            raise KeyError("nothing of this name")

    for kind in (New, Broken):
        kind.__qualname__ = Old.__qualname__
    return Old, New, Broken


def registry_of(process_class):
    registry = ClassRegistry(Process)
    registry.add(process_class)
    return registry


async def test_an_upcast_that_fails_pauses_the_process_with_its_error_and_a_better_one_brings_it_up(runner):
    old, new, broken = versions()
    async with runner(registry=registry_of(old)) as one:
        process = await one.launch(old)
        await reached(process, State.WAITING)
        process.set_status("thinking")
        await process.pause()
        await process.play()
    for _ in range(2):  # asking again tells the same and writes nothing
        async with runner(registry=registry_of(broken)) as other:
            with pytest.raises(UpcastError, match="nothing of this name"):
                await other.resume(process.pid)
            record = await other.store.record(process.pid)
            assert (record.state, record.paused, record.owner) == (State.WAITING, True, None)
            assert "nothing of this name" in record.status
            history = [event.event for event in await other.store.history(process.pid)]
            assert history == ["created", "running", "waiting", "paused", "played", "paused"]
    async with runner(registry=registry_of(new)) as last:
        again = await last.resume(process.pid)
        assert again.paused
        await again.play()
        again.resume(10)
        await again
        assert again.result() == 15


async def test_older_code_leaves_what_newer_code_wrote_alone(runner):
    old, new, _ = versions()
    async with runner(registry=registry_of(new)) as one:
        process = await one.launch(new)
        await reached(process, State.WAITING)
    async with runner(registry=registry_of(old)) as other:
        before = await other.store.record(process.pid)
        with pytest.raises(NewerVersionError, match="version 2"):
            await other.resume(process.pid)
        assert await other.store.record(process.pid) == before
        assert [row.pid for row in await other.store.free()] == [process.pid]  # for whoever has the newer code


# --- what is damaged ---------------------------------------------------------------------------------------------


async def test_damage_affects_the_damaged_process_alone(store, path):
    async with Runner(store()) as one:
        asking = [await one.launch(Asking, pid=f"p{number}") for number in range(3)]
        for process in asking:
            await reached(process, State.WAITING)
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE checkpoint SET body = zeroblob(length(body)) WHERE pid = 'p1'")
        db.commit()
    async with Runner(store()) as other:
        before = await other.store.record("p1")
        with pytest.raises(CorruptedError, match="p1"):
            await other.resume("p1")
        assert await other.store.record("p1") == before
        for pid in ("p0", "p2"):
            process = await other.resume(pid)
            process.resume(pid)
            assert await process == {"answer": pid}


async def test_a_damaged_child_fails_the_step_that_waits_for_it_and_nobody_else(store, path):
    async with Runner(store()) as one:
        parent = await one.launch(AwaitsAsking, pid="parent")
        await until(lambda: len(one.living()) == 2)
        (child,) = [found for found in one.living() if isinstance(found, Asking)]
        await reached(child, State.WAITING)
        beside = await one.launch(Asking, pid="beside")
        await reached(beside, State.WAITING)
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE checkpoint SET body = zeroblob(length(body)) WHERE pid = ?", (child.pid,))
        db.commit()
    async with Runner(store()) as other:
        again = await other.resume(parent.pid)
        with pytest.raises(CorruptedError, match=child.pid):
            await again
        process = await other.resume("beside")
        process.resume(1)
        assert await process == {"answer": 1}


# --- whose pid it is ---------------------------------------------------------------------------------------------


async def test_a_pid_that_is_taken_is_refused(runner):
    async with runner() as one:
        await one.create(Sum, {"numbers": []}, pid="taken")
        for process_class, inputs in ((Sum, {"numbers": []}), (Sum, {"numbers": [1]}), (Asking, None)):
            with pytest.raises(DuplicateProcessError, match="taken"):
                await one.create(process_class, inputs, pid="taken")
    async with runner() as other:
        for process_class, inputs in ((Sum, {"numbers": []}), (Sum, {"numbers": [1]}), (Asking, None)):
            with pytest.raises(DuplicateProcessError, match="taken"):
                await other.create(process_class, inputs, pid="taken")
        assert await (await other.resume("taken")) == {"total": 0}


@pytest.mark.parametrize("waits", [True, False])
async def test_one_key_is_one_child(runner, waits):
    async with runner() as one:
        process = await one.launch(TwoOfOneKey, second=[1], waits=waits)
        await process
        await one.drained()
        assert process.result() == (2 if waits else None)
        assert len((await one.store.list(Query())).records) == 2
        other = await one.launch(TwoOfOneKey, second=[2], waits=waits)
        with pytest.raises((ChildMismatchError, ExceptedError), match="key="):
            await other


async def test_a_step_that_asks_for_another_child_when_it_is_repeated_fails_and_names_both(runner):
    asked = [[1], [2]]

    class Fickle(Process):
        async def run(self):
            await self.submit(Sum, numbers=asked.pop(0))
            await asyncio.get_running_loop().create_future()

    registry = registry_of(Fickle)
    registry.add(Sum)
    async with runner(registry=registry) as one:
        process = await one.launch(Fickle)
        await until(lambda: asked == [[2]] and len(one.living()) == 1)
    async with runner(registry=registry) as other:
        again = await other.resume(process.pid)
        with pytest.raises(ChildMismatchError, match=r"samples:Sum.*samples:Sum"):
            await again
        assert (await other.store.record(process.pid)).state is State.EXCEPTED
