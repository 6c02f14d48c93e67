"""Knowing when a worker has to look next: when the time of a parked process comes, and once in a while in any case.

The next time is asked for before each look that is due. So what comes due while it is asked for is found by that look, and
what comes later is what was asked for. Whoever parks something for a time has it asked for anew.
"""

from random import Random
from typing import Final

from drupe.interfaces.store import Store
from drupe.runtime.clock import tick

SCATTER: Final = 0.01
"""Seconds within which those who wait for the same moment look, each at another one: the first takes up what there is, and the
others do not find it any more. What comes due one shortly after the other is found together."""


class Alarm:
    """The time of the next look of one worker.

    Args:
        store: where processes are parked; open when it is asked.
        interval: seconds between two looks at most.
        queue: whose times; None: those of all.
    """

    def __init__(self, store: Store, *, interval: float, queue: str | None = None) -> None:
        self._store = store
        self._queue = queue
        self._interval = interval
        self._random = Random()  # noqa: S311 (nothing is kept secret by it)
        self._until = 0.0

    async def set(self) -> None:
        """Get to know the next time; to be called before looking. It is not asked for again before it has come.

        Raises:
            StoreError: the store could not be asked; the next look is due after the interval.
        """
        if self.left() > 0.0:
            return
        self._until = tick() + self._interval
        left = await self._store.next_wake(queue=self._queue)
        if left is not None:
            self._until = min(self._until, tick() + left + self._random.uniform(0.0, SCATTER))

    def forget(self) -> None:
        """Have it asked for anew before the next look: there may be an earlier one."""
        self._until = 0.0

    def left(self) -> float:
        """Get the seconds until the next look is due."""
        return max(0.0, self._until - tick())
