"""What is asked of a store that tells programs of each other's commits.

A hint says that there may be something to look for, and nothing depends on it: a program that hears none finds the same
by looking, a poll interval later.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class Hint:
    """What was committed somewhere.

    Attributes:
        queues: names of the queues into which tasks came.
        asked: pids of the processes that orders were given to.
        settled: pids of the processes that ended, or orders to which were answered, and ids of the tasks that were done.
        free: whether there may be a process that can go on and that nobody holds.
        timed: whether there may be a parked process whose time comes soon.
        more: whether there was more than could be said, or something may have been missed: anything may be the case.
    """

    queues: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()
    settled: frozenset[str] = frozenset()
    free: bool = False
    timed: bool = False
    more: bool = False


Heard: TypeAlias = Callable[[Hint], None]
"""Is called with a hint, on a thread of whoever gives them: it only hands on, and never raises."""


class Hints(Protocol):
    """Gives hints of what other programs, and this one, have committed."""

    def hear(self, heard: Heard) -> Callable[[], None]:
        """Have ``heard`` called with every hint from now on, and get what ends that.

        It is called with `Hint.more` set whenever something may have been missed, and so at first.
        """
        ...
