"""`drupe retry`: what excepted, or was quarantined, is tried again."""

import asyncio
from collections.abc import Sequence
from typing import Any

import click

from drupe.cli.exit_code import ExitCode
from drupe.cli.pid import PID, resolve
from drupe.cli.session import global_flags, session_of


@click.command(short_help="Try processes again that excepted or were quarantined.")
@click.argument("pids", metavar="PID...", nargs=-1, required=True, type=PID)
@global_flags()
@click.pass_context
def retry(context: click.Context, pids: Sequence[str]) -> int:
    """Try processes again, and write the pids of those that do; a worker, or `drupe resume`, goes on with them.

    For one that excepted a new one is made, which begins with its last checkpoint: steps that ended are not run again,
    children that finished are kept, and those that failed are retried, too. Asking twice makes one. A quarantined one
    is played, with all its attempts. What is alive, finished or killed is refused.
    """
    from drupe.cli.log import logged
    from drupe.cli.reading import refuse_missing
    from drupe.errors import InvalidStateError
    from drupe.service.wiring import open_remote

    session = session_of(context)
    refuse_missing(session.settings)

    async def ask() -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        async with open_remote(session.settings) as remote:
            for pid in [await resolve(remote.store, each) for each in pids]:
                try:
                    row = await remote.controller.retry(pid)
                except InvalidStateError as error:
                    told.append({"retried": pid, "pid": None, "refused": str(error)})
                else:
                    told.append({"retried": pid, "pid": row.pid, "refused": None})
        return told

    with logged(session):
        told = asyncio.run(ask())
    if session.json:
        session.put(told)
    else:
        for each in told:
            session.say(each["pid"] or f"refused: {each['refused']}")
    return ExitCode.REFUSED if any(each["refused"] for each in told) else ExitCode.OK
