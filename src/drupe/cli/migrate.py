"""`drupe migrate`: a store goes to another place, with everything in it."""

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from drupe.cli.session import Session, global_flags, session_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from drupe.service.database import Database
    from drupe.service.moving import Moved


@click.command(short_help="Move the store to a database, or to another file.")
@click.option(
    "--to", required=True, metavar="FILE|URL", help="Where to: postgresql://…, or a file; it has to be empty."
)
@click.option("--undo", is_flag=True, help="Take back a move that did not come to its end.")
@global_flags()
@click.pass_context
def migrate(context: click.Context, *, to: str, undo: bool) -> None:
    """Move the store to a database, or to another file, with everything in it, and compare both row by row.

    It is refused while somebody runs processes of it. From its beginning on nobody can write to the store any more: every
    program is told where it went. The other one is in use only when nothing differs. Killed at any moment, the same command
    again goes on; --undo takes it back as long as the other one is not in use. With --broker amqp://… the tasks that wait
    are sent there at the end; else they wait in the new store.
    """
    from drupe.cli.log import logged
    from drupe.cli.reading import refuse_missing
    from drupe.errors import StoreUnavailableError
    from drupe.service import migrating
    from drupe.service.profile import LOCAL

    session = session_of(context)
    settings = session.settings
    refuse_missing(settings)
    place = migrating.destination(to)
    if undo:
        done = migrating.take_back(settings, place)
        session.note(f"{settings.store} is in use again" if done else "there is no move to be taken back")
        return
    with logged(session), _progress(session) as seen:
        try:
            moved, beside = migrating.migrate(settings, place, seen=seen)
        except (KeyboardInterrupt, StoreUnavailableError):
            if migrating.is_unfinished(settings):
                session.note("the move is not finished: the same command again goes on, --undo takes it back")
            raise
        sent = asyncio.run(_hand_over(session, place))
    if session.json:
        told = {"id": moved.id, "from": str(settings.store), "to": str(place), "before": moved.before}
        session.put({**told, "rows": moved.rows, "tasks_sent": sent, "not_moved": beside})
    else:
        _tell(session, moved)
    if sent:
        session.note(f"tasks that waited and were sent to the broker: {sent}")
    if settings.broker != LOCAL and settings.origins["broker"] != "--broker":
        session.note("tasks that wait at the broker lie there under the old store's name: they are not moved")
    if beside:
        session.note(f"not moved, since they are not drupe's: {', '.join(beside)}")
    session.note(
        f"from now on the store is {place}: set `store` in drupe.toml, for everybody who uses {settings.store}"
    )


async def _hand_over(session: Session, place: "Path | Database") -> int:
    from drupe.cli.failure import warn
    from drupe.service import migrating
    from drupe.service.profile import LOCAL

    if session.settings.broker == LOCAL:
        return 0
    sent, left = await migrating.hand_over(session.settings, place)
    if left:
        warn(session, f"tasks that cannot be read, and stay in the store: {left}")
    return sent


def _tell(session: Session, moved: "Moved") -> None:
    if moved.before:
        session.note("it was moved before")
        return
    if session.fancy:
        from drupe.cli.appearance import table

        drawn = table("table", "rows", "")
        for name, count in moved.rows.items():
            drawn.add_row(name, f"{count:,}", "the same")
        session.show(drawn)
    else:
        for name, count in moved.rows.items():
            session.say(f"{name:<10}  {count:>9}  the same")


@contextmanager
def _progress(session: Session) -> "Iterator[Callable[[str, str, int], None]]":
    """Have a line that says what is being done, where a person follows it."""
    if not session.live:
        yield lambda doing, table, rows: None
        return
    with session.console(stderr=True).status("closes the store") as status:
        yield lambda doing, table, rows: status.update(f"{doing} {table}: {rows:,} rows")
