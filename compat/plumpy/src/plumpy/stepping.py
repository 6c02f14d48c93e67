"""Steps: drupe's engine takes them, and what it keeps of a process meanwhile is a `Stepping`.

States are the engine's stages, and what comes of one, the next state, is what the next stage is entered by. A transition stays
what the process says: `transition_to`, or what was asked for to be done in its place.
"""

from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from drupe.core.control import Posture
from drupe.core.lifecycle import State
from drupe.engine import drive
from drupe.engine.ephemeral import EPHEMERAL
from drupe.engine.life import Life
from drupe.runtime import portal
from plumpy.base.state_machine import Given
from plumpy.exceptions import ClosedError
from plumpy.process_states import ProcessState

if TYPE_CHECKING:
    from plumpy.processes import Process

PROCESS_STACK: ContextVar[list["Process"]] = ContextVar("process stack", default=[])  # noqa: B039 (never changed in place)
"""The processes whose code runs here, the innermost one last."""

_FREE, _HELD, _OVER, _WAITING = Posture.FREE, Posture.HELD, Posture.OVER, State.WAITING


class Escaped(BaseException):
    """Goes through the engine: an error of a step that ends no process, but is raised at whoever has steps taken.

    Args:
        error: the error.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


class _Unending:
    """A slice of time that is never used up: a process gives the loop back when it waits, and only then."""

    def over(self) -> bool:
        return False


class _Raised(Given):
    """What was raised where a state is executed: it leads to a state, and nothing that was asked for takes its place."""

    def next_state(self, machine: Any) -> Any:
        machine._set_interrupt_action(None)
        return machine.create_state(ProcessState.EXCEPTED, self.given, self.given.__traceback__)


def _failed(outcome: Any) -> Any:
    return _Raised(outcome) if isinstance(outcome, BaseException) else outcome


class Stepping(Life):
    """What drupe's engine keeps of a process while it takes steps of it.

    Args:
        process: the process.
    """

    host: Any = EPHEMERAL
    parent: str | None = None
    born = True
    turn = _Unending()
    crossed = False
    """Whether the process has begun to wait, or ended that, since it was last looked at: portals are for what does not wait."""
    behaviours: Any = MappingProxyType({**dict.fromkeys(State, lambda outcome: outcome), State.EXCEPTED: _failed})

    def __init__(self, process: "Process") -> None:
        self.process = process
        self.in_portal = portal.is_open()
        self._look()

    def _look(self) -> None:
        """See where the process is."""
        state: Any = self.process._state
        self.stage, self.state = state, state.state
        if not state.ALLOWED and state.is_terminal():
            self.posture = _OVER
        elif self.process._paused is not None:
            self.posture = _HELD

    async def nudged(self) -> None:
        """Wait until the process is played."""
        paused = self.process._paused
        if paused is not None:
            await paused
        self.posture = _FREE
        self._look()
        if self.posture is _HELD:  # again: it takes a step all the same
            self.posture = _FREE

    def before(self, process: "Process", new: Any) -> None:
        """Make the transition, or what was asked for to be done in its place."""
        if isinstance(new, Given):
            new = new.next_state(process)
        action = process._interrupt_action
        if action is None or action.cancelled():
            process.transition_to(new)
        else:
            action.run(new)

    def after(self, process: "Process", new: Any, was: State) -> None:
        """See what came of it. The engine halts when the process was closed, and where it goes on within a portal or without."""
        if process._interrupt_action is not None:
            process._set_interrupt_action(None)
        self._look()
        if process._closed:
            self.halted = True
        elif not self.in_portal:
            self.halted = self.crossed = (was is _WAITING) is not (self.state is _WAITING)

    async def fail(self, process: "Process", error: Exception, outcome: Any = None) -> None:
        """Raise why there was no transition: those that end as EXCEPTED do so by themselves."""
        self.stop_short()
        raise error


async def take(process: "Process", steps: int | None = None) -> None:
    """Take steps, until the end or so many, or until the process is closed.

    Raises:
        ClosedError: it is closed already.
    """
    if process._closed:
        raise ClosedError("Process is closed")
    life = Stepping(process)
    outer, process._life = process._life, life
    error = None
    try:
        while True:
            life.halted = life.crossed = False
            driving = drive.run(life, process, steps=steps, bare=True)
            # A process that waits would only keep a portal from others.
            await (driving if life.in_portal or life.state is _WAITING else portal.enter(driving))
            if steps is not None or not life.crossed:
                break
    except Escaped as escaped:
        error = escaped.error
    finally:
        process._life = outer
        process._set_interrupt_action(None)
    if error is not None:
        try:
            raise error
        finally:
            error = None  # else this frame and the error would keep each other, and the process
