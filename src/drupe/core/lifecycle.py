"""The states of a process and the only ways between them.

Two rules keep this module clean:

1. Whatever changes a state goes through `NEXT`. A new rule is a new cell of the table,
   never an ``if`` somewhere else. The documentation's diagram and the tests read `NEXT` too.
2. The table does not know *what* a process does in a state (that is a behaviour of the
   engine), nor whether it is paused (that is `core.control`): only what may follow what.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from drupe.errors import InvalidStateError


class State(StrEnum):
    """Where a process is in its life. *Paused* is not a state: any living process may be paused."""

    CREATED = "created"
    RUNNING = "running"
    WAITING = "waiting"
    FINISHED = "finished"
    EXCEPTED = "excepted"
    KILLED = "killed"

    __hash__ = str.__hash__  # an enum's own is a Python function, and states are looked up at every step


class Trigger(StrEnum):
    """What moves a process from one state to the next."""

    START = "start"
    """It takes its first step."""
    STEP = "step"
    """A step ended and named the next one."""
    WAIT = "wait"
    """A step ended and asked to wait."""
    WAKE = "wake"
    """What it waited for is there."""
    FINISH = "finish"
    """A step ended and was the last."""
    FAIL = "fail"
    """An exception came out of a step, a hook or a callback."""
    KILL = "kill"
    """Somebody, or the process itself, asked for its end."""

    __hash__ = str.__hash__


_END: Final = {Trigger.FAIL: State.EXCEPTED, Trigger.KILL: State.KILLED}

NEXT: Final[Mapping[State, Mapping[Trigger, State]]] = MappingProxyType(
    {
        State.CREATED: {Trigger.START: State.RUNNING, **_END},
        State.RUNNING: {
            Trigger.STEP: State.RUNNING,
            Trigger.WAIT: State.WAITING,
            Trigger.FINISH: State.FINISHED,
            **_END,
        },
        State.WAITING: {
            Trigger.WAKE: State.RUNNING,
            Trigger.WAIT: State.WAITING,
            Trigger.FINISH: State.FINISHED,
            **_END,
        },
        State.FINISHED: {},
        State.EXCEPTED: {},
        State.KILLED: {},
    }
)

TERMINAL: Final = frozenset(state for state, row in NEXT.items() if not row)
LIVING: Final = tuple(state for state in State if state not in TERMINAL)


def advance(state: State, trigger: Trigger) -> State:
    """Get the state that follows.

    Raises:
        InvalidStateError: the table has no such cell.
    """
    try:
        return NEXT[state][trigger]
    except KeyError:
        allowed = ", ".join(NEXT[state]) or "nothing: this state is final"
        raise InvalidStateError(f"a process that is {state} cannot {trigger}; allowed: {allowed}") from None
