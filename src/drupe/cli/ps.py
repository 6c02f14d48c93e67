"""`drupe ps`: the processes of a store, newest first, page by page."""

import asyncio
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import click
import msgspec

from drupe.cli.pid import PID, name, resolve, short
from drupe.cli.session import Session, global_flags, session_of
from drupe.core.lifecycle import State
from drupe.core.record import Query, Record, as_json, is_queued
from drupe.core.status import Lack
from drupe.interfaces.communicator import DEFAULT_QUEUE
from drupe.interfaces.store import Store

PAGE = 20


@click.command(short_help="List processes, the newest first.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in State], case_sensitive=False),
    help="Only in this state; may be given again.",
)
@click.option("--class", "kind", metavar="MODULE:CLASS", help="Only of this class.")
@click.option("--parent", metavar="PID", type=PID, help="Only children of this process.")
@click.option("--roots", is_flag=True, help="Only processes without a parent.")
@click.option("--paused", is_flag=True, help="Only paused ones.")
@click.option("--limit", type=click.IntRange(1), default=PAGE, show_default=True, help="At most so many, a page.")
@click.option("--after", metavar="PID", type=PID, help="Begin behind this process: the last one of the page before.")
@click.option("--all", "every", is_flag=True, help="All pages, not only one.")
@global_flags()
@click.pass_context
def ps(context: click.Context, /, *, every: bool, **filters: Any) -> None:
    """List processes, the newest first."""
    session = session_of(context)
    found = asyncio.run(_read(session, filters, every=every))
    records, more = found.records, found.more
    if session.json:
        session.put([_as_json(record, found.lacks) for record in records])
        return
    if session.fancy:
        _draw(session, found)
    else:
        for line in lines(records, found.lacks):
            session.say(line)
    for lack in sorted(set(map(str, found.lacks.values()))):
        session.note(lack)
    if more:
        session.note(f"there are more: drupe ps --after {short(records[-1].pid)}, or --all")
    elif not records:
        session.note("no processes")


class _Found(NamedTuple):
    """What is listed, whether there is more, and why nobody goes on with some of it."""

    records: list[Record]
    more: bool
    lacks: Mapping[str, Lack]


async def _read(session: Session, filters: Mapping[str, Any], *, every: bool) -> _Found:
    """Get a page, or all."""
    from drupe.cli.reading import open_for_reading
    from drupe.runtime.clock import SystemClock
    from drupe.service.wiring import lacks_of

    records: list[Record] = []
    async with open_for_reading(session.settings) as store:
        query = await _query(store, filters)
        while True:
            page = await store.list(query)
            records.extend(page.records)
            if page.next is None or not every:
                break
            query = msgspec.structs.replace(query, after=page.next)
        lacks = await lacks_of(session.settings, store, records, now=SystemClock().now())
        return _Found(records, page.next is not None, lacks)


async def _query(store: Store, filters: Mapping[str, Any]) -> Query:
    parent, after = filters["parent"], filters["after"]
    last = None if after is None else await store.record(await resolve(store, after))
    return Query(
        states=tuple(State(state) for state in filters["states"]),
        kind=filters["kind"],
        parent=None if parent is None else await resolve(store, parent),
        roots=filters["roots"],
        paused=True if filters["paused"] else None,
        limit=filters["limit"],
        after=None if last is None else (last.created, last.pid),
    )


def _as_json(record: Record, lacks: Mapping[str, Lack]) -> dict[str, Any]:
    lack = lacks.get(record.pid)
    return as_json(record) | ({} if lack is None else {"lack": lack})


def _status(record: Record, lacks: Mapping[str, Lack]) -> str:
    """Get what there is to say of a process, in a line: why no worker goes on with it, and what it says of itself."""
    from drupe.service.lacking import NOBODY

    lack = lacks.get(record.pid)
    said = (
        [] if lack is None or lack == NOBODY else [lack.said]
    )  # that there is no worker at all is said once, below the list
    if is_queued(record):
        said.append("in a queue" if record.queue in (None, DEFAULT_QUEUE) else f"in the queue {record.queue}")
    said += (record.status or "").splitlines()[:1]
    return "; ".join(said)


def lines(records: Sequence[Record], lacks: Mapping[str, Lack] = MappingProxyType({})) -> list[str]:
    """Get processes as lines, in columns."""
    from drupe.cli.appearance import moment

    rows = [("PID", "CLASS", "STATE", "CREATED", "PARENT", "STATUS")] if records else []
    for record in records:
        state = f"{record.state},paused" if record.paused else str(record.state)
        status = _status(record, lacks) or "-"
        rows.append(
            (record.pid, record.kind, state, moment(record.created).replace(" ", "T"), record.parent or "-", status)
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _draw(session: Session, found: _Found) -> None:
    from rich.text import Text

    from drupe.cli.appearance import ago, state_text, table
    from drupe.runtime.clock import SystemClock

    if not found.records:
        return
    now = SystemClock().now()
    shown = table("pid", "class", "state", "step", "created", "parent", "status")
    shown.columns[3].justify = "right"
    for record in found.records:
        shown.add_row(
            Text(short(record.pid), "bold"),
            name(record.kind),
            state_text(record.state, paused=record.paused),
            Text(str(record.seq), "bright_black"),
            Text(ago(record.created, now), "bright_black"),
            Text("" if record.parent is None else short(record.parent), "bright_black"),
            _status(record, found.lacks),
        )
    session.show(shown)
