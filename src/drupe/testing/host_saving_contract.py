"""What a host promises about saving and loading: what is kept, what is refused, what an older version left behind."""

import asyncio
from typing import Any

import pytest

from drupe.core.command import Continue, Kill, Stop, Wait
from drupe.core.lifecycle import State
from drupe.core.upcast import upcast
from drupe.engine.field import field
from drupe.engine.future import SavableFuture
from drupe.engine.process import Process
from drupe.engine.registry import ClassRegistry
from drupe.engine.saving import load, save
from drupe.engine.workchain import WorkChain
from drupe.errors import (
    ClosedError,
    DefinitionError,
    ExceptedError,
    KilledError,
    NewerVersionError,
    SnapshotError,
    UnknownClassError,
    UnsavableError,
    UpcastError,
)
from drupe.testing.host_case import Bench, HostCase, SubclassRegistry, answer_of
from drupe.testing.host_chain_contract import Branching

CLASSES = SubclassRegistry()


def reloaded(process: Process) -> Any:
    """Get another object, loaded from what the process saves."""
    return load(save(process), registry=CLASSES)


class Ladder(Process):
    """Climbs rung by rung, and rests half way."""

    count: int = field(0)
    rungs: list[int] = field(factory=list)
    rope: Any = field(None, saved=False)

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input("height", valid_type=int, default=4)
        spec.input("boots.size", valid_type=int, default=42)
        spec.output("rungs.all", required=False)
        spec.output("top", required=False)

    def run(self) -> Any:
        self.rope = object()
        return Continue(self.climb, 1, by="hand")

    def climb(self, rung: int, *, by: str) -> Any:
        self.count += 1
        self.rungs = [*self.rungs, rung]
        self.out("rungs.all", self.rungs)
        if rung == self.inputs.height:
            self.out("top", True)
            return by
        if rung == self.inputs.height // 2:
            return Wait(self.go_on, "half way", {"rung": rung})
        return Continue(self.climb, rung + 1, by=by)

    def go_on(self, by: str) -> Any:
        return Continue(self.climb, self.inputs.height // 2 + 1, by=by)


class HostSavingContract(HostCase):
    """Saving and loading."""

    # --- round trips -----------------------------------------------------------------------------------------

    async def test_a_process_loaded_after_any_step_goes_on_as_the_first_would_have(self, bench: Bench) -> None:
        straight = await bench.create(Ladder)
        while straight.state is not State.WAITING:
            await straight.step()
        straight.resume("foot")
        expected = dict(await straight)

        steps = 0
        while True:
            process = await bench.create(Ladder)
            for _ in range(steps):
                if process.state is State.WAITING:
                    process.resume("foot")
                await process.step()
            over = process.has_terminated()
            other = reloaded(process)
            assert (other.pid, other.kind, other.state) == (process.pid, process.kind, process.state)
            assert (other.inputs, other.outputs, other.count) == (process.inputs, process.outputs, process.count)
            while not other.has_terminated():
                if other.state is State.WAITING:
                    assert other.stage.label() == "half way"
                    other.resume("foot")
                await other.step()
            assert (other.outputs, other.result(), other.count) == (expected, "foot", 4)
            if over:
                break
            steps += 1
        assert steps == 8

    async def test_a_chain_loaded_after_any_step_goes_on_as_the_first_would_have(self, bench: Bench) -> None:
        process = await bench.create(Branching, {"n": 10})
        steps = 0
        while not process.has_terminated():
            other = reloaded(process)
            assert other.ctx == process.ctx
            await other
            assert (other.result(), other.ctx) == (3, {"seen": ["large"], "count": 3})
            await process.step()
            steps += 1
        assert steps == 7

    async def test_a_field_that_is_not_saved_has_its_default_again(self, bench: Bench) -> None:
        process = await bench.create(Ladder)
        process.rope = "here"
        assert reloaded(process).rope is None

    async def test_a_paused_process_is_paused_when_it_is_loaded(self, bench: Bench) -> None:
        process = await bench.create(Ladder)
        process.set_status("before")
        await answer_of(process.pause("tea"))
        other = reloaded(process)
        assert other.paused
        assert other.status == "tea"
        assert other.play() is True
        assert other.status == "before"

    @pytest.mark.parametrize("command", [Stop([1, {"two": 2}], False), Kill("enough")])
    async def test_the_end_is_loaded_as_it_was(self, bench: Bench, command: Any) -> None:
        class Ending(Process):
            def run(self) -> Any:
                return command

        process = await bench.create(Ending)
        await asyncio.gather(process, return_exceptions=True)
        other = reloaded(process)
        assert other.state is process.state
        assert other.has_terminated()
        if isinstance(command, Stop):
            assert other.result() == [1, {"two": 2}]
            assert not other.is_successful()
        else:
            assert other.killed_msg() == "enough"
            with pytest.raises(KilledError):
                other.execute()
        assert other.kill() is other.killed()

    async def test_an_exception_survives_with_its_traceback(self, bench: Bench) -> None:
        class OddError(Exception):
            def __init__(self, one: int, two: int) -> None:
                super().__init__(f"{one} is not {two}")

        class Failing(Process):
            def run(self) -> Any:
                return self.deep_inside()

            def deep_inside(self) -> Any:
                raise OddError(1, 2)

        process = await bench.create(Failing)
        with pytest.raises(OddError):
            await process
        first = reloaded(process)
        for other in (first, reloaded(first)):
            error = other.exception()
            assert isinstance(error, ExceptedError)
            assert error.kind.endswith("OddError")
            assert error.message == "1 is not 2"
            assert "deep_inside" in other.traceback_text()
            with pytest.raises(ExceptedError, match="1 is not 2"):
                await other

    async def test_a_closed_process_can_be_loaded_and_run(self, bench: Bench) -> None:
        process = await bench.create(Ladder)
        data = save(process)
        process.close()
        with pytest.raises(ClosedError):
            await process
        other = load(data, registry=CLASSES)
        await other.step()
        assert other.state is State.RUNNING

    # --- what is refused -------------------------------------------------------------------------------------

    async def test_an_undeclared_attribute_is_refused_by_name(self, bench: Bench) -> None:
        class Untidy(Process):
            def run(self) -> Any:
                self.shelf = 1
                return Wait(self.run)

        process = await bench.create(Untidy)
        if bench.durable:
            with pytest.raises(UnsavableError, match="shelf"):
                await process
            assert process.state is State.EXCEPTED
        else:
            await process.step()
            await process.step()
            with pytest.raises(UnsavableError, match=r"shelf.*declare"):
                save(process)

    @pytest.mark.parametrize("where", ["rungs", "top", "argument", "function"])
    async def test_what_could_not_be_loaded_is_refused_naming_its_path(self, bench: Bench, where: str) -> None:
        class Careless(Ladder):
            def run(self) -> Any:
                if where == "rungs":
                    self.rungs = [object()]  # type: ignore[list-item]
                elif where == "top":
                    self.out("top", [object()])
                elif where == "argument":
                    return Wait(self.run, data={"key": object()})
                else:
                    return Wait(lambda: None)
                return Wait(self.run)

        path = {"rungs": r"rungs\[0\]", "top": r"top\[0\]", "argument": r"data\.key", "function": r"stage\.fn"}[where]
        process = await bench.create(Careless)
        if bench.durable:
            with pytest.raises(UnsavableError, match=path):
                await process
        else:
            await process.step()
            await process.step()
            with pytest.raises(UnsavableError, match=path):
                save(process)

    async def test_bytes_that_are_no_process_are_refused(self, bench: Bench) -> None:
        data = save(await bench.create(Ladder))
        for wrong in (b"", b"\x80", b"{}", data[:-1], data[1:], b"\xff" * 40):
            with pytest.raises(SnapshotError):
                load(wrong, registry=CLASSES)

    async def test_a_class_that_is_not_at_hand_is_refused_by_name(self, bench: Bench) -> None:
        class Empty(ClassRegistry):
            def find(self, kind: str) -> Any:
                raise UnknownClassError(kind)

        with pytest.raises(UnknownClassError, match="Ladder"):
            load(save(await bench.create(Ladder)), registry=Empty(Process))

    def test_a_field_cannot_share_what_can_be_changed(self) -> None:
        with pytest.raises(DefinitionError, match="factory=list"):
            field([])
        with pytest.raises(DefinitionError, match="not both"):
            field(1, factory=int)

    # --- other versions ----------------------------------------------------------------------------------------

    async def test_an_older_version_is_brought_up(self, bench: Bench) -> None:
        data = save(await self._old(bench))

        class Box(Process):
            version = 3
            centimetres: int = field(0)

            def run(self) -> Any:
                return self.centimetres

            @upcast(from_version=1)
            @staticmethod
            def in_centimetres(state: Any) -> Any:
                state["fields"]["centimetres"] = state["fields"].pop("inches") * 2.54
                return state

            @upcast(from_version=2)
            @staticmethod
            def whole(state: Any) -> Any:
                state["fields"]["centimetres"] = round(state["fields"]["centimetres"])
                return state

        other = load(data, registry=Single(Box))
        assert other.centimetres == 25
        await other
        assert other.result() == 25
        assert load(save(other), registry=Single(Box)).result() == 25

    async def test_what_no_upcast_leads_from_and_what_is_newer_is_refused(self, bench: Bench) -> None:
        data = save(await self._old(bench))

        class Newer(Process):
            version = 2

        class Older(Process):
            version = 0

        for wrong, error in ((Newer, UpcastError), (Older, NewerVersionError)):
            with pytest.raises(error):
                load(data, registry=Single(wrong))

    async def test_a_field_that_the_class_lost_is_refused_by_name(self, bench: Bench) -> None:
        class Box(Process):
            pass

        with pytest.raises(SnapshotError, match="inches"):
            load(save(await self._old(bench)), registry=Single(Box))

    async def test_a_step_that_the_class_lost_is_refused_by_name(self, bench: Bench) -> None:
        process = await bench.create(Ladder)
        await process.step()
        await process.step()
        data = save(process)

        class Renamed(Process):
            version = 1
            count: int = field(0)
            rungs: list[int] = field(factory=list)

        with pytest.raises(SnapshotError, match="climb"):
            load(data, registry=Single(Renamed))

    async def test_a_changed_outline_is_refused(self, bench: Bench) -> None:
        class Before(WorkChain):
            @classmethod
            def define(cls, spec: Any) -> None:
                super().define(spec)
                spec.outline(cls.one, cls.two)

            def one(self) -> None:
                pass

            def two(self) -> None:
                pass

        class After(Before):
            @classmethod
            def define(cls, spec: Any) -> None:
                super().define(spec)
                spec.outline(cls.two, cls.one)

        process = await bench.create(Before)
        data = save(process)
        with pytest.raises(SnapshotError, match="outline"):
            load(data, registry=Single(After))
        await process
        load(save(process), registry=Single(After))  # it has ended: there is nothing to go on with

    async def _old(self, bench: Bench) -> Any:
        class Box(Process):
            inches: int = field(10)

            def on_create(self) -> None:
                self.inches = 10

        return await bench.create(Box)

    # --- futures -----------------------------------------------------------------------------------------------

    async def test_a_future_can_be_saved_and_loaded_in_any_state(self, bench: Bench) -> None:
        def again(future: SavableFuture) -> SavableFuture:
            return SavableFuture.load(future.save(), asyncio.get_running_loop())

        class Failing(Process):
            def run(self) -> Any:
                raise LookupError("lost")

        class Done(Process):
            def run(self) -> Any:
                return None

        pending = await bench.create(Ladder)
        assert not again(pending.future()).done()
        killed = await bench.create(Ladder)
        killed.future().cancel()
        assert again(killed.future()).cancelled()
        failing = await bench.create(Failing)
        await asyncio.gather(failing.future(), failing, return_exceptions=True)
        loaded = again(again(failing.future()))
        with pytest.raises(ExceptedError, match="LookupError: lost"):
            await loaded
        done = await bench.create(Done)
        await done
        assert await again(done.future()) == {}


class Single(ClassRegistry):
    """Finds one class, whatever it is asked for."""

    def __init__(self, process_class: type[Process]) -> None:
        super().__init__(Process)
        self._class = process_class

    def find(self, kind: str) -> Any:
        """Get the class."""
        return self._class
