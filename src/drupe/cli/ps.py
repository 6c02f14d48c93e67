"""`drupe ps`: the processes of a store, newest first, page by page."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import click
import msgspec

from drupe.cli.pid import PID, name, resolve, short
from drupe.cli.session import Session, global_flags, session_of
from drupe.core.lifecycle import State
from drupe.core.record import Query, Record, as_json
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
    records, more = asyncio.run(_read(session, filters, every=every))
    if session.json:
        session.put([as_json(record) for record in records])
        return
    if session.fancy:
        _draw(session, records)
    else:
        for line in lines(records):
            session.say(line)
    if more:
        session.note(f"there are more: drupe ps --after {short(records[-1].pid)}, or --all")
    elif not records:
        session.note("no processes")


async def _read(session: Session, filters: Mapping[str, Any], *, every: bool) -> tuple[list[Record], bool]:
    """Get the records of a page, or of all, and whether there are more."""
    from drupe.cli.reading import open_for_reading

    records: list[Record] = []
    async with open_for_reading(session.settings) as store:
        query = await _query(store, filters)
        while True:
            page = await store.list(query)
            records.extend(page.records)
            if page.next is None or not every:
                return records, page.next is not None
            query = msgspec.structs.replace(query, after=page.next)


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


def lines(records: Sequence[Record]) -> list[str]:
    """Get processes as lines, in columns."""
    from drupe.cli.appearance import moment

    rows = [("PID", "CLASS", "STATE", "CREATED", "PARENT", "STATUS")] if records else []
    for record in records:
        state = f"{record.state},paused" if record.paused else str(record.state)
        status = (record.status or "-").splitlines()[0]
        rows.append(
            (record.pid, record.kind, state, moment(record.created).replace(" ", "T"), record.parent or "-", status)
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _draw(session: Session, records: Sequence[Record]) -> None:
    from rich.text import Text

    from drupe.cli.appearance import ago, state_text, table
    from drupe.runtime.clock import SystemClock

    if not records:
        return
    now = SystemClock().now()
    shown = table("pid", "class", "state", "step", "created", "parent", "status")
    shown.columns[3].justify = "right"
    for record in records:
        shown.add_row(
            Text(short(record.pid), "bold"),
            name(record.kind),
            state_text(record.state, paused=record.paused),
            Text(str(record.seq), "bright_black"),
            Text(ago(record.created, now), "bright_black"),
            Text("" if record.parent is None else short(record.parent), "bright_black"),
            (record.status or "").partition("\n")[0],
        )
    session.show(shown)
