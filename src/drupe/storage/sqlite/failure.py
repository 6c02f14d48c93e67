"""What SQLite's own errors mean to who uses a store: which of drupe's errors, and what to do about it."""

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from drupe.errors import (
    CorruptedError,
    DrupeError,
    StatementError,
    StoreError,
    StoreFormatError,
    StoreUnavailableError,
    TooLargeError,
)
from drupe.storage.sqlite import seal

_UNAVAILABLE: Final[Mapping[int, str]] = MappingProxyType(
    {
        sqlite3.SQLITE_FULL: "no space is left on its disk; free some, nothing of what was committed is lost",
        sqlite3.SQLITE_READONLY: "it cannot be written; check the permissions of the file and of its folder",
        sqlite3.SQLITE_PERM: "it cannot be written; check the permissions of the file and of its folder",
        sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that its folder is there and may be written",
        sqlite3.SQLITE_BUSY: "another program has kept it locked for too long; see which one has the file open",
        sqlite3.SQLITE_LOCKED: "another program has kept it locked for too long; see which one has the file open",
        sqlite3.SQLITE_IOERR: "its disk reports an error, or is full; check the disk and the limits on file sizes",
    }
)
_OTHER: Final[Mapping[int, tuple[Callable[[str], StoreError], str]]] = MappingProxyType(
    {
        sqlite3.SQLITE_NOTADB: (StoreFormatError, "it is not a drupe store; set `store` to another path"),
        sqlite3.SQLITE_CORRUPT: (
            CorruptedError,
            "its pages are damaged here; bring back a copy, others are unaffected",
        ),
        sqlite3.SQLITE_CONSTRAINT: (
            StatementError,
            "a constraint forbids what a step writes with its checkpoint; nothing of the step was written",
        ),
        sqlite3.SQLITE_TOOBIG: (TooLargeError, "a value is larger than SQLite allows; nothing was written"),
    }
)


_OF_THE_PLACE: Final = frozenset({*_UNAVAILABLE, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT})


def is_of_the_place(error: Exception) -> bool:
    """Tell whether it is the file, its disk, or who else has it open, and not what was asked."""
    return _primary(error) in _OF_THE_PLACE


def translate(error: Exception, path: Path) -> DrupeError:
    """Get drupe's error for one that came out of SQLite, with ``path``, the reason and what to do."""
    if isinstance(error, DrupeError):
        return error
    primary = _primary(error)
    closed = seal.refused(error, path) if isinstance(error, sqlite3.IntegrityError) else None
    if closed is not None:
        found: DrupeError = closed
    elif primary in _OTHER:
        kind, what = _OTHER[primary]
        found = kind(f"store {path}: {what} ({error})")
    elif primary in _UNAVAILABLE:
        found = StoreUnavailableError(f"store {path}: {_UNAVAILABLE[primary]} ({error})")
    elif isinstance(error, OSError):
        found = StoreUnavailableError(f"store {path}: {error}; check its folder, and the permissions of both")
    else:  # a value SQLite cannot hold, for example a text that is not valid Unicode
        found = StoreError(f"store {path}: {type(error).__name__}: {error}; nothing was written")
    found.__cause__ = error
    return found


def _primary(error: Exception) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
