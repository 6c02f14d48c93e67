"""What is asked of a process from outside, and how it was answered: plain data that a store keeps.

An order lies in the store until it is answered, whoever holds the process and whether anybody does. Its receipt is the
last word: a message about it is a hint.
"""

from enum import StrEnum
from typing import Final

import msgspec

from drupe.core.lifecycle import State


class Outcome(StrEnum):
    """How far an order is."""

    REQUESTED = "requested"
    """It is in the store, and will be answered by whoever holds the process, or holds it next."""
    APPLIED = "applied"
    """It is so, or was so already."""
    REFUSED = "refused"
    """It cannot be; the receipt says why."""

    __hash__ = str.__hash__  # an enum's own is a Python function


KILL: Final = "kill"
"""The one verb that a process may be ended by."""
SIGNAL: Final = "signal"
"""The one verb that waits until its process wants it."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is asked of one process."""

    id: str
    """As `Ids.pid` makes it. Asking again with the same id is asking once."""
    pid: str
    verb: str
    """What is asked: the tag of its request in `core.message`, ``pause``, ``play``, ``kill``, ``signal``."""
    name: str | None = None
    """The name of a signal."""
    body: bytes = b""
    """The request, encoded; opaque to a store."""
    at: float
    """When it was asked, seconds since 1970 (UTC)."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an order, as far as the store knows."""

    id: str
    pid: str
    verb: str
    name: str | None = None
    at: float
    outcome: Outcome = Outcome.REQUESTED
    detail: str | None = None
    """Why it was refused, or what there is to say, in words for people."""
    answered: float | None = None
    """When, seconds since 1970 (UTC)."""

    @property
    def settled(self) -> bool:
        """Whether it was answered."""
        return self.outcome is not Outcome.REQUESTED


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be written into the receipt of an order."""

    id: str
    outcome: Outcome
    detail: str | None = None


def last_word(verb: str, state: State) -> tuple[Outcome, str | None]:
    """Get how an order is answered that a process in the terminal ``state`` will never take.

    A kill of what was killed says yes; everything else comes too late.
    """
    if verb == KILL and state is State.KILLED:
        return Outcome.APPLIED, None
    return Outcome.REFUSED, f"the process is {state}"
