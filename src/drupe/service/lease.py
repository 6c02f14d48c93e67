"""Keeping a lease alive from a thread of its own, so that user code that blocks the loop does not lose it.

Who cannot renew does not know whether it was the renewal or the answer that got lost, so it reckons from when it sent the last
one that succeeded, and stops by itself while a third of the lease is still left. The others then find nobody at work. What the store
promises does not rest on it, since what is written later is refused by its epoch; it spares steps that would be taken twice.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Final

from drupe.errors import FencedError, StoreError
from drupe.interfaces.store import Store
from drupe.runtime import bridge
from drupe.runtime.clock import SystemClock

_LOG: Final = logging.getLogger("drupe.service")


class Lease:
    """Renews the lease of one owner every third of its length.

    Args:
        store: where the owner has joined.
        owner: who.
        seconds: length of the lease.
        lost: called once, on the lease's thread, with the reason, when the owner was declared dead by somebody, or has to count
            itself so. Nothing is renewed after it.

    Attributes:
        now: gets the time that a lease is reckoned by: the machine's steady time, whatever clock the processes have.
    """

    def __init__(self, store: Store, owner: str, seconds: float, lost: Callable[[str], None]) -> None:
        self.now = SystemClock().steady
        self._store = store
        self._owner = owner
        self._seconds = seconds
        self._held = self.now()
        """When the last renewal that succeeded was sent."""
        self._lost = lost
        self._stopped = threading.Event()
        self._thread: bridge.Thread | None = None
        self._renewing: asyncio.Task[None] | None = None

    def start(self, since: float) -> None:
        """Begin to renew.

        Args:
            since: when it was asked for.
        """
        self._held = since
        self._thread = bridge.new_thread(self._run, name="drupe-lease")
        self._thread.start()

    def stop(self) -> None:
        """Renew no more, whatever the store is doing. Stopping twice does nothing."""
        self._stopped.set()
        if (renewing := self._renewing) is not None:
            bridge.hop(renewing.get_loop(), renewing.cancel)
        if self._thread is not None:
            self._thread.join()

    def overdue(self) -> float | None:
        """Get how many seconds ago it was renewed last if it has run out since, else None; from any thread."""
        age = self.now() - self._held
        return age if age > self._seconds else None

    # --- on its thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            bridge.run(self._renew_again_and_again())

    async def _renew_again_and_again(self) -> None:
        self._renewing = asyncio.current_task()
        if self._stopped.is_set():  # before there was something to cancel
            return
        while True:
            await asyncio.sleep(self._held + self._seconds / 3 - self.now())
            if not await self._renewed():
                return

    async def _renewed(self) -> bool:
        """Renew; False when the lease is lost."""
        third, why = self._seconds / 3, "the store has not answered"
        # Whoever was frozen meanwhile asks first: a late renewal succeeds as long as nobody has taken anything.
        until = max(self._held + 2 * third, self.now() + third / 2)
        while (left := until - (sent := self.now())) > 0:
            try:
                async with asyncio.timeout(left):
                    await self._store.renew(self._owner, lease=self._seconds)
            except FencedError:
                self._lose("it was declared dead by others, which run its processes now")
                return False
            except TimeoutError:
                break
            except StoreError as error:
                why = str(error)
                _LOG.warning("the lease of %s could not be renewed, which is tried again: %s", self._owner, why)
            else:
                self._held = sent
                return True
            await asyncio.sleep(min(third / 4, left))
        self._lose(f"its lease of {self._seconds:g} s could not be renewed for {self.now() - self._held:.1f} s: {why}")
        return False

    def _lose(self, reason: str) -> None:
        _LOG.error("owner %s gives up what it runs, and others run it: %s", self._owner, reason)
        self._lost(reason)
