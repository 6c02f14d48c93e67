"""What waits for a receiver that is slower than its senders. Bounded, whatever it does, and it never makes them wait."""

from collections import deque
from typing import Final, Generic, TypeVar

from drupe.errors import OverloadedError

Item = TypeVar("Item")

LIMIT: Final = 1024
"""So many items of each kind wait at most, unless said otherwise."""


class Backlog(Generic[Item]):
    """Items in order: firm ones, which are refused when there is no room, and loose ones, of which the oldest make room.

    Firm ones go first. Not for several threads at once.

    Args:
        limit: how many of each kind wait at most.
    """

    __slots__ = ("_firm", "_limit", "_loose", "_missed")

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._firm: deque[Item] = deque()
        self._loose: deque[Item] = deque()
        self._missed = 0

    def __len__(self) -> int:
        return len(self._firm) + len(self._loose)

    def put_firm(self, item: Item) -> None:
        """Add an item that must not be lost.

        Raises:
            OverloadedError: there is no room; it was not added.
        """
        if len(self._firm) >= self._limit:
            raise OverloadedError(f"{self._limit} messages are waiting for the receiver already; try again later")
        self._firm.append(item)

    def put_loose(self, item: Item) -> None:
        """Add an item; the oldest loose one makes room for it."""
        if len(self._loose) >= self._limit:
            self._loose.popleft()
            self._missed += 1
        self._loose.append(item)

    def miss(self, number: int) -> None:
        """Note that ``number`` loose items were dropped before, by somebody else.

        They are counted where the next one is taken; that may be early, never late.
        """
        self._missed += number

    def take(self) -> tuple[Item, int]:
        """Get the next item, and how many loose ones were dropped before it since the last one.

        Raises:
            IndexError: there is none.
        """
        if self._firm:
            return self._firm.popleft(), 0
        item, missed, self._missed = self._loose.popleft(), self._missed, 0
        return item, missed
