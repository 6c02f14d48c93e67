"""How a runner is in touch with everybody else: what becomes of its processes is told, and its name answers.

All of it happens on the communicator's own thread, whatever the loop of the processes does meanwhile.
"""

import asyncio

from drupe.interfaces.communicator import Communicator, FarCommunicator
from drupe.service.announcer import Announcer
from drupe.service.desk import Desk
from drupe.service.stored import StoredHost


class Contact:
    """The contact of one host.

    Args:
        communicator: opened and closed here.
        host: whose processes are told of.
        desk: answers who calls the host's owner by its name.
    """

    def __init__(self, communicator: FarCommunicator, host: StoredHost, desk: Desk) -> None:
        self._communicator = communicator
        self._host = host
        self._desk = desk
        self._announcer = Announcer(communicator)

    async def open(self) -> None:
        """Begin.

        Raises:
            CommunicationError: the communicator cannot be opened.
        """
        await self._communicator.open()
        self._host.announcer = self._announcer
        await asyncio.wrap_future(self._communicator.call(self._answer))

    async def close(self) -> None:
        """Say what is still to be said, and be silent."""
        await self._announcer.flush()
        await self._communicator.close()

    async def _answer(self, communicator: Communicator) -> None:
        await communicator.subscribe_rpc(self._desk, self._host.owner)
