"""Statements of a step's own, that its store runs in the transaction of the step's checkpoint: plain data."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from drupe.errors import StatementError

ALLOWED: Final = ("ALTER", "CREATE", "DELETE", "DROP", "INSERT", "MERGE", "REPLACE", "UPDATE", "WITH")
"""Words that a statement may begin with: those that change data or tables, none that begins or ends a transaction."""

_VALUES: Final = (type(None), bool, int, float, str, bytes)
_FIRST: Final = re.compile(r"(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*([A-Za-z]+)", re.DOTALL)
_SHOWN: Final = 120


class Statement(msgspec.Struct, frozen=True):
    """One statement, as it is given to the database."""

    sql: str
    parameters: tuple[Any, ...] | dict[str, Any] = ()
    rows: int | None = None
    """How many rows it has to change; any number if None."""

    @property
    def size(self) -> int:
        """About how many bytes it has."""
        values = self.parameters.values() if isinstance(self.parameters, dict) else self.parameters
        return len(self.sql) + sum(len(value) if isinstance(value, str | bytes) else 8 for value in values)

    @property
    def shown(self) -> str:
        """Its beginning, for people; its values are nobody's business."""
        text = " ".join(self.sql.split())
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def statement(sql: str, parameters: Sequence[Any] | Mapping[str, Any] = (), rows: int | None = None) -> Statement:
    """Get a statement that may be run with a checkpoint.

    Raises:
        StatementError: it does not begin as one that changes data, a value is none that every database takes, or no
            statement can change so many rows.
    """
    found = _FIRST.match(sql)
    if found is None or found[1].upper() not in ALLOWED:
        raise StatementError(
            f"a statement that is written with a checkpoint begins with {', '.join(ALLOWED[:-1])} or {ALLOWED[-1]}, not"
            f" like {sql[:_SHOWN]!r}; what begins and ends the transaction is the checkpoint"
        )
    if rows is not None and (type(rows) is not int or rows < 0):
        raise StatementError(f"rows: how many rows a statement has to change is a number from 0, not {rows!r}")
    if isinstance(parameters, Mapping):
        for name, value in parameters.items():
            _check(f"parameter {name!r}", value)
        return Statement(sql, dict(parameters), rows)
    if isinstance(parameters, str | bytes) or not isinstance(parameters, Sequence):
        raise StatementError(f"parameters: expected a sequence or a mapping of values, got {type(parameters).__name__}")
    for place, value in enumerate(parameters, start=1):
        _check(f"parameter {place}", value)
    return Statement(sql, tuple(parameters), rows)


def _check(where: str, value: object) -> None:
    if type(value) not in _VALUES:
        raise StatementError(
            f"{where}: expected None, bool, int, float, str or bytes, got {type(value).__name__}: make it one of these"
        )
