"""What callers are handed: for something they subscribed to, and for a task they sent."""

from collections.abc import Awaitable, Callable
from typing import Any

from drupe.interfaces.communicator import DEADLINE
from drupe.messaging.calls import Call, Calls


class Handle:
    """A subscription; see `drupe.interfaces.communicator.Subscription`.

    Args:
        identifier: its name.
        end: ends it; called once.
    """

    def __init__(self, identifier: str, end: Callable[[str], Awaitable[None]]) -> None:
        self._identifier = identifier
        self._end: Callable[[str], Awaitable[None]] | None = end

    @property
    def identifier(self) -> str:
        """The name it is known by."""
        return self._identifier

    async def unsubscribe(self) -> None:
        """Get nothing more."""
        end, self._end = self._end, None
        if end is not None:
            await end(self._identifier)


class Receipt:
    """Proof that a task is in its queue; see `drupe.interfaces.communicator.TaskReceipt`."""

    def __init__(self, id: str, queue: str, calls: Calls, call: Call | None) -> None:
        self._id = id
        self._queue = queue
        self._calls = calls
        self._call = call

    @property
    def id(self) -> str:
        """The task's identifier."""
        return self._id

    async def result(self, *, deadline: float | None = DEADLINE) -> Any:
        """Wait for the reply and get the result."""
        if self._call is None:
            return None
        return await self._calls.wait(self._call, deadline, f"task {self._id} in queue {self._queue!r}")
