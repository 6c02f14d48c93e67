"""What a process asks of whatever it lives in.

There are two hosts: one keeps nothing (`engine.ephemeral`), one commits every transition to a store
(`service.stored`). A process does not know which it has: a host that is done at once answers None,
one that needs time answers an awaitable, and the engine awaits only the latter.
"""

from collections.abc import Awaitable
from typing import Any, NamedTuple, Protocol


class Standing(NamedTuple):
    """Whether a process is paused, and what it shows people."""

    paused: bool = False
    status: str | None = None
    before: str | None = None
    """The status to show again when it is played."""


class Signal(NamedTuple):
    """Something that was sent to a process, for it to take when it waits for it."""

    name: str
    payload: Any = None
    id: str | None = None
    """The order it came by, where a store keeps it."""


class Host(Protocol):
    """Keeps processes and runs their children. `process` is an engine's process throughout."""

    durable: bool
    """Whether what is committed outlives the interpreter. A verb on a durable process is a request."""

    @property
    def dialect(self) -> str | None:
        """Which SQL a step's own statements are written in; None where there is no database to run them in."""
        ...

    def now(self) -> float:
        """Get the time of day, in seconds since 1970 (UTC)."""
        ...

    def new_pid(self, parent: Any, key: str | None) -> str:
        """Get the pid for a process that is made now; for a child of a durable parent, the same at each re-run.

        Args:
            parent: the process whose step makes it, or None.
            key: the child's name among its siblings of this step, or None for its ordinal.
        """
        ...

    def step_key(self, process: Any) -> str:
        """Get a name for the running step of ``process``: another for each step, the same whenever that step runs again."""
        ...

    def fencing_token(self, process: Any) -> int:
        """Get how often the process has changed hands: each owner's number is higher than that of the one before."""
        ...

    def create(self, process: Any) -> Awaitable[None] | None:
        """Commit a new process; one that is there already from an earlier run is brought to where it was.

        Raises:
            ChildMismatchError: the pid belongs to a process of another class or with other inputs.
            StoreError: it could not be written.
        """
        ...

    def commit(self, process: Any, stage: Any, standing: Standing, event: str) -> Awaitable[None] | None:
        """Commit that ``process`` is in ``stage`` now, and stands so, with the children that its step made.

        Args:
            process: the process, still in the stage before.
            stage: the behaviour it enters, or the one it is in.
            standing: whether it is paused then, and what it shows people.
            event: what happened, one word for its history.

        Raises:
            UnsavableError: something of the process cannot be saved; nothing was written.
            FencedError: the process is not ours any more.
            StoreError: it could not be written.
        """
        ...

    def reload(self, process: Any) -> None:
        """Bring a process back to its last checkpoint, because a step of it was given up midway; nothing if none is kept."""
        ...

    def start(self, process: Any) -> None:
        """Run a created process in the background of the running loop."""
        ...

    def signal(self, process: Any, name: str, payload: Any) -> Awaitable[bool] | None:
        """Keep a signal to a living process until it takes it, and have it taken if the process waits for it now.

        Returns:
            None when it is kept already; else an awaitable that says whether it was: not if the process had ended.

        Raises:
            UnsavableError: the payload could not be read again; nothing was kept.
            MessageError: the name is not one; nothing was kept.
        """
        ...

    def listen(self, process: Any, stage: Any) -> None:
        """Have ``stage``, in which the process waits for a signal, `take` the oldest there is: now, or as soon as one comes.

        Called each time the process begins to wait there. What is taken is gone when the next stage is committed.
        """
        ...

    def outcome(self, pid: str, process: Any | None) -> Awaitable[Any]:
        """Get the outputs of a process once it has ended, as a shielded future.

        Args:
            pid: which.
            process: the process itself where it is at hand.

        Raises:
            ExceptedError: it ended by an exception (the original exception where nothing is saved).
            KilledError: it was killed.
        """
        ...

    def forget(self, process: Any) -> None:
        """Let go of a process that ended or was closed."""
        ...
