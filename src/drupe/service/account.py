"""What an owner tells of itself: how far its processes are, how much there is to do, and what it can run.

All of it is told from any thread, also while a step blocks the loop: nothing of a process is touched that its loop changes.
"""

import os
import platform
from collections.abc import Iterable

from drupe.core.status import Attendance, Progress, Repertoire
from drupe.engine.progress import is_active, step_of
from drupe.interfaces.registry import Registry
from drupe.service.stall import Stall
from drupe.service.stored import StoredHost
from drupe.version import __version__


class Account:
    """What one owner tells.

    Args:
        host: holds its processes.
        registry: the classes that it has.
        stall: tells which step blocks the loop.
    """

    def __init__(self, host: StoredHost, registry: Registry, stall: Stall) -> None:
        self._host = host
        self._registry = registry
        self._stall = stall
        self.queue: str | None = None
        """What it is given tasks from, and how many at a time, if somebody does."""
        self.slots: int | None = None

    def progress(self, pid: str) -> Progress:
        """Get what only the owner knows of a process."""
        process = self._host.at_hand(pid)
        step = None if process is None else step_of(process)
        return Progress(pid=pid, here=process is not None, step=step, blocked=self._stall.blocked)

    def attendance(self) -> Attendance:
        """Get who it is, and how much there is to do."""
        return Attendance(
            host=platform.node(),
            program=os.getpid(),
            version=__version__,
            queue=self.queue,
            slots=self.slots,
            active=sum(map(is_active, list(self._host.live.values()))),
            blocked=self._stall.blocked,
        )

    def repertoire(self, kinds: Iterable[str]) -> Repertoire:
        """Get which of these classes can be run here, if anything is taken on."""
        if self.queue is None or self._host.stopping:
            return Repertoire()
        return Repertoire(queue=self.queue, versions=self._registry.versions(kinds))
