"""Following a process to its end, or to where an interrupt leaves it: what `drupe run` and `drupe resume` share.

Whatever happens here happens to the watching only. Ctrl-C never makes a process killed or paused.
"""

import asyncio
import contextlib
import shlex
from collections.abc import Awaitable, Callable
from typing import Any

from drupe.cli import outcome
from drupe.cli.exit_code import ExitCode
from drupe.cli.failure import warn
from drupe.cli.interrupt import listening
from drupe.cli.log import logged
from drupe.cli.pid import name, short
from drupe.cli.progress import Lines, Screen
from drupe.cli.reading import Portrait, portray
from drupe.cli.session import Session
from drupe.core.lifecycle import TERMINAL, State
from drupe.engine.process import Process
from drupe.errors import FencedError
from drupe.service.runner import Runner
from drupe.service.wiring import open_runner

SHOW_CURSOR = "\x1b[?25h"
NAMED = 3
"""So many running steps are named when a stop is asked for."""


async def follow(session: Session, begin: Callable[[Runner], Awaitable[Process]]) -> ExitCode:
    """Run what ``begin`` gets until it ends or somebody asks for a stop, show what came of it, and get the exit code.

    Raises:
        FencedError: somebody else owns the process now.
        StoreError: the store could not be read or written.
    """
    with logged(session):
        portrait, failed = await _followed(session, begin)
    if failed is not None and portrait.state is State.FINISHED:
        warn(session, f"a hook failed after the end was committed: {type(failed).__name__}: {failed}")
    return outcome.tell(session, portrait, resume_line(session, portrait.record.pid))


async def _followed(
    session: Session, begin: Callable[[Runner], Awaitable[Process]]
) -> tuple[Portrait, BaseException | None]:
    progress = Screen(session.console(stderr=True)) if session.live else Lines(session.note)
    async with open_runner(session.settings) as runner:
        runner.add_listener(progress.listener)
        stop = asyncio.Event()

        def ask() -> None:
            runner.stop()
            stop.set()

        with listening(ask, lambda: _notice(progress, runner)):
            process = await begin(runner)
            with progress, session.user_code() if session.json else contextlib.nullcontext():
                failed = await _until_end(runner, process, stop)
        return await portray(runner.store, process.pid), failed


async def _until_end(runner: Runner, process: Process, stop: asyncio.Event) -> BaseException | None:
    """Wait until all that runs here has ended, or, once a stop was asked for, until no step is running.

    Returns:
        What the process, or one of its hooks, raised.

    Raises:
        FencedError: somebody else owns the process now.
        StoreError: the store failed.
    """
    runner.start(process)
    over = asyncio.ensure_future(runner.wait(process))  # noqa: TID251 (it and the next two are cancelled in the end)
    drained = asyncio.ensure_future(runner.drained())  # noqa: TID251
    asked = asyncio.ensure_future(stop.wait())  # noqa: TID251
    try:
        await asyncio.wait([drained, asked], return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            await runner.drained()  # anew: it waits for less now
        if process.state in TERMINAL:
            await asyncio.wait([over])
            return over.exception()
        if over.done() and (error := over.exception()) is not None:
            raise error
        if not stop.is_set():
            raise FencedError(f"process {process.pid} was taken over: it goes on where its new owner is")
        return None
    finally:
        for task in (over, drained, asked):
            task.cancel()
        await asyncio.gather(over, drained, asked, return_exceptions=True)


def announce(session: Session, pid: str, what: str) -> None:
    """Write the pid, before anything else, and what is to be said about it."""
    if session.json:
        session.note(pid)
    elif session.fancy:
        from rich.text import Text

        session.show(Text(pid, "bold"), Text(what, "bright_black"), "")
    else:
        session.say(pid)
        session.note(what)


def resume_line(session: Session, pid: str) -> str:
    """Get the command that goes on with a process, from this folder."""
    words = ["drupe", "resume", short(pid)]
    if (store := session.flags.get("store")) is not None:
        words += ["--store", store]
    for each in session.flags.get("imports", ()):
        words += ["--import", each]
    return shlex.join(words)


def _notice(progress: Screen | Lines, runner: Runner) -> str:
    """Get what is said at the first Ctrl-C. This runs in a signal handler: it only reads."""
    running = [process for process in runner.running() if not process.stage.idle]
    steps = [f"{name(process.kind)}{_step(process)} ({short(process.pid)})" for process in running[:NAMED]]
    if len(running) > NAMED:
        steps.append(f"{len(running) - NAMED} more")
    text = f"stopping: {'waiting for ' + ', '.join(steps) if steps else 'no step is running'}"
    if steps:
        text += "; Ctrl-C again ends at once, and what runs is repeated later"
    if isinstance(progress, Screen):
        progress.message = text
        return SHOW_CURSOR  # the second Ctrl-C leaves no chance to
    return f"{text}\n"


def _step(process: Any) -> str:
    label = process.stage.label()
    return f".{label}" if label else ""
