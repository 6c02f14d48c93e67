"""What every database does alike with rows that go from one to another.

It looks whether they are what they should be, and counts delays so that they are the same on both sides.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any, Final

from drupe.core.inventory import Row, Table
from drupe.core.issue import brief
from drupe.errors import StoreError, StoreInUseError, StoreMovedError, StoreNotEmptyError
from drupe.interfaces.moving import Mark, Phase, Side

MARK: Final = tuple(field.name for field in fields(Mark))
"""The columns of the table that says how far a move is."""
_GRAINS: Final = 1024.0
"""Parts of a second. A time of day and a delay in these add up without rounding, so a delay is read as it was written."""


def rounded(clock: float) -> float:
    """Get a time that delays can be added to and taken from exactly."""
    return math.floor(clock * _GRAINS) / _GRAINS


def delay(due: float | None, clock: float) -> float | None:
    """Get how long after ``clock`` something is due; None: at once."""
    if due is None or due <= clock:
        return None
    return math.ceil((due - clock) * _GRAINS) / _GRAINS


def mark_of(row: Sequence[Any]) -> Mark:
    """Get a mark from its row, whose columns are those of `MARK`."""
    found = dict(zip(MARK, row, strict=True))
    return Mark(**{**found, "side": Side(found["side"]), "phase": Phase(found["phase"])})


class Check:
    """Passes rows whose values are what their columns hold.

    Args:
        where: which store, for messages.
        table: whose rows.
    """

    def __init__(self, where: str, table: Table) -> None:
        self._where = where
        self._table = table
        self._fine: set[tuple[type, ...]] = set()

    def __call__(self, row: Row) -> Row:
        """Get the row back.

        Raises:
            StoreError: a value is of another type; names table, row, column and value.
        """
        types = tuple(map(type, row))
        if types not in self._fine:
            self._look(row)
            self._fine.add(types)
        return row

    def _look(self, row: Row) -> None:
        for column, value in zip(self._table.columns, row, strict=True):
            if not (type(value) is column.kind.value or (value is None and column.optional)):
                raise unkept(
                    self._where, self._table, row, column.name, value, f"expected {column.kind.name.lower()} there"
                )


def unkept(where: str, table: Table, row: Row, column: str, value: object, why: str) -> StoreError:
    """Get the error for a value that cannot go to another database."""
    return StoreError(
        f"store {where}: table {table.name}, {table.label(row)}: its {column} cannot be moved: {why}, got {brief(value)}"
    )


def moved(where: str, mark: Mark) -> StoreMovedError:
    """Get the error for whoever wants to write what is closed."""
    return StoreMovedError(f"store {where}: {mark.said}")


def changed(where: str, mark: Mark) -> StoreMovedError:
    """Get the error for whoever goes on with a move that is not as far, or further, than it should be."""
    return StoreMovedError(
        f"store {where}: the move {mark.id} is not where it was left: another `drupe migrate` is at work, or it was taken back"
    )


def in_use(where: str, names: Sequence[str]) -> StoreInUseError:
    """Get the error for a store that somebody works with. An owner's name begins with the number of its program."""
    programs = [name.partition("-")[0] for name in names]
    who = ", ".join(f"program {program} ({name})" for program, name in zip(programs, names, strict=True))
    return StoreInUseError(
        f"store {where}: {who} runs processes of it; end that first: `kill -TERM {' '.join(programs)}` lets running steps end"
    )


def filled(where: str, tables: Iterable[str], mark: Mark | None) -> StoreNotEmptyError:
    """Get the error for a place where there is something already."""
    what = ", ".join(sorted(tables))
    rest = f" ({mark.said}: `drupe migrate --undo` removes it)" if mark is not None and mark.closes else ""
    return StoreNotEmptyError(f"store {where}: there is something already, in {what}{rest}; name an empty place")
