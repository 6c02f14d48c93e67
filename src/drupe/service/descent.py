"""Which processes of a store are meant: those that a query lists, and those that come from one."""

from collections.abc import AsyncIterator

import msgspec

from drupe.core.lifecycle import LIVING, TERMINAL
from drupe.core.record import Query, Record
from drupe.interfaces.store import Store

_PAGE = 500


async def matching(store: Store, query: Query) -> AsyncIterator[tuple[Record, ...]]:
    """Get the living processes that a query lists, page by page."""
    states = tuple(state for state in query.states or LIVING if state not in TERMINAL)
    if not states:
        return
    wanted: Query | None = msgspec.structs.replace(query, states=states)
    while wanted is not None:
        page = await store.list(wanted)
        if page.records:
            yield page.records
        wanted = None if page.next is None else msgspec.structs.replace(wanted, after=page.next)


async def descendants(store: Store, pid: str) -> list[Record]:
    """Get the living descendants of a process, those nearer to it first. One that has ended may have living ones."""
    found: list[Record] = []
    layer = [pid]
    while layer:
        below = [row for parent in layer for row in await _children(store, parent)]
        found += [row for row in below if row.state not in TERMINAL]
        layer = [row.pid for row in below]
    return found


async def _children(store: Store, pid: str) -> list[Record]:
    found: list[Record] = []
    query: Query | None = Query(parent=pid, limit=_PAGE)
    while query is not None:
        page = await store.list(query)
        found.extend(page.records)
        query = None if page.next is None else msgspec.structs.replace(query, after=page.next)
    return found[::-1]
