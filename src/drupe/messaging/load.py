"""How much is being done for whom: nobody gets so much of us that there is nothing left for others."""

from typing import Final

CALLS: Final = 4096
"""So many calls of one participant are answered at a time."""
BYTES: Final = 16 * 1024 * 1024
"""So many bytes their bodies have together; one call is answered however large."""


class Load:
    """What was begun for each participant and is not ended.

    Args:
        calls: how many at a time.
        size: how many bytes at a time.
    """

    def __init__(self, *, calls: int = CALLS, size: int = BYTES) -> None:
        self._calls = calls
        self._size = size
        self._begun: dict[str, tuple[int, int]] = {}

    def begin(self, address: str, size: int) -> bool:
        """Note that something is begun for the participant at ``address``; False if it is too much."""
        calls, total = self._begun.get(address, (0, 0))
        if calls and (calls >= self._calls or total + size > self._size):
            return False
        self._begun[address] = calls + 1, total + size
        return True

    def end(self, address: str, size: int) -> None:
        """Note that it is ended."""
        calls, total = self._begun.pop(address)
        if calls > 1:
            self._begun[address] = calls - 1, total - size
