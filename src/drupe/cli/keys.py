"""`drupe keys`: the keys by which messages are sealed."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from drupe.cli.session import Session, global_flags, session_of
from drupe.core.role import Role

if TYPE_CHECKING:
    from drupe.core.key import Key


@click.group(short_help="Make keys that seal messages, and list them.", invoke_without_command=True)
@click.pass_context
def keys(context: click.Context) -> None:
    """Make keys by which messages are sealed on their way through a broker, and list them."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@keys.command(short_help="Make a key.")
@click.option(
    "--role",
    type=click.Choice([role.word for role in Role]),
    default=Role.LAUNCH.word,
    show_default=True,
    help="What it lets its holders do; a role includes those before it.",
)
@click.option(
    "--after",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="Seal with it from then on only, so that it can be copied to the other machines meanwhile.",
)
@global_flags()
@click.pass_context
def new(context: click.Context, role: str, after: float) -> None:
    """Make a key and put it into the file that the setting `keys` names.

    The file is for its owner only. Copy it to the other machines yourself.
    """
    from drupe.runtime.clock import SystemClock
    from drupe.service import keys as service

    session = session_of(context)
    path = session.settings.keys
    key = service.new(Role[role.upper()], since=SystemClock().now() + after)
    service.add(path, key)
    if session.json:
        session.put({**_plain(key), "file": str(path)})
    else:
        session.say(key.name)
        session.note(f"key {key.name} ({role}) is in {path}; keep that file to yourself")


@keys.command("list", short_help="List the keys, without their secrets.")
@global_flags()
@click.pass_context
def list_(context: click.Context) -> None:
    """List the keys that are known here, without their secrets."""
    from drupe.runtime.clock import SystemClock
    from drupe.service import keys as service

    session = session_of(context)
    ring = service.read(session.settings.keys)
    sealing = ring.sealing_all(SystemClock().now())
    rows = [{**_plain(key), "seals": key in sealing} for key in ring]
    if session.json:
        session.put(rows)
    elif session.fancy:
        _draw(session, rows)
    else:
        for row in rows:
            session.say(f"{row['id']}  {row['role']:<7}  {row['since']}  {'seals' if row['seals'] else ''}".rstrip())


def _plain(key: "Key") -> dict[str, Any]:
    since = datetime.fromtimestamp(key.since, UTC)
    return {"id": key.name, "role": key.role.word, "since": since.strftime("%Y-%m-%dT%H:%M:%SZ")}


def _draw(session: Session, rows: list[dict[str, Any]]) -> None:
    from drupe.cli.appearance import table

    drawn = table("key", "role", "since", "")
    for row in rows:
        drawn.add_row(row["id"], row["role"], row["since"], "seals" if row["seals"] else "")
    session.show(drawn)
