"""`drupe workers`: who runs processes of this store, and what each has to do."""

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import click

from drupe.cli.exit_code import ExitCode
from drupe.cli.session import global_flags, session_of

if TYPE_CHECKING:
    from drupe.core.status import Attendance, Lack
    from drupe.service.attendance import Sighting

LEFT = 100
"""So many processes that nobody holds are looked at."""


@click.command(short_help="List who runs processes, and what they have to do.")
@click.option("--check", is_flag=True, help="Fail with exit code 12 unless a worker answers.")
@global_flags()
@click.pass_context
def workers(context: click.Context, *, check: bool) -> int:
    """List who runs processes, and what they have to do: workers, and programs that run something for themselves.

    Who does not answer is listed as the store knows it. A step that blocks a worker is named. With --check it tells, by
    its exit code, whether a worker is there: for health checks. Processes that none of them can run are counted.
    """
    from drupe.cli.reading import refuse_missing
    from drupe.runtime.clock import SystemClock
    from drupe.service.attendance import attending
    from drupe.service.wiring import lacks_of, open_remote

    session = session_of(context)
    refuse_missing(session.settings)

    async def ask() -> "tuple[list[Sighting], dict[str, Lack]]":
        async with open_remote(session.settings) as remote:
            found = await attending(remote.store, remote.communicator)
            left = await remote.store.free(limit=LEFT)
            return found, await lacks_of(session.settings, remote.store, left, now=SystemClock().now())

    found, lacks = asyncio.run(ask())
    if session.json:
        session.put([each.as_json() for each in found])
    else:
        for line in lines(found):
            session.say(line)
    for lack, count in sorted(Counter(map(str, lacks.values())).items()):
        session.note(f"{lack} ({count} of the oldest processes that could go on)")
    if check and not any(each.said is not None and each.said.queue is not None for each in found):
        session.note("no worker answers")
        return ExitCode.AILING
    return ExitCode.OK


def lines(found: "list[Sighting]") -> list[str]:
    """Get them as lines, in columns."""
    rows = [("NAME", "HOST", "PROGRAM", "VERSION", "QUEUE", "SLOTS", "HOLDS", "LEASE", "DOES")] if found else []
    for each in found:
        left = "of another boot" if each.owner.left is None else f"{each.owner.left:.1f} s"
        held = str(each.owner.held)
        if (said := each.said) is None:
            rows.append((each.owner.name, "-", "-", "-", "-", "-", held, left, "does not answer"))
        else:
            slots = "-" if said.slots is None else f"{said.active}/{said.slots}"
            program = (said.host, str(said.program), said.version, said.queue or "-", slots)
            rows.append((each.owner.name, *program, held, left, _doing(said)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _doing(said: "Attendance") -> str:
    if (blocked := said.blocked) is None:
        return "works" if said.active else "waits for work"
    what = f"{blocked.kind}.{blocked.step}" if blocked.kind else "something that is no step of drupe's"
    return f"blocked for {blocked.seconds:.1f} s by {what}"
