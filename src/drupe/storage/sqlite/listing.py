"""Lists: newest first, page by page, each a few index ranges that are merged, never a scan and never a sort of all.

An index leads to processes by class and parent, each given or not; behind those, state and pause take so few
values that a list which does not filter by them asks for each and merges. What a range yields is in order
and limited, so the work depends on the length of the page, not on how many processes there are.
"""

import functools
from itertools import product
from typing import Final

from drupe.core.lifecycle import State
from drupe.core.record import Page, Query
from drupe.storage import rule
from drupe.storage.listing import page_of, values
from drupe.storage.sqlite import row
from drupe.storage.sqlite.row import Execute

_SINCE: Final = " AND created >= :since"
_BEFORE: Final = " AND created < :before"
_AFTER: Final = " AND (created, pid) < (:after_created, :after_pid)"
_ORDER: Final = "ORDER BY created DESC, pid DESC LIMIT :limit"
_INDEX: Final = {
    (False, False): "process_by_state",
    (True, False): "process_by_kind",
    (False, True): "process_by_parent",
    (True, True): "process_by_kind_and_parent",
}


def page(execute: Execute, query: Query) -> Page:
    """See `Store.list`."""
    rule.check_query(query)
    if query.roots and query.parent is not None:
        return Page(())  # a root has no parent
    return page_of(execute(statement(query), values(query)).fetchall(), query, row.to_record)


def statement(query: Query) -> str:
    """Get the statement for a query; the same for all that differ in their values only."""
    return _statement(
        (query.kind is not None, query.roots or query.parent is not None),
        tuple(dict.fromkeys(query.states)) or tuple(State),
        (False, True) if query.paused is None else (query.paused,),
        (_SINCE if query.since is not None else "")
        + (_BEFORE if query.before is not None else "")
        + (_AFTER if query.after is not None else ""),
    )


@functools.lru_cache(maxsize=512)
def _statement(given: tuple[bool, bool], states: tuple[State, ...], paused: tuple[bool, ...], bounds: str) -> str:
    by_kind, by_parent = given
    chosen = ("kind = :kind AND " if by_kind else "") + ("parent IS :parent AND " if by_parent else "")
    ranges = " UNION ALL ".join(
        # The values are the closed sets State and bool, written out so that each range is a plain look-up.
        f"SELECT * FROM (SELECT created, pid FROM process INDEXED BY {_INDEX[given]}"  # noqa: S608
        f" WHERE {chosen}state = '{state.value}' AND paused = {int(held)}{bounds} {_ORDER})"
        for state, held in product(states, paused)
    )
    columns = ", ".join(f"process.{name}" for name in row.FIELDS)
    return (
        f"SELECT {columns} FROM (SELECT created, pid FROM ({ranges}) {_ORDER}) AS listed"  # noqa: S608
        " CROSS JOIN process ON process.pid = listed.pid ORDER BY listed.created DESC, listed.pid DESC"
    )
