"""What the kills cost: the diary of steps that began, held against the history of what was committed.

The one rule behind the count: a step that ends a stay in the state *running* is committed by the event
that follows in the history. So the n-th step of a process is committed by the n-th event that leaves
*running*, and a step that begins after that event's time was run although it had been committed. (A work
chain has one such event more: reaching the end of its outline, where there is no step.)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from step_log import Start


@dataclass(frozen=True, kw_only=True)
class Event:
    """One line of a process's history."""

    at: float
    """Seconds since 1970 (UTC)."""
    state: str
    """The state from then on."""


@dataclass(frozen=True, kw_only=True)
class Life:
    """A process as the store knows it."""

    pid: str
    kind: str
    """The name of its class."""
    state: str
    parent: str | None
    events: tuple[Event, ...]

    @property
    def commits(self) -> list[float]:
        """When the steps were committed that it has taken so far (seconds since 1970, UTC), in order."""
        return [event.at for before, event in pairwise(self.events) if before.state == "running"]


@dataclass(frozen=True)
class Attempt:
    """A step that began, and what became of it."""

    start: Start
    committed: float | None
    """When it was committed; None if it was lost, and repeated or still to be."""


@dataclass(frozen=True, kw_only=True)
class Tally:
    """The steps of some processes, counted."""

    run: int
    """Steps that began, each time counted."""
    repeated: int
    """Of these, the ones that had begun before: a kill came between their beginning and their commit."""
    committed: int
    """Steps that the store has the outcome of."""
    run_again: int
    """Steps that began although the store had them already. Anything but zero is a broken promise."""


def attempts(starts: Sequence[Start], lives: Sequence[Life]) -> list[Attempt]:
    """Get what became of each step that began, in the order in which they began.

    Of several beginnings of one step, the last one before the commit is the one that was committed.
    """
    commits = _commits(starts, lives)
    decisive = {start.key: start for start in starts if start.at <= commits.get(start.key, 0.0)}
    return [Attempt(start, commits[start.key] if decisive.get(start.key) is start else None) for start in starts]


def count(starts: Sequence[Start], lives: Sequence[Life]) -> Tally:
    """Count the steps of some processes."""
    commits = _commits(starts, lives)
    return Tally(
        run=len(starts),
        repeated=len(starts) - len({start.key for start in starts}),
        committed=len(commits),
        run_again=sum(1 for start in starts if start.at > commits.get(start.key, float("inf"))),
    )


def _commits(starts: Sequence[Start], lives: Sequence[Life]) -> Mapping[tuple[str, str], float]:
    """Get when each step was committed (seconds since 1970, UTC); steps that were not are left out."""
    steps: dict[str, dict[str, None]] = {}
    for start in starts:
        steps.setdefault(start.pid, {})[start.step] = None
    return {
        (life.pid, step): at for life in lives for step, at in zip(steps.get(life.pid, {}), life.commits, strict=False)
    }
