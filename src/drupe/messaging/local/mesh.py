"""A participant's links to all others of its folder: one socket to listen, one connection to each of them.

Each connection goes one way. When a newcomer connects, those who are there connect back, and only then is it open: from
there on it hears everybody and is heard. When one dies, the kernel ends its connections, and everybody knows.

One that is stopped does not connect back. A newcomer waits for it a moment and no longer; then it is as if the other one
came later: what is sent to it waits in its socket, and it is heard when it goes on.
"""

import asyncio
import logging
import re
from typing import Final

from drupe.core.role import Role
from drupe.errors import MessageError, OverloadedError, UnroutableError
from drupe.messaging.calls import Call
from drupe.messaging.complaint import Complaints
from drupe.messaging.link import Receiver
from drupe.messaging.local.connection import Incoming, Outgoing, is_own
from drupe.messaging.local.place import Place
from drupe.messaging.local.wire import Kind, frame
from drupe.messaging.origin import Origin
from drupe.runtime.inheritance import keep_from_children

_ADDRESS: Final = re.compile("[0-9a-f]{16}")
_STRANGERS: Final = 64
"""So many connections may not have greeted yet: further ones end the oldest of them."""
_PATIENCE: Final = 1.0
"""Seconds that a newcomer waits for those who do not greet it, because they are stopped. One that goes on is much faster."""


class LocalLink:
    """A way to the others of one folder; see `drupe.messaging.link.Link`.

    Args:
        place: the folder.
        address: the participant's own: 16 hexadecimal digits.
    """

    def __init__(self, place: Place, address: str) -> None:
        self._place = place
        self._address = address
        self._server: asyncio.Server | None = None
        self._left = False
        self._receiver: Receiver | None = None
        self._peers: dict[str, Outgoing] = {}
        self._incoming: dict[Incoming, None] = {}  # in the order in which they came
        self._greeted: dict[str, asyncio.Event] = {}
        self._meeting: dict[str, asyncio.Task[bool]] = {}
        self._complaints = Complaints(logging.getLogger("drupe.messaging"))

    @property
    def address(self) -> str:
        """Where others reach this participant."""
        return self._address

    # --- coming and going --------------------------------------------------------------------------------

    async def open(self, receiver: Receiver) -> None:
        """Listen, then meet everybody who is there."""
        self._receiver = receiver
        self._place.prepare()
        listener = self._place.listen(self._address)
        keep_from_children(listener)
        self._server = await asyncio.get_running_loop().create_unix_server(self._accept, sock=listener)
        others = [address for address in self._place.addresses() if address != self._address]
        await asyncio.gather(*(self._get_to_know(address) for address in others))

    async def close(self) -> None:
        """Leave; the others see the connections end."""
        self._left = True
        if self._server is None:
            return
        self._server.close()
        self._place.leave(self._address)
        if self._meeting:
            await asyncio.wait(self._meeting.values())
        for peer in self._peers.values():
            peer.close()
        for incoming in self._incoming:
            incoming.close()
        await asyncio.sleep(0)  # the loop ends the connections in its next turn

    async def knows(self, address: str) -> bool:
        """Tell whether there is a living participant at ``address``."""
        return address == self._address or (bool(_ADDRESS.fullmatch(address)) and await self._meet(address))

    # --- names -------------------------------------------------------------------------------------------

    async def register(self, identifier: str) -> None:
        """Have ``identifier`` lead here."""
        self._place.register(identifier, self._address)

    async def unregister(self, identifier: str) -> None:
        """Have ``identifier`` lead nowhere."""
        self._place.unregister(identifier)

    async def call(self, identifier: str, data: bytes, call: Call) -> None:
        """Send a request to whoever ``identifier`` leads to."""
        address = self._place.locate(identifier)
        there = address not in {None, self._address} and await self._meet(address)
        if address is None or not there:
            raise UnroutableError(f"nobody answers to {identifier!r}")
        if address not in self._peers:
            raise OverloadedError(f"who answers to {identifier!r} is stopped, and too many wait for it already")
        call.address = address
        self._peers[address].send(data, firm=True)

    # --- sending -----------------------------------------------------------------------------------------

    def send(self, origin: Origin, data: bytes, *, answers: str) -> None:
        """Send a reply to one participant."""
        peer, meeting = self._peers.get(origin.address), self._meeting.get(origin.address)
        if peer is not None:
            peer.send(data, firm=True)
        elif meeting is not None:  # who called did not wait to be greeted: the way back is not there yet
            meeting.add_done_callback(lambda _: self._send_late(origin, data))
        else:
            raise UnroutableError(f"nobody is at {origin.address!r} any more")

    def _send_late(self, origin: Origin, data: bytes) -> None:
        peer = self._peers.get(origin.address)
        if peer is None:  # it is gone
            return
        try:
            peer.send(data, firm=True)
        except OverloadedError:
            self._complaints.make("a reply was dropped: its receiver takes nothing any more")

    def publish(self, data: bytes, *, role: Role) -> None:
        """Send a broadcast to all others."""
        for peer in self._peers.values():
            peer.send(data, firm=False)

    def wake(self, queue: str) -> None:
        """Tell all others that there may be a task in ``queue``."""
        for peer in self._peers.values():
            peer.hint(queue)

    # --- meeting -----------------------------------------------------------------------------------------

    async def _get_to_know(self, address: str) -> None:
        """Meet somebody, and wait until it has greeted, too."""
        if await self._meet(address) and address in self._peers:
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._greeted.setdefault(address, asyncio.Event()).wait()
            except TimeoutError:
                pass  # it is stopped; it greets when it goes on

    async def _meet(self, address: str) -> bool:
        """Connect to somebody, and tell whether it lives."""
        return address in self._peers or await asyncio.shield(self._start_to_meet(address))

    def _start_to_meet(self, address: str) -> "asyncio.Task[bool]":
        task = self._meeting.get(address)
        if task is None:
            task = self._meeting[address] = asyncio.get_running_loop().create_task(self._connect(address))
            task.add_done_callback(lambda _: self._meeting.pop(address, None))
        return task

    async def _connect(self, address: str) -> bool:
        if address in self._peers:
            return True
        try:
            connection = self._place.connect(address)
        except BlockingIOError:  # it lives, and takes nobody in
            return True
        if connection is None:
            return False
        if not is_own(connection):  # pragma: no cover (the folder keeps others from listening in it)
            connection.close()
            return False
        peer = Outgoing(address, self)
        await asyncio.get_running_loop().create_unix_connection(lambda: peer, sock=connection)
        if peer.is_open:  # else it was lost meanwhile, and nobody would notice again
            peer.write(frame(Kind.HELLO, self._address.encode()))
            self._peers[address] = peer
        return peer.is_open

    def _accept(self) -> Incoming:
        assert self._receiver is not None  # noqa: S101 (it listens since it was opened)
        incoming = Incoming(self._receiver, self, self._complaints)
        self._incoming[incoming] = None
        strangers = [one for one in self._incoming if one.address is None]
        if len(strangers) > _STRANGERS:
            self._complaints.make("a connection was cut that did not greet, to make room")
            self._incoming.pop(strangers[0])
            strangers[0].close()
        return incoming

    def met(self, address: str) -> None:
        """Greet back who greets; see `drupe.messaging.local.connection.Ends`."""
        if not _ADDRESS.fullmatch(address):
            raise MessageError("a greeting says an address")
        greeted = self._greeted.setdefault(address, asyncio.Event())
        if greeted.is_set():
            raise MessageError("a greeting says an address, which is nobody else's")
        greeted.set()
        if not self._left:
            self._start_to_meet(address)

    def ended(self, connection: Outgoing | Incoming) -> None:
        """Forget one that is gone, and tell the participant; see `drupe.messaging.local.connection.Ends`."""
        if isinstance(connection, Incoming):
            self._incoming.pop(connection, None)
        address = connection.address
        if address is None:  # it never said who it is
            return
        self._greeted.pop(address, asyncio.Event()).set()  # whoever waits for it sees that it is gone
        peer = self._peers.pop(address, None)
        if peer is not None:
            peer.close()
            if self._receiver is not None and not self._left:
                self._receiver.lost(address)
