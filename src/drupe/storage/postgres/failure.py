"""What PostgreSQL's own errors mean to who uses a store: which of drupe's errors, and what to do about it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import psycopg
from psycopg import errors

from drupe.errors import (
    CorruptedError,
    DrupeError,
    StoreError,
    StoreFormatError,
    StoreMovedError,
    StoreUnavailableError,
    TooLargeError,
)
from drupe.storage.postgres.seal import CLOSED

_GONE: Final = "it cannot be used now; see whether the server runs, and lets this user into this database"
_UNAVAILABLE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "53100": "no space is left on the server's disk; free some, nothing of what was committed is lost",
        "53300": "the server has no connection left; see max_connections, and who holds them",
        "25006": "the server takes no writes: it is a standby, or read-only; name the one that does",
        "42501": "this user may not do that here; see who owns the schema and its tables",
        "55P03": "somebody else has kept a row locked for too long; see pg_stat_activity",
        "40P01": "others kept writing the same rows; it may be tried again",
        "40001": "others kept writing the same rows; it may be tried again",
    }
)
_MISSING: Final = (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName)


class RacedError(Exception):
    """A write found that another one had been in between; it is tried again."""


RACES: Final = (
    RacedError,
    errors.UniqueViolation,
    errors.DeadlockDetected,
    errors.SerializationFailure,
    errors.LockNotAvailable,
)
"""Errors of a transaction that met another one: nothing was written, and the next try finds what that one left."""


def translate(error: BaseException, where: str) -> DrupeError:
    """Get drupe's error for one that came out of the database, with ``where``, the reason and what to do."""
    if isinstance(error, DrupeError):
        return error
    found = _found(error, f"store {where}: ")
    found.__cause__ = error
    return found


def _found(error: BaseException, store: str) -> StoreError:
    if isinstance(error, psycopg.Error) and error.sqlstate == CLOSED:
        return StoreMovedError(f"{store}{_said(error)}")
    if isinstance(error, errors.ProgramLimitExceeded):
        return TooLargeError(f"{store}a value is larger than PostgreSQL allows; nothing was written ({_said(error)})")
    if isinstance(error, _MISSING):
        return StoreFormatError(f"{store}its tables are not there (any more) ({_said(error)})")
    if isinstance(error, errors.DataCorrupted | errors.IndexCorrupted):
        return CorruptedError(f"{store}its pages are damaged here; bring back a copy ({_said(error)})")
    why = _UNAVAILABLE.get(error.sqlstate or "") if isinstance(error, psycopg.Error) else None
    if why is not None:
        return StoreUnavailableError(f"{store}{why} ({_said(error)})")
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | OSError):
        return StoreUnavailableError(f"{store}{_GONE} ({_said(error)})")
    if isinstance(error, RacedError):
        return StoreUnavailableError(f"{store}others kept writing the same rows; it may be tried again")
    # a value it cannot hold, for example a text that is not valid Unicode
    return StoreError(f"{store}{type(error).__name__}: {_said(error)}; nothing was written")


def _said(error: BaseException) -> str:
    """Get what the server said, in one line and without the values of a row."""
    primary = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    return " ".join((primary or str(error)).split())
