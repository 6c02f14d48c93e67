"""Rows of the process table as records."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from drupe.core.record import Record
from drupe.errors import CorruptedError
from drupe.storage import rule
from drupe.storage.postgres.column import Texts
from drupe.storage.postgres.transaction import Cursor

Execute = Callable[..., Cursor]
"""Runs one statement."""

FIELDS: Final = Record.__struct_fields__
COLUMNS: Final = ", ".join(FIELDS)

_SELECT: Final = f"SELECT {COLUMNS} FROM process WHERE pid = %s"  # noqa: S608 (names of fields)
_SELECT_ALL: Final = f"SELECT {COLUMNS} FROM process WHERE pid = ANY(%s)"  # noqa: S608


def to_record(row: Sequence[Any]) -> Record:
    """Get a record from its columns.

    Raises:
        CorruptedError: a column has a value that drupe never writes.
    """
    try:
        return msgspec.convert(dict(zip(FIELDS, row, strict=True)), Record)
    except msgspec.ValidationError as error:
        raise CorruptedError(f"process {row[0]}: its row is damaged in the store: {error}") from error


def find(execute: Execute, pid: str) -> Record | None:
    """Get the record of a pid, if it is there.

    Raises:
        CorruptedError: its row is damaged.
    """
    if not rule.is_pid(pid):
        return None
    row = execute(_SELECT, (pid,)).fetchone()
    return None if row is None else to_record(row)


def find_all(execute: Execute, pids: Iterable[str], lock: str = "") -> dict[str, Record]:
    """Get the records of those pids that are there, and lock their rows, in the order in which everybody does.

    Args:
        execute: runs a statement.
        pids: which.
        lock: how, for example ``FOR SHARE``.

    Raises:
        CorruptedError: a row is damaged.
    """
    wanted = sorted({pid for pid in pids if rule.is_pid(pid)})
    if not wanted:
        return {}
    order = f" ORDER BY pid {lock}" if lock else ""
    rows = execute(_SELECT_ALL + order, (Texts(wanted),)).fetchall()
    return {row[0]: to_record(row) for row in rows}
