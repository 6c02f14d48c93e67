"""A diary of the steps, kept beside the store: one line for each time a step begins.

The store tells what was committed; this file tells what was tried. The two together show what a kill
costs. A line is one write to a file opened for appending, so it outlives the SIGKILL of its writer
(not a power cut: nothing here depends on it). Nothing is written unless the environment names a file.
"""

import functools
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

Answer = TypeVar("Answer")

VARIABLE: Final = "EQUATION_OF_STATE_STEP_LOG"
"""The environment variable that names the file."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """A step began."""

    at: float
    """Seconds since 1970 (UTC)."""
    worker: int
    """The process id, with the operating system, of the interpreter that ran it."""
    pid: str
    """The drupe process that the step belongs to."""
    kind: str
    """The name of its class."""
    step: str
    """The name of the method."""
    metal: str | None = None
    volume: float | None = None
    """In Å³ per atom."""

    @property
    def key(self) -> tuple[str, str]:
        """What is the same when the same step begins again; no step of this workflow is in a loop."""
        return self.pid, self.step

    def __str__(self) -> str:
        where = "" if self.volume is None else f" at {self.volume:.2f} Å³"
        return f"{self.step} of {self.metal or 'all metals'}{where}"


def logged(step: Callable[[Any], Answer]) -> Callable[[Any], Answer]:
    """Get the same step, but noted in the diary before it does anything."""

    @functools.wraps(step)
    def noted(process: Any) -> Answer:
        path = os.environ.get(VARIABLE)
        if path is not None:
            note(Path(path), process, step.__name__)
        return step(process)

    return noted


def note(path: Path, process: Any, step: str) -> None:
    """Write down that a step of ``process`` begins now."""
    start = Start(
        at=time.time(),
        worker=os.getpid(),
        pid=process.pid,
        kind=type(process).__name__,
        step=step,
        metal=process.inputs.get("metal"),
        volume=process.inputs.get("volume"),
    )
    line = json.dumps(asdict(start)) + "\n"
    diary = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(diary, line.encode())
    finally:
        os.close(diary)


def read(path: Path) -> list[Start]:
    """Get what the diary has, in order; a last line that is not complete yet is left for the next time.

    Raises:
        ValueError: a complete line is not one of the diary's; names it.
    """
    if not path.exists():
        return []
    lines = path.read_text().split("\n")[:-1]
    starts = []
    for number, line in enumerate(lines, start=1):
        try:
            starts.append(Start(**json.loads(line)))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}, line {number}: not a step: {line!r}") from error
    return starts
