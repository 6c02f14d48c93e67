"""Keeping a lease alive from a thread of its own, so that user code that blocks the loop does not lose it."""

import logging
from collections.abc import Callable
from typing import Final

from drupe.errors import FencedError, StoreError
from drupe.interfaces.store import Store
from drupe.runtime import bridge
from drupe.runtime.clock import tick
from drupe.runtime.pulse import Pulse

_LOG: Final = logging.getLogger("drupe.service")


class Lease:
    """Renews the lease of one owner every third of its length.

    Args:
        store: where the owner has joined.
        owner: who.
        seconds: length of the lease.
        lost: called, on the lease's thread, when somebody declared the owner dead.
    """

    def __init__(self, store: Store, owner: str, seconds: float, lost: Callable[[], None]) -> None:
        self._store = store
        self._owner = owner
        self._seconds = seconds
        self._renewed = tick()
        self._lost = lost
        self._pulse = Pulse(self._renew, interval=seconds / 3, name="drupe-lease")

    def start(self) -> None:
        """Begin to renew what was begun just now, by joining."""
        self._renewed = tick()
        self._pulse.start()

    def stop(self) -> None:
        """Renew no more."""
        self._pulse.stop()

    def overdue(self) -> float | None:
        """Get how many seconds ago it was renewed last if it has run out since, else None; from any thread."""
        age = tick() - self._renewed
        return age if age > self._seconds else None

    def _renew(self) -> bool:
        try:
            bridge.run(self._store.renew(self._owner, lease=self._seconds))
            self._renewed = tick()
        except FencedError:
            _LOG.error("owner %s was declared dead; what it runs is fenced and will be run by others", self._owner)
            self._lost()
            return False
        except StoreError as error:
            _LOG.warning("the lease of %s could not be renewed: %s", self._owner, error)
        return True
