"""What a host promises about steps that run in a thread of their own."""

import asyncio
import threading
from typing import Any

import pytest

from drupe.core.command import Continue
from drupe.core.lifecycle import State
from drupe.core.outline import while_
from drupe.engine.field import field
from drupe.engine.process import Process
from drupe.engine.step import step
from drupe.engine.workchain import WorkChain
from drupe.errors import DefinitionError, OutlineError
from drupe.testing.host_case import Bench, HostCase, answer_of, background, settle, until
from drupe.testing.host_chain_contract import chain

_LIMIT = 30.0
"""Seconds after which a wrong test does not hang."""


class Door:
    """Where a thread waits until the test lets it on, and says that it is there."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._open = threading.Event()

    def open(self) -> None:
        """Let it on."""
        self._open.set()

    def pass_through(self) -> None:
        """Wait to be let on."""
        self.reached.set()
        if not self._open.wait(_LIMIT):
            raise TimeoutError("nobody opened the door")


class Blocking(Process):
    """A step that blocks its thread, and one after it. Each test makes a door of its own by a subclass."""

    door: Door
    count: int = field(0)
    took: list[str]

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input("by", valid_type=int, default=1)
        spec.output("seen", required=False)

    @step(thread=True)
    def run(self) -> Any:
        self.took.append("run")
        self.door.pass_through()
        self.count += self.inputs.by
        self.out("seen", Process.current() is self)
        return Continue(self.after, threading.current_thread() is threading.main_thread())

    def after(self, where: bool) -> Any:  # noqa: FBT001 (an argument of a step)
        self.took.append("after")
        return where


def blocking(*, is_open: bool = False) -> Any:
    """Get a class with a door of its own."""
    door = Door()
    if is_open:
        door.open()
    return type("Blocked", (Blocking,), {"door": door, "took": []})


async def inside(bench: Bench) -> Any:
    """Get a process whose step blocks its thread."""
    process = await bench.create(blocking())
    background(process)
    await until(process.door.reached.is_set)
    return process


class HostThreadContract(HostCase):
    """Steps in a thread."""

    async def test_a_step_runs_in_a_thread_and_does_everything_that_a_step_does(self, bench: Bench) -> None:
        process = await bench.create(blocking(is_open=True), {"by": 3})
        outputs = await process
        assert (process.result(), process.count, outputs) == (False, 3, {"seen": True})
        assert process.took == ["run", "after"]

    async def test_others_go_on_meanwhile(self, bench: Bench) -> None:
        process = await inside(bench)
        other = await bench.create(blocking(is_open=True))
        await other
        assert not process.has_terminated()
        process.door.open()
        await process

    async def test_what_it_raises_ends_the_process_with_its_traceback(self, bench: Bench) -> None:
        class Failing(Process):
            @step(thread=True)
            def run(self) -> Any:
                self.deep()

            def deep(self) -> None:
                raise LookupError("not found")

        process = await bench.create(Failing)
        with pytest.raises(LookupError, match="not found"):
            await process
        assert "in deep" in (process.traceback_text() or "")

    async def test_a_stop_iteration_ends_the_process_too(self, bench: Bench) -> None:
        class Exhausted(Process):
            @step(thread=True)
            def run(self) -> Any:
                return next(iter([]))

        process = await bench.create(Exhausted)
        with pytest.raises(RuntimeError, match="StopIteration"):
            await process

    @pytest.mark.parametrize("verb", ["pause", "kill"])
    async def test_a_verb_takes_effect_at_its_end(self, bench: Bench, verb: str) -> None:
        process = await inside(bench)
        action = getattr(process, verb)()
        await settle(20)
        assert not action.done()
        process.door.open()
        assert await answer_of(action)
        assert (process.paused, process.killed()) == (verb == "pause", verb == "kill")
        assert process.took == ["run"]

    async def test_a_step_of_a_chain_may_be_run_in_a_thread(self, bench: Bench) -> None:
        @step(thread=True)
        def one(self: Any) -> None:
            self.ctx.main = threading.current_thread() is threading.main_thread()

        process = await bench.create(chain("one", "two", one=one, two=lambda self: [self.ctx.main]))
        await process
        assert process.result() == [False]

    async def test_others_may_be_executed_inside(self, bench: Bench) -> None:
        class Short(Process):
            @classmethod
            def define(cls, spec: Any) -> None:
                super().define(spec)
                spec.output("here")

            def run(self) -> Any:
                current = Process.current()
                self.out("here", current is self and self.parent is not None)

        class Executing(Process):
            @step(thread=True)
            def run(self) -> Any:
                return [dict(Short().execute()), Process.current() is self]

        process = await bench.create(Executing)
        await process
        assert process.result() == [{"here": True}, True]

    async def test_a_step_that_was_cancelled_is_repeated_only_when_its_thread_has_ended(self, bench: Bench) -> None:
        process = await inside(bench)
        task = process._life.task
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        waiter = asyncio.get_running_loop().create_task(process.wait())
        await settle(50)
        assert process.took == ["run"]
        process.door.open()
        await waiter
        assert process.took == ["run", "run", "after"]
        assert process.count == (1 if bench.durable else 2)

    async def test_a_coroutine_function_is_refused(self, bench: Bench) -> None:
        async def run(_: Any) -> None: ...

        with pytest.raises(DefinitionError, match="async def"):
            step(thread=True)(run)

    async def test_a_predicate_is_refused(self, bench: Bench) -> None:
        @step(thread=True)
        def never(_: Any) -> bool:
            return False

        def define(cls: Any, spec: Any) -> None:
            WorkChain.define.__func__(cls, spec)  # type: ignore[attr-defined]  # the function of a classmethod
            spec.outline(while_(never)(cls.run))

        made: Any = type("Chain", (WorkChain,), {"define": classmethod(define)})
        with pytest.raises(OutlineError):
            await bench.create(made)

    async def test_without_a_thread_a_step_is_as_it_was(self, bench: Bench) -> None:
        def run(_: Any) -> None: ...

        plain = step()(run)
        assert plain is run
        process = await bench.create(type("Plain", (Process,), {"run": plain}))
        await process
        assert process.state is State.FINISHED
