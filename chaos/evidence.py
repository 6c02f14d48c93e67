"""What is known of a run afterwards, from three sources that know nothing of each other.

The store's tables, read by plain SQL and never by drupe; the effects, which the steps wrote outside it; and the journal
of whoever did harm. `chaos.verdict` compares them.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from chaos.tables import Row, rows_of


class Effect(NamedTuple):
    """Something that a step did outside the store."""

    at: int
    """Nanoseconds, of the clock that all programs of this machine share."""
    worker: int
    """The process group of the worker."""
    pid: str
    step: int
    key: str
    token: int
    """The owner's fencing token."""
    total: int
    """What the steps before have handed on."""


class Note(NamedTuple):
    """Something that was done to the run."""

    at: int
    what: str
    """``submitted``; of a worker ``started``, ``killed``, ``frozen``, ``continued``, ``drained`` (it was asked to stop, and did),
    ``gave up`` (it ended by itself: others had declared it dead); of a server ``restarted``."""
    whom: str
    """A pid, a worker's process group, or a server."""


class Told(NamedTuple):
    """A broadcast about a process."""

    pid: str
    seq: int
    state: str


class Call(NamedTuple):
    """A call of somebody who asked for something."""

    verb: str
    deadline: float
    """Seconds that it was given."""
    seconds: float
    """How many it took."""
    failure: str | None
    """The kind of error that came of it."""


@dataclass
class Evidence:
    """All of it."""

    rows: dict[str, Row]
    effects: list[Effect]
    notes: list[Note]
    told: list[Told] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    refused: int = 0
    """Stale writes of which a worker's log says that they were refused."""


class Journal:
    """Writes down what is done, in a file that outlives whoever writes it.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("a")

    def note(self, what: str, whom: object) -> None:
        """Write something down that happens now."""
        self._file.write(json.dumps([time.monotonic_ns(), what, str(whom)]) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Write no more."""
        self._file.close()


def gather(folder: Path, store: str) -> Evidence:
    """Get the evidence of a run.

    Args:
        folder: of the run.
        store: where its processes are.
    """
    logs = (path.read_text(errors="replace") for path in folder.glob("logs/*.log"))
    return Evidence(
        rows=rows_of(folder, store),
        effects=sorted(_effects(folder / "effects")),
        notes=[Note(*line) for line in _lines(folder / "journal.jsonl")],
        calls=[Call(*line) for line in _lines(folder / "calls.jsonl")],
        told=[Told(*line) for line in _lines(folder / "told.jsonl")],
        refused=sum(log.count("is not the owner's write any more") for log in logs),
    )


def _effects(folder: Path) -> Iterator[Effect]:
    for path in folder.glob("*.tsv"):
        for line in path.read_text("utf-8").splitlines():
            at, worker, pid, step, key, token, total = line.split("\t")
            yield Effect(int(at), int(worker), pid, int(step), key, int(token), int(total))


def _lines(path: Path) -> Iterator[list]:
    if path.exists():
        yield from map(json.loads, path.read_text("utf-8").splitlines())
