"""`drupe worker` and `drupe submit`: who runs what others ask for, and who asks."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from drupe.cli.class_path import CLASS_PATH
from drupe.cli.exit_code import ExitCode
from drupe.cli.heart import Alone, Ear
from drupe.cli.parent import become_parent
from drupe.cli.pid import chosen
from drupe.cli.readiness import Readiness, forget
from drupe.cli.run import bring_classes, remember
from drupe.cli.session import Session, global_flags, session_of
from drupe.cli.wire import WIRE, Wire
from drupe.interfaces.communicator import DEFAULT_QUEUE
from drupe.runtime.clock import tick

if TYPE_CHECKING:
    from drupe.service.launching import Launch
    from drupe.service.wiring import Remote

_SOON = 2.0
"""Seconds in which a worker that has a slot takes what was submitted: what it says to it, the one who asked still hears."""


def _writable(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Refuse a file that could not be written when it is time."""
    file = Path(value or "")
    if value is not None and (file.is_dir() or not os.access(file.absolute().parent, os.W_OK | os.X_OK)):
        raise click.BadParameter(f"expected a file in a folder that can be written to, got {value!r}")
    return value


_queue = click.option("--queue", default=DEFAULT_QUEUE, show_default=True, metavar="NAME", help="Which queue of tasks.")


@click.command(short_help="Run what is submitted.")
@click.option("--slots", type=click.IntRange(1), default=10, show_default=True, help="So many take steps at a time.")
@_queue
@click.option(
    "--grace", type=click.FloatRange(0), default=30.0, show_default=True, metavar="SECONDS", help="For steps to end."
)
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="So many workers, each in a program of its own.",
)
@click.option("--alone", is_flag=True, help="Be the worker, and have no parent.")
@click.option("--ready-file", callback=_writable, metavar="FILE", help="Has the pid in it, as long as tasks are taken.")
@click.option(
    "--give-up",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="End if a database or broker is away for so long.  [default: wait as long as it takes]",
)
@global_flags()
@click.pass_context
def worker(context: click.Context, /, *, processes: int, alone: bool, ready_file: str | None, **given: Any) -> int:
    """Run what is submitted, and what nobody runs any more, until Ctrl-C or SIGTERM.

    Then nothing new is begun, and running steps have time to end; what does not end is repeated by whoever runs it
    next. A second signal ends at once. Any number of workers may share a store.

    The worker is the child of a small program that runs nothing itself: if it dies another one is started, if it is
    frozen it is ended, and signals are handed on. With --alone there is none. systemd is told when tasks are taken.

    A database or a broker that is away is waited for, also in the beginning. A worker that cannot renew its lease gives up what it
    runs, which others take over, and joins anew.
    """
    session = session_of(context)
    if alone and processes > 1:
        raise click.UsageError("--alone is one worker, without a parent; --processes takes one")
    patience = session.settings.patience  # what is wrong with the settings is told here, once
    ear: Ear
    if alone:
        readiness = Readiness(os.environ, file=ready_file, note=session.note)
        ear = Alone(readiness, f"takes tasks from queue {given['queue']!r}, {given['slots']} slots")
    else:
        wire = os.environ.pop(WIRE, None) or become_parent(processes, patience=patience, ready_file=ready_file)
        forget(os.environ)
        ear = Wire(int(wire), lambda: os.kill(os.getpid(), signal.SIGTERM))
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # it writes to the terminal, also if that is to stop others
    from drupe.cli.working import Working

    for error in bring_classes(session):
        session.note(f"warning: {error}")
    return asyncio.run(Working(session, ear=ear, **given).run())


@click.command(short_help="Have a worker run a process.")
@click.argument("class_path", metavar="MODULE_OR_FILE:CLASS", type=CLASS_PATH)
@click.option(
    "--input", "pairs", multiple=True, metavar="NAME=VALUE", help="An input; dotted names lead into namespaces."
)
@click.option("--inputs", "file", metavar="FILE.json|-", help="A JSON file with inputs; - reads the standard input.")
@click.option("--pid", metavar="PID", help="The pid; a new one by default. Asking twice makes one process.")
@_queue
@click.option("--wait", "waits", is_flag=True, help="Wait for its end, and show what came of it.")
@click.option("--deadline", type=click.FloatRange(0), metavar="SECONDS", help="Wait no longer than this; it goes on.")
@global_flags()
@click.pass_context
def submit(context: click.Context, /, class_path: str, *, file: str | None, pid: str | None, **given: Any) -> int:
    r"""Have a worker run a process; its pid is written at once, whether or not a worker is there yet.

    The process lies in its queue until a worker takes it, and outlives everybody. It can be looked at, paused and killed meanwhile.

    \b
    drupe worker &
    drupe submit minimum.py:Minimum --inputs volumes.json
    drupe watch
    """
    from drupe.cli import value
    from drupe.service import classes

    session = session_of(context)
    settings = session.settings
    pid = None if pid is None else chosen(pid)
    with session.user_code():
        classes.import_set(settings)
        process_class, source = classes.load(class_path, folder=settings.folder)
        spec = process_class.spec()
        inputs = value.gather(spec.inputs, file=file, pairs=given["pairs"])
        spec.prepare_inputs(inputs)  # what does not fit is refused before anybody is asked
    remember(session, source)
    return asyncio.run(_submitted(session, process_class, inputs, pid, given))


async def _submitted(
    session: Session, process_class: Any, inputs: dict[str, Any], pid: str | None, given: dict[str, Any]
) -> ExitCode:
    from drupe.cli.log import logged
    from drupe.cli.watching import ended
    from drupe.service.wiring import open_remote

    waits, deadline, queue, began = given["waits"], given["deadline"], given["queue"], tick()

    def rest() -> float | None:
        return None if deadline is None else max(0.0, deadline - (tick() - began))

    with logged(session):
        async with open_remote(session.settings, deadline=deadline) as remote:
            launch = await remote.controller.launch(process_class, inputs, pid=pid, queue=queue)
            if not session.json:
                session.say(launch.pid)
            elif waits:
                session.note(launch.pid)
            else:
                session.put({"pid": launch.pid})
            await _tell_if_nobody_takes(session, remote, launch, queue, rest() if waits else None)
            if not waits:
                return ExitCode.OK
            await launch.taken(deadline=rest())
            return await ended(session, remote, launch.pid, deadline=rest())


async def _tell_if_nobody_takes(
    session: Session, remote: "Remote", launch: "Launch", queue: str, limit: float | None
) -> None:
    """Wait a moment for a worker to take what was submitted; if none does, say why."""
    from drupe.errors import DeadlineError

    soon = _SOON if limit is None else min(_SOON, limit)
    with contextlib.suppress(DeadlineError):
        await launch.taken(deadline=soon)
        return
    why = ""
    with contextlib.suppress(DeadlineError):  # it is not known, then
        lack = await remote.controller.lack(queue, deadline=_SOON)
        why = "" if lack is None else f": {lack}"
    session.note(f"no worker has taken it so far, it lies in the queue {queue!r} until one does{why}")
