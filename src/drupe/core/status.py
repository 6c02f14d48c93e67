"""Where a process is, as anybody may be told: plain data, put together from what the store and its owner say."""

from typing import Any

import msgspec

from drupe.core.lifecycle import State
from drupe.errors import MessageError


class Blocked(msgspec.Struct, frozen=True, kw_only=True):
    """What keeps the loop of an owner from going on."""

    seconds: float
    """How long it has so far."""
    pid: str | None = None
    """The process whose step it is; None if it is none of drupe's."""
    kind: str | None = None
    step: str | None = None
    stack: str = ""
    """Where in the step it was when it was noticed."""


class Attendance(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody who runs processes says of itself."""

    host: str
    program: int
    """The process id of its interpreter."""
    version: str
    """Of drupe."""
    queue: str | None = None
    """The queue that it takes tasks from; None if it takes none."""
    slots: int | None = None
    active: int = 0
    """How many of its processes take steps."""
    blocked: Blocked | None = None
    """What keeps all of them waiting now."""

    def as_body(self) -> dict[str, Any]:
        """Get it as the body of a message."""
        body: dict[str, Any] = msgspec.to_builtins(self)
        return body

    @classmethod
    def of_body(cls, body: Any) -> "Attendance":
        """Get it back from the body of a message.

        Raises:
            MessageError: it is something else.
        """
        try:
            return msgspec.convert(body, cls)
        except msgspec.ValidationError as error:
            raise MessageError(f"not what a worker says of itself: {error}") from error


class Repertoire(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody can run, of what it was asked for."""

    queue: str | None = None
    """The queue that it takes tasks from; None if it takes nothing on."""
    versions: dict[str, int | None] = {}
    """By class, the version that it has, or None if it has none; of a class that is left out it cannot say yet."""

    def as_body(self) -> dict[str, Any]:
        """Get it as the body of a message."""
        body: dict[str, Any] = msgspec.to_builtins(self)
        return body

    @classmethod
    def of_body(cls, body: Any) -> "Repertoire":
        """Get it back from the body of a message.

        Raises:
            MessageError: it is something else.
        """
        try:
            return msgspec.convert(body, cls)
        except msgspec.ValidationError as error:
            raise MessageError(f"not what a worker can run: {error}") from error


class Lack(msgspec.Struct, frozen=True):
    """Why nobody goes on with a process that could go on."""

    said: str
    advice: str
    """What to do about it."""

    def __str__(self) -> str:
        """Get both, in a line."""
        return f"{self.said}; {self.advice}"


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What only the owner of a process knows."""

    pid: str
    here: bool
    """Whether the owner has the process at hand."""
    step: str | None = None
    """What it is in: the name of a step, or what it waits for."""
    blocked: Blocked | None = None
    """What keeps all processes of this owner waiting now."""

    def as_body(self) -> dict[str, Any]:
        """Get it as the body of a message."""
        body: dict[str, Any] = msgspec.to_builtins(self)
        return body

    @classmethod
    def of_body(cls, body: Any) -> "Progress":
        """Get it back from the body of a message.

        Raises:
            MessageError: it is something else.
        """
        try:
            return msgspec.convert(body, cls)
        except msgspec.ValidationError as error:
            raise MessageError(f"not the progress of a process: {error}") from error


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Where a process is."""

    pid: str
    kind: str
    state: State
    paused: bool
    status: str | None
    """What it says of itself, or why it is paused."""
    step: str | None
    """The step it is in or will take next, or what it waits for, as far as that is known."""
    since: float
    """When anything of this was last changed, seconds since 1970 (UTC)."""
    seq: int
    """Number of its last checkpoint."""
    owner: str | None
    """Who holds it; None if nobody does."""
    answered: bool = False
    """Whether its owner was asked and answered; if not, this is what the store says."""
    blocked: Blocked | None = None
    """What keeps its owner from going on, if it does not."""
    queued: bool = False
    """Whether it lies in a queue: it was handed in, and no worker has taken it so far."""
    queue: str | None = None
    """Whose workers look for it when nobody holds it; None: all."""
    orders: int = 0
    """How many orders to it are not answered yet."""
    lack: Lack | None = None
    """Why nobody goes on with it, if workers were asked: it could, and nobody holds it, and none of them can run it."""

    def as_json(self) -> dict[str, Any]:
        """Get it in values that JSON has."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found
