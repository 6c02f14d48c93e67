"""One direction between two participants: who connects sends, who accepts receives."""

import asyncio
import os
import socket
import struct
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

from drupe.core.message import open_message
from drupe.errors import MessageError
from drupe.messaging.backlog import Backlog
from drupe.messaging.complaint import Complaints
from drupe.messaging.link import Receiver
from drupe.messaging.local.wire import FrameReader, Kind, frame, frame_number, read_number, read_text
from drupe.messaging.origin import Origin
from drupe.runtime.inheritance import keep_from_children

BUFFER: Final = 8 * 1024 * 1024
"""Bytes of each kind that wait for a receiver that does not read."""
_HIGH: Final = 256 * 1024
"""Bytes that are handed to the connection ahead of the kernel."""
_TOGETHER: Final = 64 * 1024
"""Bytes that are gathered at most before they are handed to the connection."""
_TURN: Final = 128
"""So many frames of one connection are taken in one turn of the loop, so that others have theirs."""
_CREDENTIALS: Final = struct.Struct("3i")


class Ends(Protocol):
    """What a connection tells its participant."""

    def met(self, address: str) -> None:
        """Who sends over this connection said its address.

        Raises:
            MessageError: it cannot be the address of a participant.
        """
        ...

    def ended(self, connection: "Outgoing | Incoming") -> None:
        """The connection is no more."""
        ...


def is_own(connection: Any) -> bool:
    """Tell whether the other end of a unix socket is the same user's."""
    if not hasattr(socket, "SO_PEERCRED"):  # pragma: no cover (not Linux: the folder's mode keeps others out)
        return True
    _, uid, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return bool(uid == os.geteuid())


def _number(transport: asyncio.Transport | None) -> int:
    """Get the number of the socket of a connection; -1 if it is no more."""
    number: int = -1 if transport is None else transport.get_extra_info("socket").fileno()
    return number


class Outgoing(asyncio.Protocol):
    """Sends frames to one participant; what it does not read waits, within bounds."""

    def __init__(self, address: str, ends: Ends) -> None:
        self.address = address
        self._ends = ends
        self._backlog: Backlog[bytes] = Backlog(BUFFER, weigh=len)
        self._paused = False
        self._gathered: list[bytes] | None = None
        """Frames that are sent together at the end of this turn of the loop; None before the first one of a turn."""
        self._weight = 0
        """How many bytes those are."""
        self._transport: asyncio.Transport | None = None

    def fileno(self) -> int:
        """Get the number of its socket."""
        return _number(self._transport)

    @property
    def is_open(self) -> bool:
        """Whether the connection is there."""
        return self._transport is not None

    def send(self, content: bytes, *, firm: bool) -> None:
        """Send a message.

        Raises:
            OverloadedError: it is firm, and too much waits already.
        """
        data = frame(Kind.MESSAGE, content)
        if not self._paused:
            self.write(data)
        elif firm:
            self._backlog.put_firm(data)
        else:
            self._backlog.put_loose(data)

    def hint(self, queue: str) -> None:
        """Say that there may be a task; one who does not read looks by itself later."""
        if not self._paused:
            self.write(frame(Kind.WAKE, queue.encode()))

    def write(self, data: bytes) -> None:
        """Hand a frame to the connection; one whose other end is gone takes none, and its end is about to be told.

        The first one of a turn of the loop goes at once, those that come after it together: a call of the kernel costs more than
        all else.
        """
        if self._transport is None or self._transport.is_closing():
            return
        if self._gathered is None:
            self._gathered = []
            asyncio.get_running_loop().call_soon(self._flush)
            self._transport.write(data)
        else:
            self._gathered.append(data)
            self._weight += len(data)
            if self._weight >= _TOGETHER:
                self._hand_over()

    def _flush(self) -> None:
        self._hand_over()
        self._gathered = None

    def _hand_over(self) -> None:
        if self._gathered and self._transport is not None and not self._transport.is_closing():
            data = b"".join(self._gathered)
            self._gathered.clear()
            self._weight = 0
            self._transport.write(data)

    def close(self) -> None:
        """End the connection; what the kernel has not taken is dropped."""
        if self._transport is not None:
            self._hand_over()
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 (what a stream's protocol always gets)
        transport.set_write_buffer_limits(_HIGH)
        self._transport = transport
        keep_from_children(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._transport = None
        self._ends.ended(self)

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._paused = True

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._paused = False
        while self._backlog and not self._paused:  # writing may pause it again
            data, missed = self._backlog.take()
            if missed:
                self.write(frame_number(Kind.MISSED, missed))
            self.write(data)


class Incoming(asyncio.Protocol):
    """Receives frames of one participant, which says first who it is."""

    def __init__(self, receiver: Receiver, ends: Ends, complaints: Complaints) -> None:
        self._receiver = receiver
        self._ends = ends
        self._complaints = complaints
        self._reader = FrameReader()
        self._frames: deque[tuple[Kind, bytes]] = deque()
        self._transport: asyncio.Transport | None = None
        self.address: str | None = None

    def fileno(self) -> int:
        """Get the number of its socket."""
        return _number(self._transport)

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 (what a stream's protocol always gets)
        self._transport = transport
        keep_from_children(self)
        if not is_own(transport.get_extra_info("socket")):
            self._complaints.make("the connection of another user was refused")
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        with self._cutting():
            while self._frames:  # what came before the end came
                self._take(*self._frames.popleft())
        self._transport = None
        self._ends.ended(self)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._transport is None or self._transport.is_closing():
            return
        with self._cutting():
            self._frames += self._reader.feed(data)
            self._take_some()

    def _take_some(self) -> None:
        if self._transport is None:
            return
        with self._cutting():
            for _ in range(min(_TURN, len(self._frames))):
                self._take(*self._frames.popleft())
            if self._frames:
                self._transport.pause_reading()
                asyncio.get_running_loop().call_soon(self._take_some)
            else:
                self._transport.resume_reading()

    @contextmanager
    def _cutting(self) -> Iterator[None]:
        try:
            yield
        except MessageError as error:
            self._complaints.make("a connection was cut that sent no frames of drupe: %s", error)
            self._frames.clear()
            self.close()

    def _take(self, kind: Kind, content: bytes) -> None:
        if self.address is None or kind is Kind.HELLO:
            self._greet(kind, content)
        elif kind is Kind.MESSAGE:
            self._take_message(self.address, content)
        elif kind is Kind.MISSED:
            self._receiver.missed(read_number(content))
        else:
            self._receiver.woken(read_text(content))

    def _greet(self, kind: Kind, content: bytes) -> None:
        if self.address is not None or kind is not Kind.HELLO:
            raise MessageError("a connection starts with one greeting")
        address = read_text(content)
        self._ends.met(address)
        self.address = address

    def _take_message(self, address: str, content: bytes) -> None:
        try:
            message = open_message(content)
        except MessageError as error:  # its frame is whole: what comes after it can be read
            self._complaints.make("a message was dropped that cannot be read: %s", error)
        else:
            self._receiver.received(Origin(address), message)
