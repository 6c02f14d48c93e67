"""A connection that comes back: made anew when it was lost, with a patience that ends.

A server that is restarted, or cannot be reached for a while, must cost time and nothing else.
"""

import threading
from collections.abc import Callable, Iterator
from typing import Final

import psycopg

from drupe.errors import StoreError
from drupe.runtime.clock import tick
from drupe.runtime.pauses import pauses
from drupe.storage.postgres import connection
from drupe.storage.postgres.connection import Backend, Db
from drupe.storage.postgres.failure import translate
from drupe.storage.postgres.line import Line

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 2.0
_SHOW: Final = "SELECT pg_advisory_lock_shared(hashtextextended('drupe.' || current_schema() || '.' || %s, 0))"


class Session:
    """A connection to one database, used from one thread.

    Args:
        connect: opens a connection.
        where: the address, for messages.
        patience: how many seconds a database that is away is waited for.
        doubtful: whether a request may be of effect after its connection was lost, and must not be.

    Attributes:
        hurry: set when nobody wants to wait any more.
    """

    def __init__(self, connect: Callable[[Line], Db], *, where: str, patience: float, doubtful: bool = True) -> None:
        self.where = where
        self.hurry = threading.Event()
        self._doubtful = doubtful
        self._line = Line()
        self._over = False
        self._connect = connect
        self._patience = patience
        self._db: Db | None = None
        self._backend: Backend | None = None
        self._shown: set[str] = set()

    def begin(self) -> None:
        """Connect.

        Raises:
            StoreError: it cannot be.
        """
        self.be_ready()
        try:
            self.connected()
        except StoreError:
            raise
        except Exception as error:
            raise translate(error, self.where) from error

    def be_ready(self) -> None:
        """From now on somebody wants to wait; the connection is made when it is needed."""
        self._over = False
        self.hurry.clear()

    def cut(self) -> None:
        """Have whoever waits for the server wait no longer; from any thread."""
        self._line.cut()

    def give_up(self) -> None:
        """Do as `cut` does, and connect no more; from any thread."""
        self._over = True
        self.cut()

    def end(self) -> None:
        """Let go of the connection."""
        db, self._db = self._db, None
        self._line.drop()
        self._backend = None
        if db is not None:
            db.close()

    def connected(self) -> Db:
        """Get the connection, made anew if it was lost.

        Raises:
            StoreError: what is there is no store (any more).
            psycopg.Error: it cannot be reached.
        """
        if self._db is None:
            if self._over:
                raise psycopg.OperationalError("the server has not answered, and nobody waits for it any more")
            db = self._connect(self._line)
            try:
                if self._backend is not None:
                    connection.end(db, self._backend)
                if self._doubtful:
                    self._backend = connection.backend(db)
                for name in self._shown:
                    db.execute(_SHOW, (name,))
            except BaseException:
                db.close()
                self._line.drop()
                raise
            self._db = db
        return self._db

    def show(self, name: str) -> None:
        """Have everybody see, from now on and as long as this connection is there, that who has this name lives."""
        if name not in self._shown:
            self.connected().execute(_SHOW, (name,))
            self._shown.add(name)

    def recover(self) -> bool:
        """Leave the transaction after an error; True when the connection is lost."""
        db = self._db
        if db is None:
            return True
        try:
            if not db.closed and db.info.transaction_status is not psycopg.pq.TransactionStatus.IDLE:
                db.execute("ROLLBACK")
        except psycopg.Error:
            db.close()
        if not db.closed:
            return False
        self._db = None
        self._line.drop()
        return True

    def tries(self) -> Iterator[bool]:
        """Wait before each further try, until patience has ended."""
        until = tick() + self._patience
        for pause in pauses(_FIRST_PAUSE, _LONGEST_PAUSE):
            if tick() >= until or self.hurry.is_set():
                return
            self.hurry.wait(pause)
            yield True
