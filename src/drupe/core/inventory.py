"""What is in a store, table by table, in the form in which it goes from one database to another.

Every database keeps the same columns, each in its own way. What only means something where it was written, the lease of
an owner and the steady time of a machine, is not here: nobody lives in a store that is moved, and a task that is not due
yet says how long that lasts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

Row = tuple[Any, ...]
"""The values of a row, in the order of the columns."""


class Kind(Enum):
    """What a column holds."""

    TEXT = str
    NUMBER = int
    REAL = float
    FLAG = bool
    BYTES = bytes


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        name: as in every database.
        kind: what it holds.
        optional: whether it may have no value.
        told: whether it is a text for people, which a database may show in other characters than it was given.
    """

    name: str
    kind: Kind
    optional: bool = False
    told: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        name: as in every database.
        key: how many of its first columns tell a row from all others; rows are in the order of these.
        columns: all of them.
    """

    name: str
    key: int
    columns: Sequence[Column]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.name for column in self.columns)

    @property
    def order(self) -> str:
        """The columns of the key, as they are listed in a statement."""
        return ", ".join(self.names[: self.key])

    def key_of(self, row: Row) -> Row:
        """Get what tells a row from all others."""
        return row[: self.key]

    def label(self, row: Row) -> str:
        """Get how a row is named for people."""
        return ", ".join(f"{name} {value}" for name, value in zip(self.names, self.key_of(row), strict=False))


def _columns(words: str) -> Iterator[Column]:
    """Read columns from words like ``name:kind``; ``?`` behind the kind: it may have no value, ``~``: it is for people."""
    for word in words.split():
        name, _, kind = word.partition(":")
        yield Column(name, _KINDS[kind.rstrip("?~")], optional="?" in kind, told="~" in kind)


_KINDS: Final = MappingProxyType(
    {"text": Kind.TEXT, "number": Kind.NUMBER, "real": Kind.REAL, "flag": Kind.FLAG, "bytes": Kind.BYTES}
)


def _table(name: str, key: int, words: str) -> Table:
    return Table(name, key, tuple(_columns(words)))


DELAY: Final = "delay"
"""The column of tasks that no database has: seconds until one is due, counted from when its store was closed for the move."""

TABLES: Final = (
    _table(
        "process",
        1,
        "pid:text kind:text version:number state:text paused:flag status:text?~ seq:number epoch:number owner:text?"
        " attempts:number parent:text? generation:number retry_of:text? created:real updated:real digest:bytes"
        " parked:flag wake_at:real? queue:text? tail:text",
    ),
    _table("inputs", 1, "pid:text hash:bytes body:bytes"),
    _table("checkpoint", 2, "pid:text seq:number at:real hash:bytes body:bytes"),
    _table("event", 2, "pid:text seq:number at:real event:text state:text detail:text?~"),
    _table(
        "inbox",
        1,
        "number:number id:text pid:text verb:text name:text? body:bytes at:real outcome:text detail:text?~ answered:real?",
    ),
    _table("task", 1, "number:number id:text queue:text body:bytes attempt:number holder:text? delay:real?"),
)
"""All that is moved, in an order in which what is referred to comes first."""
