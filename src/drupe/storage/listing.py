"""What lists out of every database have in common: the values they are asked with, and the page that rows make."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from drupe.core.record import Page, Query, Record
from drupe.errors import CorruptedError

_CREATED: Final = Record.__struct_fields__.index("created")
_PID: Final = Record.__struct_fields__.index("pid")

Row = Sequence[Any]
"""The columns of a process, in the order of the fields of `Record`."""


def values(query: Query) -> dict[str, Any]:
    """Get the values of a query by the names they have in its statement."""
    after_created, after_pid = query.after or (None, None)
    return {
        "kind": query.kind,
        "parent": query.parent,
        "since": query.since,
        "before": query.before,
        "after_created": after_created,
        "after_pid": after_pid,
        "limit": query.limit + 1,  # one more tells whether another page follows
    }


def page_of(rows: Sequence[Row], query: Query, to_record: Callable[[Row], Record]) -> Page:
    """Get the page that rows make, of which there may be one more than the query wants."""
    more = len(rows) > query.limit
    rows = rows[: query.limit]
    following = (rows[-1][_CREATED], rows[-1][_PID]) if more else None
    return Page(tuple(readable(rows, to_record)), following)


def readable(rows: Sequence[Row], to_record: Callable[[Row], Record]) -> list[Record]:
    """Get the records; one that is damaged is left out here, and refused by name where it is asked for."""
    found = []
    for columns in rows:
        try:
            found.append(to_record(columns))
        except CorruptedError:
            continue
    return found
