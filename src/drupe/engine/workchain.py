"""`WorkChain`: a process whose body is an outline, with a context and children to wait for.

Where a chain stands is one number, the cursor into its program. A step moves the cursor only when it
succeeded, in the same transaction as everything else it did.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from drupe.core import outline as outlines
from drupe.core.attributes import Attributes
from drupe.core.command import Command, Continue, Stop, Wait
from drupe.core.lifecycle import State
from drupe.core.program import Program, compile_outline
from drupe.core.sketch import describe
from drupe.core.spec import ProcessSpec
from drupe.engine.awaiting import Await, Awaiting, as_awaitable
from drupe.engine.behaviour import BEHAVIOURS, Running
from drupe.engine.process import Process
from drupe.errors import DefinitionError, InvalidStateError, OutlineError


class WorkChainSpec(ProcessSpec):
    """Ports, and an outline."""

    def __init__(self, *, owner: type | None = None) -> None:
        super().__init__(owner=owner)
        self._outline: outlines.Outline | None = None
        self._program: Program | None = None

    def outline(self, *steps: Any) -> None:
        """Say what the work chain does: methods of the class, `if_`, `while_`, `return_`.

        Raises:
            OutlineError: something of it cannot be a step.
        """
        self._refuse_if_sealed("outline")
        self._outline, self._program = outlines.outline(*steps), None

    def get_outline(self) -> outlines.Outline:
        """Get the outline.

        Raises:
            DefinitionError: none was given.
        """
        if self._outline is None:
            owner = "the work chain" if self.owner is None else self.owner.__qualname__
            raise DefinitionError(f"{owner} has no outline; give it one in `define`: spec.outline(cls.first, …)")
        return self._outline

    @property
    def program(self) -> Program:
        """The outline, compiled when it is first needed.

        Raises:
            OutlineError: a step has the name of something that every work chain has, and hides it.
        """
        if self._program is None:
            program = compile_outline(self.get_outline())
            for function in filter(None, (*program.steps, *program.tests)):
                name = getattr(function, "__name__", "")
                if hasattr(WorkChain, name):
                    raise OutlineError(
                        f"{name}: every work chain has something of this name; call the step something else"
                    )
            self._program = program
        return self._program

    def get_description(self) -> dict[str, Any]:
        """What is declared, in values that JSON has."""
        found = super().get_description()
        return found if self._outline is None else {**found, "outline": describe(self._outline)}


class ToContext(dict[str, Any]):
    """What a step returns to have the chain wait: ``ToContext(name=awaitable, others=[awaitable, …])``."""


class OutlineRunning(Running):
    """One step of the outline, or a method that a step named by `Continue` or `Wait`."""

    __slots__ = ("_follows", "_function", "_program")

    def __init__(self, command: Continue) -> None:
        super().__init__(command)
        self._follows = getattr(command.fn, "__func__", None) is WorkChain.run
        self._program: Program | None = None
        self._function: Any = None

    def run(self, process: Any) -> Any:
        life = process._life
        if not self._follows:
            command = self.command
            return self._conclude(process, command.fn(*command.args, **command.kwargs), life.cursor)
        program = self._program
        if program is None:
            program = self._program = process.spec().program
        function, cursor = program.advance(life.cursor, process)
        if function is None:
            return Stop(program.results[cursor])
        self._function = function
        answer = function(process)
        if answer is None and not life.awaited:
            life.cursor = cursor
            if program.steps[cursor] is None and program.tests[cursor] is None:
                return Stop(program.results[cursor])  # the last step ends the chain, in one transition
            return self
        return self._conclude(process, answer, cursor)

    def _conclude(self, process: Any, answer: Any, cursor: int) -> Any:
        """Sort out what a step answered; the cursor moves with it."""
        if hasattr(type(answer), "__await__"):
            return self._conclude_later(process, answer, cursor)
        life = process._life
        if isinstance(answer, ToContext):
            process.to_context(**answer)
            answer = None
        life.cursor = cursor
        awaited, life.awaited = life.awaited, {}
        if isinstance(answer, Wait) and answer.fn is None:
            return Wait(process.run, answer.msg, answer.data, answer.signal)
        if answer is not None and awaited:
            raise InvalidStateError(
                f"the step handed {', '.join(awaited)} to to_context and returned {answer!r}: what is it to do, wait or go on? "
                "return None or a ToContext to wait"
            )
        if answer is not None:
            return answer
        if awaited:
            return Await(process.run, awaited)
        return self if self._follows else Continue(process.run)

    async def _conclude_later(self, process: Any, answer: Any, cursor: int) -> Any:
        return self._conclude(process, await answer, cursor)

    def label(self) -> str | None:
        return getattr(self._function, "__name__", None) if self._follows else super().label()


class WorkChain(Process):
    """A process that follows an outline. Its `ctx` is saved with every checkpoint.

    A step is a method, ``def`` or ``async def``. It may return None (go on), a `ToContext` (wait, then go
    on), a command (`Wait` without a function goes on with the outline), or any other value, which ends
    the chain with that value as its result.
    """

    __slots__ = ()

    spec_type: ClassVar[type[ProcessSpec]] = WorkChainSpec
    behaviours: ClassVar[Mapping[State, Any]] = {
        **BEHAVIOURS,
        State.RUNNING: OutlineRunning,
        State.WAITING: Awaiting,
    }

    def _set_up(self) -> None:
        """Start with an empty context; not for users."""
        self._life.ctx = Attributes()
        _ = self.spec().program  # what is wrong with the outline is said before there is a process

    @property
    def outline_digest(self) -> str:  # type: ignore[override]  # a class constant where there is no outline
        """What tells this outline from another."""
        digest: str = self.spec().program.digest
        return digest

    @property
    def ctx(self) -> Any:
        """The context: what the steps hand to each other, by attribute or item."""
        return self._life.ctx

    def to_context(self, **awaitables: Any) -> None:
        """Have the chain wait after this step, and put each result into `ctx` under its name.

        Args:
            awaitables: children from `submit`, processes, any other awaitables, or lists, tuples and dicts of them.
                In a stored process, others than children are volatile: the step runs again after a resume.

        Raises:
            TypeError: a value is not, and does not hold, an awaitable.
        """
        asked = {name: as_awaitable(value, f"to_context({name}=…)") for name, value in awaitables.items()}
        self._life.awaited = {**self._life.awaited, **asked}

    def run(self, *_: Any) -> Command | None:
        """Follow the outline; a value a wait was resumed with is dropped when the outline goes on without a function."""
        raise AssertionError("the outline is followed by the engine")
