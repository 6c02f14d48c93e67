"""Hearing of what others commit: one connection that listens, on a thread of its own.

Nothing depends on it. While it cannot be reached the programs look by themselves; once it is back it is said that
something may have been missed.
"""

import logging
import selectors
import socket
import threading
from collections.abc import Callable
from typing import Final

import psycopg

from drupe.errors import DrupeError
from drupe.interfaces.hints import Heard, Hint
from drupe.runtime import bridge
from drupe.runtime.pauses import pauses
from drupe.storage.postgres import notice
from drupe.storage.postgres.connection import Db
from drupe.storage.postgres.line import Line

_LOG: Final = logging.getLogger("drupe.storage")

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 10.0
_PARTING: Final = 1.0
"""Seconds that its thread has to end, unless a server keeps it."""


class Ear:
    """Hears notifications as long as somebody wants to; see `drupe.interfaces.hints.Hints`.

    Args:
        connect: opens a connection.
        channel: what it listens to.
    """

    def __init__(self, connect: Callable[[Line], Db], channel: str) -> None:
        self._connect = connect
        self._line = Line()
        self._channel = channel
        self._lock = threading.Lock()
        self._heard: dict[int, Heard] = {}
        self._number = 0
        self._thread: bridge.Thread | None = None
        self._bell: socket.socket | None = None

    def hear(self, heard: Heard) -> Callable[[], None]:
        """Have ``heard`` called with every hint; see `Hints.hear`."""
        with self._lock:
            self._number = number = self._number + 1
            self._heard[number] = heard
            if self._thread is None:
                self._bell, stop = socket.socketpair()
                self._thread = bridge.new_thread(self._run, stop, name="drupe-store-ear")
                self._thread.start()

        def end() -> None:
            self._heard.pop(number, None)

        heard(Hint(more=True))
        return end

    def close(self) -> None:
        """Hear nothing more, and return when nobody is called any more. Closing twice does nothing."""
        with self._lock:
            thread, self._thread = self._thread, None
            bell, self._bell = self._bell, None
            self._heard.clear()
        if bell is not None:
            bell.close()  # its other end sees that
        if thread is not None:
            self._line.cut()  # a server may be frozen, and would be waited for without end
            thread.join(_PARTING)  # one that is still connecting calls nobody, and ends when that does

    # --- on its thread -----------------------------------------------------------------------------------

    def _run(self, stop: socket.socket) -> None:
        waits = pauses(_FIRST_PAUSE, _LONGEST_PAUSE)
        with stop:
            while True:
                try:
                    db = self._connected()
                except (psycopg.Error, DrupeError, OSError) as error:
                    _LOG.debug("notifications cannot be heard now: %s", error)
                else:
                    waits = pauses(_FIRST_PAUSE, _LONGEST_PAUSE)
                    try:
                        self._tell(Hint(more=True))  # what came before
                        if not self._listen(db, stop):
                            return
                    finally:
                        db.close()
                        self._line.drop()
                if _ready(stop, within=next(waits)):
                    return

    def _connected(self) -> Db:
        db = self._connect(self._line)
        try:
            db.execute(f"LISTEN {self._channel}")
        except BaseException:
            db.close()
            self._line.drop()
            raise
        return db

    def _listen(self, db: Db, stop: socket.socket) -> bool:
        """Hear until the connection is lost; False when it is to end."""
        while True:
            if stop in _ready(db, stop):
                return False
            try:
                db.pgconn.consume_input()
            except psycopg.Error as error:
                _LOG.info("notifications are not heard any more, until the server is back: %s", error)
                return True
            while (told := db.pgconn.notifies()) is not None:
                self._tell(notice.read(told.extra.decode("utf-8", "replace")))

    def _tell(self, hint: Hint) -> None:
        for heard in list(self._heard.values()):
            heard(hint)


def _ready(*waited: Db | socket.socket, within: float | None = None) -> list[object]:
    """Get those that there is something to read from, as soon as there are any, or none after so many seconds."""
    with selectors.DefaultSelector() as selector:  # `select` itself takes no descriptor above 1023
        for each in waited:
            selector.register(each, selectors.EVENT_READ)
        return [key.fileobj for key, _ in selector.select(within)]
