"""Connections to a store file, set up the one way that the rest relies on."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from drupe.runtime.clock import tick
from drupe.storage.sqlite import change, file, schema, seal

Durability = Literal["full", "process"]

_SYNCHRONOUS: Final = {"full": "FULL", "process": "NORMAL"}
_STATEMENTS: Final = 512  # a list has one statement for each choice of states: all of them stay prepared
# The log is emptied when it has so many pages. Where every commit is synced, a short one is soon written over, and what
# does not lengthen a file is synced a third faster; where only the emptying syncs, it should not come too often.
_WAL_PAGES: Final = {"full": 1000, "process": 4000}
_WAL_BYTES: Final = 64 * 1024 * 1024
_CACHE_KIB: Final = 16 * 1024


def writing(path: Path, *, durability: Durability, busy_timeout: float) -> sqlite3.Connection:
    """Get the connection that writes; the file is made or migrated if need be.

    Raises:
        StoreFormatError: the file is no store, or of a newer version; it is left untouched.
        StoreMovedError: it is being moved, or was moved, elsewhere.
        StoreUnavailableError: it lies on a network file system.
        OSError: the file or its folder cannot be made.
        sqlite3.Error: it cannot be opened or written.
    """
    return _writing(path, durability, busy_timeout, seal.refuse)


def moving(path: Path, *, busy_timeout: float) -> sqlite3.Connection:
    """Get a connection as `writing` does, also to a store that is closed because it is moved.

    Raises:
        StoreFormatError: as there; and so are the others.
        StoreUnavailableError: it lies on a network file system.
        OSError: the file or its folder cannot be made.
        sqlite3.Error: it cannot be opened or written.
    """
    db = _writing(path, "full", busy_timeout, None)
    db.execute("PRAGMA foreign_keys = OFF")  # all rows of all tables go, or come, together
    return db


def _writing(
    path: Path,
    durability: Durability,
    busy_timeout: float,
    refuse: Callable[[sqlite3.Connection, Path], None] | None,
) -> sqlite3.Connection:
    file.refuse_network(path)
    with file.creating:
        file.refuse_foreign(path)
        file.prepare(path)
        db = _connect(path, busy_timeout)
        try:
            # First of all mark and version: what is foreign or newer must not even be switched to another journal.
            file.refuse_foreign_database(db, path)
            schema.refuse_newer(db, path)
            if refuse is not None:
                refuse(db, path)
            _use_wal(db, busy_timeout)
            db.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[durability]}")
            db.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES[durability]}")
            db.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
            schema.migrate(db, path)
            db.execute("PRAGMA foreign_keys = ON")
            change.prepare(db)
            # A transaction can begin on a file that is read-only: only a statement that writes tells.
            db.execute("DELETE FROM owner WHERE FALSE")
        except BaseException:
            db.close()
            raise
    return db


def reading(path: Path, *, busy_timeout: float) -> sqlite3.Connection:
    """Get a connection that only reads; the file must be a store already.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    db = _connect(path, busy_timeout)
    db.execute("PRAGMA query_only = ON")
    return db


def _connect(path: Path, busy_timeout: float) -> sqlite3.Connection:
    # `isolation_level=None`: transactions begin and end where this package says so, nowhere else.
    db = sqlite3.connect(
        path, timeout=busy_timeout, isolation_level=None, check_same_thread=False, cached_statements=_STATEMENTS
    )
    db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    # A flipped bit in a text must not fail the rows beside it: the value is refused where it is looked at.
    db.text_factory = _lenient
    return db


def _use_wal(db: sqlite3.Connection, busy_timeout: float) -> None:
    """Switch to the write-ahead log. SQLite does not always wait for a lock here, so it is asked again until it can."""
    nap, deadline = threading.Event(), tick() + busy_timeout
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL").fetchone()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or tick() > deadline:
                raise
        nap.wait(0.01)


def _lenient(text: bytes) -> str:
    return text.decode("utf-8", "replace")
