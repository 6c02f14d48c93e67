"""Telling everybody what was committed: one broadcast for each change, sent from the communicator's own thread.

Nothing depends on it. So whoever makes the change hands it over and goes on: what comes together is sent together, of
steps that follow each other only the last is sent, and what comes faster than it can be sent is dropped, the oldest first.
Somebody may be waiting for the end of a process: that is told soon.
"""

import asyncio
import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Final, NamedTuple

from drupe.core import announcement
from drupe.core.announcement import Announcement
from drupe.core.record import Birth, Change
from drupe.errors import DrupeError
from drupe.interfaces.communicator import Communicator, FarCommunicator

if TYPE_CHECKING:
    from concurrent.futures import Future

_LOG: Final = logging.getLogger("drupe.service")

LIMIT: Final = 4096
"""So many announcements wait to be sent at most."""
PAUSE: Final = 0.02
"""Seconds between two sendings, in which what comes is gathered."""
_SOON: Final = 0.002
"""Seconds that the end of a process waits for what comes with it."""


class _Told(NamedTuple):
    subject: str
    content: Announcement


class Announcer:
    """Broadcasts what becomes of the processes of one host, after it was committed.

    Args:
        communicator: where; open.
        limit: how many announcements may wait.
        pause: seconds between two sendings.
    """

    def __init__(self, communicator: FarCommunicator, *, limit: int = LIMIT, pause: float = PAUSE) -> None:
        self._communicator = communicator
        self._limit = limit
        self._pause = pause
        self._lock = threading.Lock()
        self._waiting: list[_Told] = []
        self._steps: dict[str, int] = {}
        """Where in the list the last announcement of a process is, if that was of a step alone."""
        self._sending = self._hurrying = False
        self._hurried = asyncio.Event()
        self._sent: Future[None] | None = None

    def born(self, birth: Birth) -> None:
        """Tell that a process was created. Returns at once, and never raises."""
        content = announcement.of_birth(birth)
        self._put(_Told(announcement.subject(None, content.state), content), step=False)

    def changed(self, change: Change, kind: str) -> None:
        """Tell of a change of a process of the class ``kind``. Returns at once, and never raises."""
        told = _Told(announcement.subject(change.was, change.state), announcement.of_change(change, kind))
        self._put(told, step=change.event == "step", urgent=change.terminal)

    async def flush(self) -> None:
        """Return when what was told so far was sent, or cannot be."""
        if self._sent is not None:
            await asyncio.gather(asyncio.wrap_future(self._sent), return_exceptions=True)

    def _put(self, told: _Told, *, step: bool, urgent: bool = False) -> None:
        with self._lock:
            self._append(told, step=step)
            begin, hurry = not self._sending, urgent and not self._hurrying
            self._sending, self._hurrying = True, self._hurrying or urgent
        try:
            if begin:
                self._sent = self._communicator.call(self._send)
            elif hurry:  # once for all that come until they are sent
                self._communicator.call(self._hurry)
        except DrupeError as error:  # it was closed, and so it stays
            _LOG.debug("nobody is told any more what becomes of processes: %s", error)

    def _append(self, told: _Told, *, step: bool) -> None:
        pid = told.content.pid
        place = self._steps.pop(pid, None)
        if step and place is not None:
            self._steps[pid] = place
            self._waiting[place] = told
            return
        if len(self._waiting) >= self._limit:
            del self._waiting[: self._limit // 2]
            self._steps.clear()
        if step:
            self._steps[pid] = len(self._waiting)
        self._waiting.append(told)

    # --- on the communicator's thread ----------------------------------------------------------------------

    async def _send(self, communicator: Communicator) -> None:
        while batch := self._taken():
            for subject, content in batch:
                try:
                    await communicator.broadcast_send(content.as_body(), sender=content.pid, subject=subject)
                except Exception as error:  # noqa: BLE001 (whoever listens reads the store)
                    _LOG.debug("nobody was told of process %s: %s", content.pid, error)
            await asyncio.sleep(min(_SOON, self._pause))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause):
                    await self._hurried.wait()

    async def _hurry(self, _: Communicator) -> None:
        self._hurried.set()

    def _taken(self) -> list[_Told]:
        with self._lock:
            batch, self._waiting = self._waiting, []
            self._steps.clear()
            self._sending, self._hurrying = bool(batch), False
            self._hurried.clear()
            return batch
