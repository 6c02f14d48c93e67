"""Sides that are measured in turn: A B C A B C …, so that whatever slows the machine for a while slows each.

Each side lives in an interpreter of its own for as long as its row is measured, and only one works at a time.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

HERE: Final = Path(__file__).resolve().parent
Clock = Literal["wall", "cpu", "bytes"]
"""What counts: seconds on the clock, seconds of processor time, or bytes of memory."""


class SideError(Exception):
    """A side ended instead of giving a figure; says what it said last."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one side does: a function of a module here, and its options."""

    place: str
    options: Mapping[str, Any]

    def small(self) -> "Work":
        """Get the same with little to do, to see that it runs."""
        tiny = {"size": 4, "processes": 3, "data": 3_000, "depth": 2, "length": 3, "flight": 2}
        return Work(
            place=self.place,
            options={name: min(value, tiny[name]) if name in tiny else value for name, value in self.options.items()},
        )


@dataclass(frozen=True)
class Figures:
    """What the runs of one side took for each unit of work: seconds, or bytes."""

    wall: Sequence[float]
    cpu: Sequence[float]
    bytes: Sequence[float] = ()

    def of(self, clock: Clock) -> Sequence[float]:
        """Get the runs by the clock that counts."""
        return {"wall": self.wall, "cpu": self.cpu, "bytes": self.bytes}[clock]

    def median(self, clock: Clock) -> float:
        """Get the run in the middle."""
        return statistics.median(self.of(clock))

    def spread(self, clock: Clock) -> float:
        """Get how far the runs lie apart, as a part of the median: 0.2 is 20 %."""
        runs = self.of(clock)
        return (max(runs) - min(runs)) / self.median(clock)


class Side:
    """An interpreter that runs one work whenever it is asked."""

    def __init__(self, work: Work, *, python: str, library: str) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        sources = os.pathsep.join(
            str(HERE.parent / place) for place in ("src", "compat/kiwipy/src", "compat/plumpy/src")
        )
        found = {"PYTHONPATH": sources} if library == "drupe" else {}
        # A file: a pipe that nobody reads would stop a side that has much to complain about.
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed with the side)
        self._program = subprocess.Popen(
            [python, "-W", "ignore", str(HERE / "side.py"), work.place, json.dumps(dict(work.options))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**inherited, **found, "BENCHMARK_LIBRARY": library},
        )

    def run(self) -> dict[str, float]:
        """Run the work once.

        Raises:
            SideError: it failed.
        """
        stdin, stdout = self._program.stdin, self._program.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write("\n")
            stdin.flush()
        except BrokenPipeError:
            raise SideError(self._last_words()) from None
        line = stdout.readline()
        if not line:
            raise SideError(self._last_words())
        taken: dict[str, float] = json.loads(line)
        return taken

    def close(self) -> None:
        """End the interpreter."""
        self._program.communicate()
        self._errors.close()

    def _last_words(self) -> str:
        self._program.communicate()
        with self._errors:
            self._errors.seek(0)
            lines = self._errors.read().strip().splitlines()
        return lines[-1] if lines else f"exit code {self._program.returncode}"


def interleave(
    works: Mapping[str, Work], *, runs: int, others: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Figures | SideError]:
    """Get the figures of each side, or why there are none. The first run of each is not counted: it warms up.

    Args:
        works: what each side does.
        runs: how often.
        others: the interpreters of the sides that do not run in this one.
    """
    sides = {
        name: Side(work, python=others.get(name, sys.executable), library=name if name in others else "drupe")
        for name, work in works.items()
    }
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    failed: dict[str, SideError] = {}
    try:
        for _ in range(runs + 1):
            for name, side in sides.items():
                if name in failed:
                    continue
                try:
                    taken[name].append(side.run())
                except SideError as error:
                    failed[name] = error
    finally:
        for name, side in sides.items():
            if name not in failed:
                side.close()
    return {name: failed.get(name) or _figures(runs[1:]) for name, runs in taken.items()}


def _figures(runs: Sequence[Mapping[str, float]]) -> Figures:
    return Figures(*([run[clock] for run in runs] for clock in ("wall", "cpu", "bytes")))
