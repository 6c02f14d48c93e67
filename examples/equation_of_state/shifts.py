"""Workers in shifts: each but the last is sent SIGKILL at a moment of its own, and the next one resumes.

A moment is counted in steps: 17.4 is 40 % of a step's usual time after the beginning of the 17th step. So the
moments fall inside the run however fast the machine is, and one seed gives one plan.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import step_log

POLL: Final = 0.002
"""How often the diary is looked at, in seconds: far more often than steps begin."""


class DemoError(Exception):
    """The demonstration cannot go on; the text says why and where to look."""


@dataclass(frozen=True, kw_only=True)
class Shift:
    """The time of one worker."""

    worker: int
    """Its process id with the operating system."""
    begun: float
    """Seconds since 1970 (UTC)."""
    ended: float
    """Seconds since 1970 (UTC)."""
    killed: bool
    steps: int
    """How many different steps had begun when it ended."""


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """A folder in which workers work, and what they leave there."""

    folder: Path
    command: tuple[str, ...] = (sys.executable, "-m", "drupe")

    @property
    def store(self) -> Path:
        """The store."""
        return self.folder / "store.db"

    @property
    def diary(self) -> Path:
        """The diary of steps."""
        return self.folder / "steps.jsonl"

    @property
    def log(self) -> Path:
        """What the workers printed."""
        return self.folder / "worker.log"

    def drupe(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a drupe command whose output goes to the log."""
        environment = {"DRUPE_STORE": str(self.store), step_log.VARIABLE: str(self.diary), "NO_COLOR": "1"}
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*self.command, *arguments],
                cwd=self.folder,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )


def plan(seed: int, *, kills: int, steps: int) -> list[float]:
    """Get random moments, in steps and ascending: one in the middle four fifths of each equal part of the run."""
    chance = np.random.default_rng(seed)
    part = steps / max(kills, 1)
    return [float(part * (number + chance.uniform(0.1, 0.9))) for number in range(kills)]


def run(
    place: Workplace, start: Sequence[str], moments: Sequence[float], tell: Callable[[Shift], None]
) -> tuple[str, list[Shift]]:
    """Run a process to its end through as many kills as there are moments.

    Args:
        place: where.
        start: the arguments of the command that creates the process and prints its pid on its first line.
        moments: when the kills come, in steps.
        tell: called with each shift that ended.

    Returns:
        The pid of the process, and the shifts.

    Raises:
        DemoError: a worker ended by itself before it was killed, or the last one failed.
    """
    arguments, shifts, pid = start, [], ""
    for moment in (*moments, None):
        begun = time.time()
        worker = place.drupe(*arguments)
        killed = moment is not None and _kill(worker, place.diary, moment)
        worker.wait()
        steps = len({start.key for start in step_log.read(place.diary)})
        shift = Shift(worker=worker.pid, begun=begun, ended=time.time(), killed=killed, steps=steps)
        shifts.append(shift)
        if not killed and (moment is not None or worker.returncode != 0):
            raise DemoError(
                f"the worker ended by itself with exit code {worker.returncode}; what it said is in {place.log}"
            )
        pid = pid or _pid(place)
        tell(shift)
        arguments = ("resume", pid)
    return pid, shifts


def _kill(worker: subprocess.Popen[bytes], diary: Path, moment: float) -> bool:
    """Send SIGKILL to the worker when its moment has come; False if it ended first."""
    size, starts = -1, list[step_log.Start]()
    while True:
        try:
            worker.wait(POLL)
        except subprocess.TimeoutExpired:
            pass
        else:
            return False
        if diary.exists() and diary.stat().st_size != size:
            size, starts = diary.stat().st_size, step_log.read(diary)
        if _progress(starts, worker.pid, time.time()) >= moment:
            worker.kill()
            return True


def _progress(starts: Sequence[step_log.Start], worker: int, now: float) -> float:
    """Get how many different steps began, and how far, by the time of the one before, the last of them is."""
    number = float(len({start.key for start in starts}))
    own = [start.at for start in starts if start.worker == worker]
    if len(own) < 2:
        return number
    return number + min((now - own[-1]) / max(own[-1] - own[-2], POLL), 1.0)


def _pid(place: Workplace) -> str:
    """Get the pid, which is the first thing that the first worker prints."""
    line = place.log.read_text().partition("\n")[0].strip()
    if not line or " " in line:
        raise DemoError(f"the worker ended before it named its process; what it said is in {place.log}")
    return line
