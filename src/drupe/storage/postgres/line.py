"""The line to a server: what another thread needs in order to end what waits at it.

A server that is frozen answers nothing, and nothing tells: its machine still takes what is sent, and its own time-outs stand
still with it. So somebody else has to stop waiting. libpq closes and opens sockets as it likes, and a descriptor may mean something
else a moment later; the line has one of its own, for the same socket.
"""

import contextlib
import os
import socket
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg


class Line:
    """The socket of whatever connection is the present one, usable from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def hold(self, db: "psycopg.Connection[Any]") -> None:
        """From now on it is this connection's."""
        held = socket.socket(fileno=os.dup(db.fileno()))
        with self._lock:
            former, self._socket = self._socket, held
        if former is not None:
            former.close()

    def cut(self) -> None:
        """Have whoever waits at it see that it has ended; what it may be committing is in doubt then."""
        with self._lock:
            if self._socket is not None:
                with contextlib.suppress(OSError):  # it has ended by itself
                    self._socket.shutdown(socket.SHUT_RDWR)

    def drop(self) -> None:
        """Let go of the socket."""
        with self._lock:
            former, self._socket = self._socket, None
        if former is not None:
            former.close()
