"""How much is being done for whom: nobody gets so much of us that there is nothing left for others."""

from typing import Final

CALLS: Final = 4096
"""So many calls of one participant are answered at a time."""
BYTES: Final = 16 * 1024 * 1024
"""So many bytes their bodies have together; one call is answered however large."""
SHARES: Final = 4
"""So many times as much is answered for all together: an address costs nothing, and somebody may have many."""


class Load:
    """What was begun for each participant and is not ended.

    Args:
        calls: how many at a time.
        size: how many bytes at a time.
        shares: for so many participants together there is room to the full.
    """

    def __init__(self, *, calls: int = CALLS, size: int = BYTES, shares: int = SHARES) -> None:
        self._calls = calls
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
        calls, total = self._begun.get(address, (0, 0))
        self._begun[address] = calls + 1, total + size
        self._all = self._all[0] + 1, self._all[1] + size
        return True

    def _has_room(self, begun: tuple[int, int], size: int, shares: int) -> bool:
        calls, total = begun
        return not calls or (calls < shares * self._calls and total + size <= shares * self._size)

    def end(self, address: str, size: int) -> None:
        """Note that it is ended."""
        calls, total = self._begun.pop(address)
        if calls > 1:
            self._begun[address] = calls - 1, total - size
        self._all = self._all[0] - 1, self._all[1] - size
