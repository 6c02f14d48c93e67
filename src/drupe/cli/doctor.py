"""`drupe doctor`: whether all that drupe needs is there, and what to do where it is not."""

from typing import TYPE_CHECKING

import click

from drupe.cli.exit_code import ExitCode
from drupe.cli.session import Session, global_flags, session_of

if TYPE_CHECKING:
    from drupe.service.doctor import Finding


@click.command(short_help="Look for what is wrong, and say what to do.")
@global_flags()
@click.pass_context
def doctor(context: click.Context) -> ExitCode:
    """Look for what is wrong, and say what to do.

    Versions, permissions, keys, the store, the way messages take, clocks, who is at work, and processes that are stuck:
    nothing of it is changed. The exit code tells whether something does not work.
    """
    from drupe.runtime import bridge
    from drupe.service.doctor import Grade, examine

    session = session_of(context)
    with session.user_code():
        found = bridge.run(examine(session.settings))
    if session.json:
        session.put(found)
    elif session.fancy:
        _draw(session, found)
    else:
        for each in found:
            session.say(
                f"{each.grade} {each.subject}: {each.said}{'' if each.advice is None else f' -> {each.advice}'}"
            )
    return ExitCode.AILING if any(each.grade is Grade.BAD for each in found) else ExitCode.OK


def _draw(session: Session, found: "list[Finding]") -> None:
    from rich.text import Text

    from drupe.cli.appearance import table

    colours = {"good": "green", "care": "yellow", "bad": "bold red"}
    rows = table("", "what", "found", "what to do")
    for each in found:
        rows.add_row(
            Text(str(each.grade), colours[each.grade]),
            Text(each.subject, "bold"),
            Text(each.said),
            Text(each.advice or "", "cyan"),
        )
    session.show(rows)
