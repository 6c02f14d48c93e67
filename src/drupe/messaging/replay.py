"""What came before, so that nothing that was recorded on its way is taken twice. Bounded, and never at the price of a repetition.

What does not fit into the memory any more is not forgotten but refused: everything that was sealed up to the last second
that was given up counts as too old.
"""

from typing import Final

CAPACITY: Final = 131_072
"""So many seals of one key are remembered: about 12 MB."""


class Replays:
    """The seals of one key that were taken, by the second in which they were made.

    Args:
        floor: what was sealed in this second (seconds since 1970, UTC) or before is too old.
        capacity: how many are remembered at most.
    """

    def __init__(self, floor: int, *, capacity: int = CAPACITY) -> None:
        self._floor = floor
        self._capacity = capacity
        self._seen: dict[int, set[int]] = {}
        self._number = 0

    def __len__(self) -> int:
        return self._number

    def is_old(self, second: int) -> bool:
        """Tell whether it is not known any more what was sealed in a second."""
        return second <= self._floor

    def take(self, second: int, mark: int, *, horizon: int) -> bool:
        """Note a seal that is not old; False if it was taken before.

        Args:
            second: when it was made.
            mark: it, and no other.
            horizon: what was made before would be too old in any case.
        """
        marks = self._seen.get(second)
        if marks is None:
            for past in [past for past in self._seen if past < horizon]:
                self._drop(past)
            marks = self._seen[second] = set()
        elif mark in marks:
            return False
        marks.add(mark)
        self._number += 1
        while self._number > self._capacity:
            self._drop(min(self._seen))
        return True

    def _drop(self, second: int) -> None:
        self._number -= len(self._seen.pop(second))
        self._floor = max(self._floor, second)
