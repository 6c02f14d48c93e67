"""Rows of the process table as records."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from drupe.core.record import Record
from drupe.errors import CorruptedError

Execute = Callable[..., sqlite3.Cursor]
"""Runs one statement."""

FIELDS: Final = Record.__struct_fields__
COLUMNS: Final = ", ".join(FIELDS)

_SELECT: Final = f"SELECT {COLUMNS} FROM process WHERE pid = ?"  # noqa: S608 (names of fields)
_SELECT_MANY: Final = f"SELECT {COLUMNS} FROM process WHERE pid IN (SELECT value FROM json_each(?))"  # noqa: S608 (likewise)


def to_record(row: Sequence[Any]) -> Record:
    """Get a record from its columns.

    Raises:
        CorruptedError: a column has a value that drupe never writes.
    """
    try:
        return msgspec.convert(dict(zip(FIELDS, row, strict=True)), Record, strict=False)
    except msgspec.ValidationError as error:
        raise CorruptedError(f"process {row[0]}: its row is damaged in the store: {error}") from error


def find(execute: Execute, pid: str) -> Record | None:
    """Get the record of a pid, if it is there.

    Raises:
        CorruptedError: its row is damaged.
    """
    rows = execute(_SELECT, (pid,)).fetchall()
    return to_record(rows[0]) if rows else None


def find_many(execute: Execute, pids: Sequence[str]) -> dict[str, Record]:
    """Get the records of those of many pids that are there.

    Raises:
        CorruptedError: a row is damaged.
    """
    found = map(to_record, execute(_SELECT_MANY, (json.dumps(pids),)).fetchall())
    return {record.pid: record for record in found}
