"""Having workers look for what nobody holds, because whoever knows of it cannot go on with it himself.

It is one broadcast for all that comes within a moment, and says nothing of any process: whoever hears it looks, and finds all
there is. A task would be kept, and taken by one worker that perhaps cannot go on with it either. Nothing depends on it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final

from drupe.core.announcement import WORK
from drupe.errors import CommunicationError
from drupe.interfaces.communicator import Communicator, Subscription

_LOG: Final = logging.getLogger("drupe.service")

PAUSE: Final = 0.1
"""Seconds between two broadcasts at least: so often a worker that hears one looks, however much there is."""
_FAREWELL: Final = 1.0
"""Seconds that the last one has in the end."""


class Summons:
    """Summons workers, on one loop.

    Args:
        communicator: how; open. None summons nobody.
        name: who summons, and need not hear it.
        pause: seconds between two broadcasts.
    """

    def __init__(self, communicator: Communicator | None, name: str | None = None, *, pause: float = PAUSE) -> None:
        self._communicator = communicator
        self._name = name
        self._pause = pause
        self._again = False
        self._closing = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None

    def send(self) -> None:
        """Have them look: at once, or as soon as the last time is a moment ago. Never raises."""
        self._again = True
        if self._communicator is not None and self._sending is None:
            self._sending = asyncio.get_running_loop().create_task(self._send(self._communicator))

    async def heed(self, communicator: Communicator, look: Callable[[], object]) -> Subscription:
        """Have ``look`` called when others summon.

        Raises:
            CommunicationError: nothing can be heard.
        """
        return await communicator.subscribe_broadcast(
            lambda _: look(), lambda sender, subject: subject == WORK and sender != self._name
        )

    async def close(self) -> None:
        """Send at once what waits to be sent, and nothing more."""
        self._closing.set()
        if (sending := self._sending) is not None:
            await asyncio.wait([sending], timeout=_FAREWELL)
            sending.cancel()
            await asyncio.wait([sending])

    async def _send(self, communicator: Communicator) -> None:
        try:
            while self._again:
                self._again = False
                try:
                    await communicator.broadcast_send(sender=self._name, subject=WORK)
                except CommunicationError as error:
                    _LOG.debug("no worker was summoned: %s", error)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._pause):
                        await self._closing.wait()
        finally:
            self._sending = None
