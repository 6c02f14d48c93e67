"""Values of one column for many rows at once: arrays, in the form in which PostgreSQL itself has them.

A batch has a thousand values, and psycopg would look at each of them to find out what it is. Here the column says it.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final

from psycopg import Connection
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEADER: Final = struct.Struct(">iiiii")
_LENGTH: Final = struct.Struct(">i").pack
_NULL: Final = _LENGTH(-1)


class Column:
    """Values of one column."""

    oid: ClassVar[int]
    """Of the type of the array."""
    element: ClassVar[int]
    """Of the type of what is in it."""

    __slots__ = ("values",)

    def __init__(self, values: Iterable[Any]) -> None:
        self.values: Sequence[Any] = values if isinstance(values, list | tuple) else list(values)

    def encode(self) -> bytes:
        """Get the values as they are sent."""
        if not self.values:
            return _HEADER.pack(0, 0, self.element, 0, 0)[:12]
        body = self._body()
        nulls = int(None in self.values)
        return _HEADER.pack(1, nulls, self.element, len(self.values), 1) + body

    def _body(self) -> bytes:
        raise NotImplementedError


class Blobs(Column):
    """Bytes."""

    oid, element = 1001, 17
    __slots__ = ()

    def _body(self) -> bytes:
        return _joined(self.values)


class Texts(Column):
    """Texts, or None."""

    oid, element = 1009, 25
    __slots__ = ()

    def _body(self) -> bytes:
        return _joined([None if value is None else value.encode() for value in self.values])


class _Fixed(Column):
    """Values of one length, none of them None."""

    code: ClassVar[str]
    size: ClassVar[int]
    __slots__ = ()

    def _body(self) -> bytes:
        number, values = len(self.values), self.values
        mixed: list[Any] = [self.size] * (2 * number)
        mixed[1::2] = values
        return struct.pack(">" + ("i" + self.code) * number, *mixed)


class Numbers(_Fixed):
    """Whole numbers."""

    oid, element, code, size = 1016, 20, "q", 8
    __slots__ = ()


class Times(_Fixed):
    """Floating-point numbers."""

    oid, element, code, size = 1022, 701, "d", 8
    __slots__ = ()


class Flags(_Fixed):
    """Truth values."""

    oid, element, code, size = 1000, 16, "?", 1
    __slots__ = ()


def _joined(values: Sequence[bytes | None]) -> bytes:
    parts: list[bytes] = []
    for value in values:
        if value is None:
            parts.append(_NULL)
        else:
            parts.append(_LENGTH(len(value)))
            parts.append(value)
    return b"".join(parts)


class _ColumnDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Any) -> bytes:
        encoded: bytes = obj.encode()
        return encoded


def register(db: Connection[Any]) -> None:
    """Have a connection take columns as parameters."""
    for column in (Blobs, Texts, Numbers, Times, Flags):
        dumper = type(f"{column.__name__}Dumper", (_ColumnDumper,), {"oid": column.oid})
        db.adapters.register_dumper(column, dumper)
