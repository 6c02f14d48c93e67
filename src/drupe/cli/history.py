"""`drupe history`: what happened to a process, in order."""

import asyncio
from collections.abc import Sequence

import click

from drupe.cli.pid import PID, resolve
from drupe.cli.session import Session, global_flags, session_of
from drupe.core.record import Event, as_json


@click.command(short_help="List what happened to a process.")
@click.argument("pid", type=PID)
@click.option("--after", type=click.IntRange(0), default=0, metavar="N", help="Only what came behind checkpoint N.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most so many.")
@global_flags()
@click.pass_context
def history(context: click.Context, pid: str, after: int, limit: int | None) -> None:
    """List what happened to a process, in order: each line was committed with the checkpoint of its number."""
    from drupe.cli.reading import open_for_reading

    session = session_of(context)

    async def read() -> list[Event]:
        async with open_for_reading(session.settings) as store:
            return await store.history(await resolve(store, pid), after=after, limit=limit)

    events = asyncio.run(read())
    if session.json:
        session.put([as_json(event) for event in events])
    elif session.fancy:
        _draw(session, events)
    else:
        for line in lines(events):
            session.say(line)


def lines(events: Sequence[Event]) -> list[str]:
    """Get events as lines, in columns."""
    from drupe.cli.appearance import moment

    return [
        "  ".join(
            [f"{event.seq:>6}", moment(event.at).replace(" ", "T"), f"{event.event:<9}", _first_line(event)]
        ).rstrip()
        for event in events
    ]


def _draw(session: Session, events: Sequence[Event]) -> None:
    from rich.text import Text

    from drupe.cli.appearance import COLOUR, SIGN, moment, table

    rows = table("#", "when", "after", "what", "")
    for column in (0, 2):
        rows.columns[column].justify = "right"
    before = events[0].at if events else 0.0
    for event in events:
        rows.add_row(
            Text(str(event.seq), "bright_black"),
            moment(event.at),
            Text(f"+{max(0.0, event.at - before):.3f} s", "bright_black"),
            Text(f"{SIGN[event.state]} {event.event}", COLOUR[event.state]),
            _first_line(event),
        )
        before = event.at
    session.show(rows)


def _first_line(event: Event) -> str:
    return (event.detail or "").partition("\n")[0]
