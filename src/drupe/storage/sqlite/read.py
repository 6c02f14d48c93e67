"""The reads: each one look-up, each whole before it answers, so no read keeps the log from being emptied."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from drupe.core.record import Checkpoint, Event, Latest, Owner, Record
from drupe.errors import CorruptedError, StoreError
from drupe.interfaces.ambient import Clock
from drupe.storage import rule
from drupe.storage.digest import verified
from drupe.storage.sqlite import row
from drupe.storage.sqlite.failure import translate
from drupe.storage.sqlite.row import Execute

Read = Callable[[Execute, Any], object]

_INPUTS: Final = "SELECT hash, body FROM inputs WHERE pid = ?"
_LAST: Final = "SELECT seq, at, hash, body FROM checkpoint WHERE pid = ? ORDER BY seq DESC LIMIT 1"
_CHECKPOINT: Final = "SELECT seq, at, hash, body FROM checkpoint WHERE pid = ? AND seq = ?"
_NUMBERS: Final = "SELECT seq FROM checkpoint WHERE pid = ? ORDER BY seq"
_HISTORY: Final = "SELECT seq, at, event, state, detail FROM event WHERE pid = ? AND seq > ? ORDER BY seq LIMIT ?"
_EXACT: Final = "SELECT pid FROM process WHERE pid = ?"
_HELD: Final = "SELECT pid, epoch FROM process INDEXED BY process_by_owner WHERE owner = ?"
_OWNERS: Final = """
    SELECT name, boot, until, (SELECT count(*) FROM process INDEXED BY process_by_owner WHERE owner = name)
    FROM owner ORDER BY name"""
_TAIL: Final = "SELECT pid FROM process WHERE tail >= ? AND tail < ? ORDER BY tail LIMIT ?"
_AFTER_ALL: Final = "\x7f"  # sorts after every character of a pid


class Reader:
    """The work of the reading thread: one request after the other on a connection of its own.

    Args:
        connect: opens the connection; called on the thread.
        path: the file, for messages.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], *, path: Path) -> None:
        self._connect = connect
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._execute: Execute

    def begin(self) -> None:
        """Open the connection.

        Raises:
            StoreError: it cannot be opened.
        """
        try:
            self._db = self._connect()
        except (sqlite3.Error, OSError) as error:
            raise translate(error, self._path) from error
        self._execute = self._db.cursor().execute

    def end(self) -> None:
        """Close the connection."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def answer(self, batch: Sequence[tuple[Read, Any]], /) -> list[object]:
        """Get what is asked for; a refusal or failure is an answer, too."""
        return [self._one(read, argument) for read, argument in batch]

    def _one(self, read: Read, argument: Any) -> object:
        try:
            return read(self._execute, argument)
        except StoreError as refusal:
            return refusal
        except Exception as error:  # noqa: BLE001 (translated, and given to whoever asked)
            return translate(error, self._path)


def record(execute: Execute, pid: str) -> Record:
    """See `Store.record`."""
    found = row.find(execute, pid)
    if found is None:
        raise rule.unknown(pid)
    return found


def held(execute: Execute, owner: str) -> dict[str, int]:
    """See `Store.held`."""
    return dict(execute(_HELD, (owner,)).fetchall())


def owners(execute: Execute, clock: Clock) -> list[Owner]:
    """See `Store.owners`."""
    rows = execute(_OWNERS).fetchall()
    return [Owner(name=name, left=rule.left(clock, boot, until), held=held) for name, boot, until, held in rows]


def inputs(execute: Execute, pid: str) -> bytes:
    """See `Store.inputs`."""
    rows = execute(_INPUTS, (pid,)).fetchall()
    if not rows:
        raise rule.unknown(pid)
    return verified(pid, "inputs", *rows[0])


def checkpoint(execute: Execute, asked: tuple[str, int | None]) -> Checkpoint:
    """See `Store.checkpoint`."""
    pid, wanted = asked
    rows = execute(_LAST, (pid,)).fetchall() if wanted is None else execute(_CHECKPOINT, asked).fetchall()
    if not rows:
        record(execute, pid)
        raise rule.unknown_checkpoint(pid, wanted)
    seq, at, kept, body = rows[0]
    return Checkpoint(pid=pid, seq=seq, at=at, body=verified(pid, f"checkpoint {seq}", kept, body))


def latest(execute: Execute, pid: str) -> Latest:
    """See `Store.latest`."""
    return Latest(record(execute, pid), checkpoint(execute, (pid, None)), inputs(execute, pid))


def checkpoints(execute: Execute, pid: str) -> list[int]:
    """See `Store.checkpoints`."""
    record(execute, pid)
    return [seq for (seq,) in execute(_NUMBERS, (pid,)).fetchall()]


def history(execute: Execute, asked: tuple[str, int, int | None]) -> list[Event]:
    """See `Store.history`."""
    pid, after, limit = asked
    rows = execute(_HISTORY, (pid, after, -1 if limit is None else limit)).fetchall()
    if not rows:
        record(execute, pid)
    names = Event.__struct_fields__
    try:
        return msgspec.convert([dict(zip(names, found, strict=True)) for found in rows], list[Event])
    except msgspec.ValidationError as error:
        raise CorruptedError(f"process {pid}: its history is damaged in the store: {error}") from error


def find(execute: Execute, asked: tuple[str, int]) -> list[str]:
    """See `Store.find`."""
    tail, limit = asked
    if not rule.is_pid(tail):
        return []
    start = tail[::-1]
    rows = execute(_EXACT, (tail,)).fetchall() or execute(_TAIL, (start, start + _AFTER_ALL, limit)).fetchall()
    return [pid for (pid,) in rows]
