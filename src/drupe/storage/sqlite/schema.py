"""The tables of a store, made by numbered migrations.

`migrations/NNNN-name.sql` is never changed once released: a change of the schema is a file with the next
number. A store says in `user_version` which was the last one it went through.
"""

import functools
import sqlite3
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Final

from drupe.errors import StoreFormatError
from drupe.storage.migration import numbered
from drupe.storage.sqlite.file import APPLICATION_ID, refuse_foreign_database

_FOLDER: Final = resources.files("drupe.storage.sqlite") / "migrations"

TABLES: Final = frozenset({"owner", "process", "inputs", "checkpoint", "event", "inbox", "task"})
"""The tables that are drupe's; others in the same file are the user's own."""
VIEW: Final = "drupe_change"
"""What changes of processes are put into (see `change`): it is in no file, and drupe's own, too."""


@functools.cache
def migrations() -> dict[int, str]:
    """Get the text of each migration by its number, ascending."""
    return numbered(_FOLDER)


def statements(script: str) -> Iterator[str]:
    """Get the statements of a script one by one (sqlite3's own `executescript` would commit first)."""
    text = ""
    for line in script.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            yield text
            text = ""


def version(db: sqlite3.Connection) -> int:
    """Get the number of the last migration a store went through; 0 for one without tables."""
    (found,) = db.execute("PRAGMA user_version").fetchone()
    return int(found)


def refuse_newer(db: sqlite3.Connection, path: Path) -> None:
    """Refuse a store that a newer drupe has migrated.

    Raises:
        StoreFormatError: it is one.
    """
    found, newest = version(db), max(migrations())
    if found > newest:
        raise StoreFormatError(
            f"store {path}: it is of version {found}, this drupe knows versions up to {newest}: upgrade drupe"
        )


def migrate(db: sqlite3.Connection, path: Path) -> None:
    """Bring a store to the newest version, in one transaction: wholly or not at all.

    Raises:
        StoreFormatError: it is of a newer drupe, or of another program.
        sqlite3.Error: it cannot be read or written.
    """
    known = migrations()
    newest = max(known)
    if version(db) == newest:
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        refuse_foreign_database(db, path)
        refuse_newer(db, path)  # again: another program may have migrated it meanwhile
        found = version(db)
        for number, script in known.items():
            if number > found:
                for statement in statements(script):
                    db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {newest}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
