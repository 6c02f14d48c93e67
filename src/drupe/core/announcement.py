"""What everybody may hear of a process after a commit: where it is now, as a broadcast with the pid as its sender.

It is a hint. Whoever missed one reads the store, which has every change: ``seq`` tells how far.
"""

import functools
from typing import Any, Final

import msgspec

from drupe.core.lifecycle import State
from drupe.core.message import Kind, Pid
from drupe.core.record import Birth, Change
from drupe.errors import MessageError

SUBJECT: Final = "state_changed"
"""What the subjects begin with; ``state_changed.*`` are all of them."""
WORK: Final = "work"
"""The subject of a broadcast that says nothing of one process, but that there are some that can go on and that nobody holds."""
UNBORN: Final = "none"
"""The state before the first."""


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """A process as it is since a commit."""

    pid: Pid
    kind: Kind
    state: State
    paused: bool = False
    seq: int
    """Number of the checkpoint that was committed."""
    at: float
    """Seconds since 1970 (UTC)."""
    status: str | None = None

    def as_body(self) -> dict[str, Any]:
        """Get it as the body of a message."""
        body: dict[str, Any] = msgspec.to_builtins(self)
        return body


@functools.cache
def subject(was: State | None, now: State) -> str:
    """Get the subject of a broadcast, ``state_changed.WAS.NOW``."""
    return f"{SUBJECT}.{UNBORN if was is None else was.value}.{now.value}"


def of_birth(birth: Birth) -> Announcement:
    """Get what is told of a process that was created."""
    return Announcement(pid=birth.pid, kind=birth.kind, state=State.CREATED, seq=1, at=birth.created)


def of_change(change: Change, kind: str) -> Announcement:
    """Get what is told of a change that was committed."""
    return Announcement(
        pid=change.pid,
        kind=kind,
        state=change.state,
        paused=change.paused,
        seq=change.seq,
        at=change.at,
        status=change.status,
    )


def read(body: Any) -> Announcement:
    """Get the announcement back from the body of a message.

    Raises:
        MessageError: it is something else.
    """
    try:
        return msgspec.convert(body, Announcement)
    except msgspec.ValidationError as error:
        raise MessageError(f"not the announcement of a state: {error}") from error
