"""`drupe demo`: run a workflow in a worker, kill the worker, resume, and see what it cost."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from drupe.cli.demo.board import Board, Start
from drupe.cli.session import Session, global_flags, session_of

POLL: Final = 0.01
KILL_AFTER: Final = 0.4
"""Of all steps have begun when the worker is killed."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the workers work: a folder that is gone afterwards."""

    folder: Path

    @property
    def diary(self) -> Path:
        """Where steps are noted as they begin."""
        return self.folder / "steps"

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a drupe command in the folder."""
        from drupe.cli.demo.workflow import DIARY
        from drupe.service.profile import PREFIX

        environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        environment |= {f"{PREFIX}STORE": str(self.folder / "store.db"), DIARY: str(self.diary)}
        with (self.folder / "log").open("a") as log:
            return subprocess.Popen(  # noqa: S603 (our own interpreter, with arguments of our own)
                [sys.executable, "-m", "drupe", *arguments, "--json"],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def starts(self) -> list[Start]:
        """Get the steps that began so far."""
        if not self.diary.exists():
            return []
        lines = [line.split() for line in self.diary.read_text().split("\n")[:-1]]
        return [Start(int(worker), pid, int(number), int(part)) for worker, pid, number, part in lines]


@click.command(short_help="See a process survive kill -9, in a few seconds.")
@global_flags()
@click.pass_context
def demo(context: click.Context) -> int:
    """See a process survive kill -9, in a few seconds.

    A workflow with a child process for each slice of a circle runs in a worker. The worker is sent SIGKILL in the
    middle of it, and another one resumes. All of it happens in a folder that is removed again.
    """
    from drupe.cli.demo.workflow import PARTS, SLICES, undisturbed

    session = session_of(context)
    with tempfile.TemporaryDirectory(prefix="drupe-demo-") as folder:
        place, board = Place(Path(folder)), Board()
        with _shown(session, board) as say:
            say(f"What is the area of a circle? {SLICES} processes of {PARTS} steps each will find out.")
            _watch(place, board, place.start("run", "drupe.cli.demo.workflow:Circle"), int(SLICES * PARTS * KILL_AFTER))
            say(f"SIGKILL to worker {board.workers[0]}, in the middle of {_running(board)} steps.")
            committed = asyncio.run(_committed(place, board))
            pid = (place.folder / "log").read_text().split()[0]
            say(f"drupe resume {pid[-8:]}")
            answer = _watch(place, board, place.start("resume", pid), None)
    resumed = [start for start in board.starts if start.worker == board.workers[1]]
    again = sum(1 for start in resumed if start.part < committed.get(start.number, 0))
    return _conclude(session, board, json.loads(answer), again, undisturbed())


def _watch(place: Place, board: Board, worker: "subprocess.Popen[str]", kill_after: int | None) -> str:
    """Follow a worker until it ends, or until so many steps have begun and it is killed; get what it printed."""
    board.workers.append(worker.pid)
    with worker:
        while worker.poll() is None:
            board.starts = place.starts()
            if kill_after is not None and len(board.starts) >= kill_after:
                worker.kill()
                board.killed = True
                break
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(POLL)
        answer, _ = worker.communicate()
    board.starts = place.starts()
    if not (board.killed and kill_after is not None) and worker.returncode != 0:
        raise click.ClickException(
            f"the worker ended with exit code {worker.returncode}: {(place.folder / 'log').read_text()}"
        )
    return answer


async def _committed(place: Place, board: Board) -> dict[int, int]:
    """Count, for each slice, the parts that the store has: what it has is never to be run again."""
    from drupe.cli.reading import open_for_reading
    from drupe.core.lifecycle import State
    from drupe.service import profile

    settings = profile.load(folder=place.folder, environment={}, flags={"store": str(place.folder / "store.db")})
    async with open_for_reading(settings) as store:
        histories = {start.number: await store.history(start.pid) for start in board.starts}
    # An event behind one in state running is the commit of a step; the first step of a slice adds no part.
    return {
        number: sum(1 for before in events[:-1] if before.state is State.RUNNING) - 1
        for number, events in histories.items()
    }


def _running(board: Board) -> int:
    return len({start.number for start in board.starts})


# --- what is shown -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def _shown(session: Session, board: Board) -> Iterator[Callable[[str], None]]:
    """Show the board while it changes, if somebody looks; get what writes a line above it."""
    if not session.fancy:
        yield (lambda _: None) if session.json else session.say
        return
    from rich.live import Live
    from rich.text import Text

    console = session.console()
    with Live(board, console=console, refresh_per_second=20):
        yield lambda line: console.print(Text(line, "bold"))
    console.print()


def _conclude(session: Session, board: Board, answer: Mapping[str, Any], again: int, expected: float) -> int:
    from drupe.cli.exit_code import ExitCode

    found, repeated = answer["outputs"]["pi"], board.repeated()
    promises = {
        f"π = {found:.12f}, to the last digit what an undisturbed run gives": found == expected,
        f"{len(board.attempts())} steps, of which {len(repeated)} were running when the worker was killed, and ran again": bool(
            repeated
        ),
        "no step that was committed ran again": again == 0,
    }
    kept = all(promises.values())
    if session.json:
        session.put(
            {
                "kept": kept,
                "pi": found,
                "steps": len(board.attempts()),
                "repeated": len(repeated),
                "run_again": again,
                "workers": board.workers,
            }
        )
    for text, held in promises.items():
        _promise(session, text, held=held)
    return ExitCode.OK if kept else ExitCode.UNEXPECTED


def _promise(session: Session, text: str, *, held: bool) -> None:
    if session.json:
        return
    sign = "✓" if held else "✗ BROKEN:"
    if session.fancy:
        from rich.text import Text

        session.show(Text.assemble((sign, "bold green" if held else "bold red"), " ", text))
    else:
        session.say(f"{sign} {text}")
