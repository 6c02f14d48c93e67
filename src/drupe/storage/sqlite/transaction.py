"""The writing side: what is ready together is committed together.

A write of this package first reads whatever could make it fail, and only then changes anything, so a
refused request leaves nothing behind in the transaction it shares. For what cannot be foreseen (a full
disk, a value SQLite does not take) the whole batch is rolled back and each request tried again alone.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from drupe.core.record import Retention
from drupe.errors import StoreError
from drupe.interfaces.ambient import Clock, Probe
from drupe.storage.sqlite.failure import translate
from drupe.storage.sqlite.guard import Guard
from drupe.storage.sqlite.turn import Turn

Write = Callable[["Transaction", Any], object]
"""What a request asks for: called inside the transaction, with its argument; a `StoreError` refuses it."""
ManyWrites = Callable[["Transaction", Sequence[Any]], Sequence[object]]
"""The same with many arguments: called with them, it gets an answer for each; one that is a `StoreError` is a refusal."""

_write_of: Final[Callable[[tuple[Write, Any]], Write]] = itemgetter(0)


class Transaction:
    """What a write works with.

    Attributes:
        execute: runs one statement.
        again: the request may have been committed before, and its answer lost.
        lost: that answer, if so.
        guard: keeps a step's own statements from what is not theirs.
    """

    __slots__ = ("again", "clock", "db", "execute", "guard", "lost", "max_bytes", "retention")

    def __init__(self, clock: Clock, retention: Retention, max_bytes: int) -> None:
        self.db: sqlite3.Connection
        self.execute: Callable[..., sqlite3.Cursor]
        self.guard = Guard()
        self.again = False
        self.lost: object = None
        self.clock = clock
        self.retention = retention
        self.max_bytes = max_bytes


class Committer:
    """The work of the writing thread: one transaction for each batch of requests.

    Args:
        connect: opens the connection; called on the thread.
        path: the file, for messages.
        transaction: what the writes are given.
        many: writes of which many that follow each other are done by one call.
        probe: passed at each place of the writing.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        *,
        path: Path,
        transaction: Transaction,
        many: Mapping[Write, ManyWrites],
        probe: Probe,
    ) -> None:
        self._many = many
        self._connect = connect
        self._path = path
        self._transaction = transaction
        self._probe = probe
        self._db: sqlite3.Connection | None = None
        self._turn = Turn(path)
        self._begun = self._sealed = False
        self._answers: list[object] = []

    def begin(self) -> None:
        """Open the connection.

        Raises:
            StoreError: it cannot be opened.
        """
        try:
            self._db = self._connect()
            self._turn.open()
        except (sqlite3.Error, OSError) as error:
            raise translate(error, self._path) from error
        self._db.set_authorizer(self._transaction.guard)
        self._transaction.db, self._transaction.execute = self._db, self._db.cursor().execute

    def end(self) -> None:
        """Close the connection; what is not committed is gone."""
        if self._db is not None:
            self._db.close()
            self._db = None
        self._turn.close()

    def answer(self, batch: Sequence[tuple[Write, Any]], /) -> list[object]:
        """Commit what is asked for and get the answers; a refusal or failure is an answer, too."""
        try:
            return self._commit(batch)
        except Exception as error:  # noqa: BLE001 (translated, and given to whoever asked)
            doubt = self._roll_back()
            if not self._begun or (len(batch) == 1 and not doubt):
                return [translate(error, self._path) for _ in batch]
        lost = self._answers if doubt else [None] * len(batch)
        return [self._alone(request, answer, again=doubt) for request, answer in zip(batch, lost, strict=True)]

    def _commit(self, batch: Sequence[tuple[Write, Any]]) -> list[object]:
        probe, transaction = self._probe, self._transaction
        execute = transaction.execute
        self._answers = answers = []
        self._begun = self._sealed = False
        with self._turn:
            probe("store.begin")
            execute("BEGIN IMMEDIATE")
            self._begun = True
            for write, requests in groupby(batch, _write_of):
                many = self._many.get(write)
                if many is None:
                    answers += [self._apply(write, argument) for _, argument in requests]
                else:
                    arguments = [argument for _, argument in requests]
                    for _ in arguments:
                        probe("store.apply")
                    answers += many(transaction, arguments)
            probe("store.commit")
            self._sealed = True
            execute("COMMIT")
            probe("store.committed")
        return answers

    def _apply(self, write: Write, argument: Any) -> object:
        try:
            self._probe("store.apply")
            return write(self._transaction, argument)
        except StoreError as refusal:
            return refusal

    def _alone(self, request: tuple[Write, Any], lost: object, *, again: bool) -> object:
        """Get the answer to one request of a batch that failed.

        If nobody can say whether the batch was committed, asking again does: a write that finds itself done
        succeeds and changes nothing. What was refused wrote nothing either way, and stays refused.
        """
        if isinstance(lost, StoreError):
            return lost
        transaction = self._transaction
        transaction.again, transaction.lost = again, lost
        try:
            return self._commit([request])[0]
        except Exception as error:  # noqa: BLE001 (translated, and given to whoever asked)
            if self._roll_back() and not again:
                return self._alone(request, self._answers[0], again=True)
            return translate(error, self._path)
        finally:
            transaction.again, transaction.lost = False, None

    def _roll_back(self) -> bool:
        """Leave the transaction; whether it may have been committed in spite of the error."""
        db = self._db
        assert db is not None  # noqa: S101 (the thread has begun)
        if db.in_transaction:
            db.rollback()
            return False
        return self._sealed
