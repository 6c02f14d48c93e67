"""One subscriber to broadcasts: what it wants, what waits for it, and its callback, called for one after the other."""

import asyncio
import inspect
import logging
from typing import Final

from drupe.core.message import Broadcast, size_of, unpack
from drupe.errors import MessageError
from drupe.interfaces.communicator import Admits, BroadcastCallback, IncomingBroadcast
from drupe.messaging.backlog import LIMIT, Backlog, weight

_LOG: Final = logging.getLogger("drupe.messaging")


class Hearing:
    """Gives broadcasts to a callback at the callback's own pace.

    Args:
        callback: gets them.
        admits: says which.
        limit: how many may wait.
    """

    def __init__(self, callback: BroadcastCallback, admits: Admits | None, *, limit: int = LIMIT) -> None:
        self._callback = callback
        self._admits = admits
        self._backlog: Backlog[Broadcast] = Backlog(limit, weigh=lambda broadcast: weight(size_of(broadcast.body)))
        self._work: asyncio.Task[None] | None = None
        self._ended = False

    def hear(self, broadcast: Broadcast) -> None:
        """Take a broadcast, if it is wanted."""
        if self._wants(broadcast):
            self._backlog.put_loose(broadcast)
            if self._work is None:
                self._work = asyncio.get_running_loop().create_task(self._work_off())

    def miss(self, number: int) -> None:
        """Note that broadcasts were dropped on their way; whether they were wanted is not known."""
        self._backlog.miss(number)

    def end(self) -> "list[asyncio.Task[None]]":
        """Begin nothing more, and get what runs."""
        self._ended = True
        return [] if self._work is None else [self._work]

    def _wants(self, broadcast: Broadcast) -> bool:
        try:
            return self._admits is None or self._admits(broadcast.sender, broadcast.subject)
        except Exception:  # noqa: BLE001 (logged; the next broadcast comes)
            _LOG.exception("a filter of broadcasts failed at subject %r", broadcast.subject)
            return False

    async def _work_off(self) -> None:
        try:
            while self._backlog and not self._ended:
                broadcast, missed = self._backlog.take()
                await self._tell(broadcast, missed)
        finally:
            self._work = None

    async def _tell(self, broadcast: Broadcast, missed: int) -> None:
        b = broadcast
        try:
            body = unpack(b.body)  # for each subscriber anew: what one changes, no other sees
        except MessageError as error:
            _LOG.warning("a broadcast with subject %r was dropped: %s", b.subject, error)
            return
        try:
            result = self._callback(IncomingBroadcast(body, b.sender, b.subject, b.correlation_id, missed))
            if inspect.isawaitable(result):
                await result
        except Exception:  # noqa: BLE001 (logged; the next broadcast comes)
            _LOG.exception("a subscriber failed at a broadcast with subject %r", broadcast.subject)
