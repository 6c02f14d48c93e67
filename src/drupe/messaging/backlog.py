"""What waits for a receiver that is slower than its senders. Bounded, whatever it does, and it never makes them wait."""

from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from drupe.errors import OverloadedError

Item = TypeVar("Item")

LIMIT: Final = 1024
"""So many items of each kind wait at most, unless said otherwise."""

_LIGHT: Final = 8192


def weight(size: int) -> int:
    """Get how much a message of ``size`` bytes is: one, or more if it is large, so that `LIMIT` of them are 8 MiB at most."""
    return 1 + size // _LIGHT


def _one(item: object) -> int:
    return 1


class Backlog(Generic[Item]):
    """Items in order: firm ones, which are refused when there is no room, and loose ones, of which the oldest make room.

    Firm ones go first. Not for several threads at once.

    Args:
        limit: how much of each kind waits at most.
        weigh: says how much an item is; by default one.
    """

    __slots__ = ("_firm", "_firm_weight", "_limit", "_loose", "_loose_weight", "_missed", "_weigh")

    def __init__(self, limit: int = LIMIT, *, weigh: Callable[[Item], int] = _one) -> None:
        self._limit = limit
        self._weigh = weigh
        self._firm_weight = self._loose_weight = 0
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
        weight = self._firm_weight + self._weigh(item)
        if weight > self._limit:
            raise OverloadedError(f"{len(self._firm)} messages are waiting for the receiver already; try again later")
        self._firm_weight = weight
        self._firm.append(item)

    def put_loose(self, item: Item) -> None:
        """Add an item; the oldest loose ones make room for it."""
        self._loose_weight += self._weigh(item)
        while self._loose and self._loose_weight > self._limit:
            self._loose_weight -= self._weigh(self._loose.popleft())
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
            item = self._firm.popleft()
            self._firm_weight -= self._weigh(item)
            return item, 0
        item, missed, self._missed = self._loose.popleft(), self._missed, 0
        self._loose_weight -= self._weigh(item)
        return item, missed
