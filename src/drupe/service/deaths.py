"""Hearing of it when an owner on this machine dies or leaves, so that what it held is taken up at once.

Who leaves gives back all it held, and takes its file away then. Who dies does neither: the kernel lets go of the lock of an
interpreter that ends, and tells nobody. So the locks of those who live are tried often: that is two system calls for each of
them. It is a hint: looking through the store finds the same, later.
"""

import asyncio
from typing import Final

from drupe.interfaces.store import Store
from drupe.runtime.clock import tick
from drupe.service.presence import Presence

LOOKS: Final = 0.1
"""Seconds between two looks."""


class Deaths:
    """What becomes of the owners of one machine.

    Args:
        presence: how they show that they live.
        interval: seconds between two looks.
    """

    def __init__(self, presence: Presence, *, interval: float = LOOKS) -> None:
        self._presence = presence
        self._interval = interval
        self._stamp: int | None = None
        self._living: set[str] = set()
        self._parted = False
        """Whether somebody has left since the last time."""
        self._dead: set[str] = set()
        """They stay so: no owner has the name of another."""
        self.fresh()

    async def next(self, *, timeout: float) -> bool:
        """Wait until somebody has died or left since the last time, for ``timeout`` seconds at most; tell whether somebody has."""
        until = tick() + timeout
        while not self.fresh() and not self._parted:
            left = until - tick()
            if left <= 0:
                return False
            await asyncio.sleep(min(self._interval, left))
        self._parted = False
        return True

    async def clear(self, store: Store) -> None:
        """Forget those dead who hold nothing any more, in the store and here: nobody will ask for them.

        Raises:
            StoreError: the store could not be asked.
        """
        self._presence.tidy()
        for owner in sorted(self._dead):
            if not await store.held(owner):  # and it will never hold anything
                await store.leave(owner)
                self._presence.forget(owner)

    def known(self) -> set[str]:
        """Get everybody who is known to be dead; those who were dead before are not tried again."""
        self.fresh()
        return self._dead

    def fresh(self) -> set[str]:
        """Get who has died since the last time."""
        stamp = self._presence.stamp()
        if stamp != self._stamp:  # somebody came or left
            self._stamp, known = stamp, self._presence.known()
            self._dead &= known
            self._parted = self._parted or not self._living <= known
            self._living = known - self._dead
        found = {owner for owner in self._living if self._presence.is_dead(owner)}
        self._living -= found
        self._dead |= found
        return found
