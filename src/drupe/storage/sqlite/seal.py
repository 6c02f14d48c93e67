"""Closing a store for everybody who may have it open, by triggers: SQLite asks them before each write, in every program.

They are there only in a store that is closed, so no other pays for them. The table says why it is closed, and outlives the
move: by it one that was killed goes on, and whoever opens the store afterwards is told where its processes are.
"""

import sqlite3
from dataclasses import astuple
from pathlib import Path
from typing import Final

from drupe.errors import StoreMovedError
from drupe.interfaces.moving import Mark, Side
from drupe.storage import crossing
from drupe.storage.sqlite.schema import TABLES

TABLE: Final = "drupe_move"
SIGN: Final = "drupe: closed: "
"""What a refusal of the triggers begins with."""

_CREATE: Final = f"""
    CREATE TABLE IF NOT EXISTS {TABLE} (
        id TEXT NOT NULL, side TEXT PRIMARY KEY, phase TEXT NOT NULL, place TEXT NOT NULL, at REAL NOT NULL,
        clock REAL NOT NULL, boot TEXT NOT NULL
    ) WITHOUT ROWID"""
_IS_THERE: Final = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
_READ: Final = f"SELECT {', '.join(crossing.MARK)} FROM {TABLE} WHERE side = ?"  # noqa: S608 (names of fields)
_WRITE: Final = (
    f"INSERT OR REPLACE INTO {TABLE} ({', '.join(crossing.MARK)}) VALUES ({', '.join('?' * len(crossing.MARK))})"  # noqa: S608
)
_DELETE: Final = f"DELETE FROM {TABLE} WHERE side = ?"  # noqa: S608 (written out)
_EVENTS: Final = ("INSERT", "UPDATE", "DELETE")


def read(db: sqlite3.Connection, side: Side) -> Mark | None:
    """Get what stands in a store of a move in which it is that end."""
    if db.execute(_IS_THERE, (TABLE,)).fetchone() is None:
        return None
    row = db.execute(_READ, (side,)).fetchone()
    return None if row is None else crossing.mark_of(row)


def write(db: sqlite3.Connection, mark: Mark) -> None:
    """Have a mark stand in a store, and close or open it as that says."""
    db.execute(_CREATE)
    db.execute(_WRITE, astuple(mark))
    _lift(db)
    if mark.closes:
        text = f"{SIGN}{mark.said}".replace("'", "''")
        for table in sorted(TABLES):
            for event in _EVENTS:
                db.execute(
                    f"CREATE TRIGGER {_name(table, event)} BEFORE {event} ON {table} BEGIN SELECT RAISE(ABORT, '{text}'); END"
                )


def remove(db: sqlite3.Connection, side: Side) -> None:
    """Take a mark away, and open the store."""
    db.execute(_DELETE, (side,))
    _lift(db)


def _lift(db: sqlite3.Connection) -> None:
    for table in sorted(TABLES):
        for event in _EVENTS:
            db.execute(f"DROP TRIGGER IF EXISTS {_name(table, event)}")


def _name(table: str, event: str) -> str:
    return f"drupe_closed_{table}_{event.lower()}"


def refuse(db: sqlite3.Connection, path: Path) -> None:
    """Refuse to open a store that is closed.

    Raises:
        StoreMovedError: it is.
    """
    for side in Side:
        mark = read(db, side)
        if mark is not None and mark.closes:
            raise crossing.moved(str(path), mark)


def refused(error: sqlite3.Error, path: Path) -> StoreMovedError | None:
    """Get the error for a write that the triggers refused, if it is that."""
    text = str(error)
    if error.sqlite_errorcode != sqlite3.SQLITE_CONSTRAINT_TRIGGER or not text.startswith(SIGN):
        return None
    return StoreMovedError(f"store {path}: {text.removeprefix(SIGN)}")
