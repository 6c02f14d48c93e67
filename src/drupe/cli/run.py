"""`drupe run` and `drupe resume`: a process is followed to its end, or left where it can go on."""

import asyncio
from typing import Any

import click

from drupe.cli.class_path import CLASS_PATH
from drupe.cli.pid import PID, chosen, name, short
from drupe.cli.session import Session, global_flags, session_of
from drupe.core.lifecycle import TERMINAL, State
from drupe.core.record import Record


@click.command(short_help="Run a process to its end.")
@click.argument("class_path", metavar="MODULE_OR_FILE:CLASS", type=CLASS_PATH)
@click.option(
    "--input", "pairs", multiple=True, metavar="NAME=VALUE", help="An input; dotted names lead into namespaces."
)
@click.option("--inputs", "file", metavar="FILE.json|-", help="A JSON file with inputs; - reads the standard input.")
@click.option("--pid", metavar="PID", help="The pid; a new one by default.")
@global_flags()
@click.pass_context
def run(context: click.Context, class_path: str, pairs: tuple[str, ...], file: str | None, pid: str | None) -> int:
    r"""Run a process to its end.

    The first line that is written is its pid. After a crash, a power cut or Ctrl-C, `drupe resume` goes on where
    it stopped. Ctrl-C waits for the running step; a second one does not, and that step is repeated.

    \b
    drupe run energy.py:Energy --input volume=40
    drupe run minimum.py:Minimum --inputs volumes.json
    """
    from drupe.cli import following, value
    from drupe.service import classes

    session = session_of(context)
    settings = session.settings
    pid = None if pid is None else chosen(pid)
    with session.user_code():
        classes.import_set(settings)
        process_class, source = classes.load(class_path, folder=settings.folder)
        spec = process_class.spec()
        inputs = value.gather(spec.inputs, file=file, pairs=pairs)
        spec.prepare_inputs(inputs)  # what does not fit is refused before there is even a store

    async def begin(runner: Any) -> Any:
        remember(session, source)
        process = await runner.create(process_class, inputs, pid=pid)
        again = following.resume_line(session, process.pid)
        following.announce(session, process.pid, f"{name(process.kind)} runs; if it is interrupted: {again}")
        return process

    return asyncio.run(following.follow(session, begin))


@click.command(short_help="Go on with a process where it stopped.")
@click.argument("pid", type=PID)
@global_flags()
@click.option("--play", is_flag=True, help="Play it if it is paused.")
@click.pass_context
def resume(context: click.Context, pid: str, play: bool) -> int:  # noqa: FBT001 (click hands it over)
    """Go on with a process where it stopped, and with its children.

    PID may be any end of the pid that no other has. Steps that were committed are not run again. A process that
    has ended already is shown, and the exit code is that of its end. A paused one waits to be played: `--play` does.
    """
    from drupe.cli import following
    from drupe.cli.pid import resolve
    from drupe.cli.reading import refuse_missing
    from drupe.errors import UnknownClassError

    session = session_of(context)
    refuse_missing(session.settings)
    failed = bring_classes(session)

    async def begin(runner: Any) -> Any:
        found = await runner.store.record(await resolve(runner.store, pid))
        following.announce(session, found.pid, f"{name(found.kind)} {_standing(found, play=play)}")
        try:
            process = await runner.resume(found.pid)
        except UnknownClassError as error:
            why = "; ".join(map(str, failed)) or "`--import FILE|MODULE` does that"
            raise UnknownClassError(f"{error} ({why})") from error
        if play:
            process.play()
        return process

    return asyncio.run(following.follow(session, begin))


def _standing(record: Record, *, play: bool) -> str:
    if record.state in TERMINAL:
        return f"has {record.state} already" if record.state is State.FINISHED else f"was {record.state} already"
    if record.paused and not play:
        because = f" ({record.status})" if record.status else ""
        return f"is paused{because}: it takes no step until it is played; drupe resume --play {short(record.pid)} does both"
    return f"goes on behind checkpoint {record.seq}"


def bring_classes(session: Session) -> list[Exception]:
    """Import what settings and the project's list name, and get what failed of the list."""
    from drupe.service import classes

    with session.user_code():
        classes.import_set(session.settings)
        return list(classes.import_listed(session.settings))


def remember(session: Session, source: str) -> None:
    """Put what was imported on the project's list, so that a resume finds it."""
    from drupe.cli.failure import warn
    from drupe.errors import SettingsError
    from drupe.service import project

    try:
        project.add(session.settings, source)
    except SettingsError as error:
        warn(session, f"{error}; a resume needs --import {source}")
