"""How much is being done for whom: nobody gets so much of us that there is nothing left for others."""

from collections.abc import Callable
from typing import Final

from drupe.runtime.clock import tick

CALLS: Final = 4096
"""So many calls of one participant are answered at a time."""
BYTES: Final = 16 * 1024 * 1024
"""So many bytes their bodies have together; one call is answered however large."""
RATE: Final = 10_000
"""So many calls of one participant are begun in a second; those of a whole second may come at once."""
SHARES: Final = 4
"""So many times as much is answered for all together: an address costs nothing, and somebody may have many."""
_REMEMBERED: Final = 1024


class Load:
    """What was begun for each participant and is not ended.

    Args:
        calls: how many at a time.
        size: how many bytes at a time.
        rate: how many in a second.
        shares: for so many participants together there is room to the full.
        tick: tells the seconds since anything.
    """

    def __init__(
        self,
        *,
        calls: int = CALLS,
        size: int = BYTES,
        rate: int = RATE,
        shares: int = SHARES,
        tick: Callable[[], float] = tick,
    ) -> None:
        self._calls = calls
        self._rate = rate
        self._tick = tick
        self._due: dict[str, float] = {}
        """When each participant would be if its calls had come at the rate, where that is ahead of now."""
        self._size = size
        self._shares = shares
        self._begun: dict[str, tuple[int, int]] = {}
        self._all = (0, 0)

    def begin(self, address: str, size: int) -> bool:
        """Note that something is begun for the participant at ``address``; False if it is too much."""
        if not self._has_room(self._begun.get(address, (0, 0)), size, 1) or not self._has_room(
            self._all, size, self._shares
        ):
            return False
        if not self._is_in_time(address):
            return False
        calls, total = self._begun.get(address, (0, 0))
        self._begun[address] = calls + 1, total + size
        self._all = self._all[0] + 1, self._all[1] + size
        return True

    def _has_room(self, begun: tuple[int, int], size: int, shares: int) -> bool:
        calls, total = begun
        return not calls or (calls < shares * self._calls and total + size <= shares * self._size)

    def _is_in_time(self, address: str) -> bool:
        now = self._tick()
        due = max(now, self._due.get(address, now))
        if due - now > 1 - 0.5 / self._rate:  # half a call of room for what is lost in rounding
            return False
        self._due[address] = due + 1 / self._rate
        if len(self._due) > _REMEMBERED:
            self._due = {one: due for one, due in self._due.items() if due > now}
        return True

    def end(self, address: str, size: int) -> None:
        """Note that it is ended."""
        calls, total = self._begun.pop(address)
        if calls > 1:
            self._begun[address] = calls - 1, total - size
        self._all = self._all[0] - 1, self._all[1] - size
