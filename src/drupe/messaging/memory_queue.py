"""A queue of tasks that lasts as long as the interpreter: for tests, and for communicators that share one interpreter."""

import heapq
import itertools
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from drupe.core.message import Task, decode_message, encode_message
from drupe.interfaces.ambient import Clock
from drupe.interfaces.task_queue import Taken
from drupe.runtime.clock import SystemClock


@dataclass(slots=True)
class _Entry:
    id: str
    queue: str
    data: bytes
    """The task as it would lie on a disk: no object is shared with who sent it, or between those who take it."""
    number: int
    """Its place in the queue: tasks go back to where they were."""
    attempt: int = 0
    holder: str | None = None


class MemoryTaskQueue:
    """Named queues in memory. Nothing in them survives the interpreter.

    Args:
        clock: says when a task that was put back is due.
    """

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._entries: dict[str, _Entry] = {}
        self._due: dict[str, list[tuple[int, str]]] = {}
        self._later: list[tuple[float, int, str]] = []

    async def put(self, tasks: Sequence[Task]) -> None:
        """Keep tasks; see `drupe.interfaces.task_queue.TaskQueue`."""
        entries = [_Entry(task.id, task.queue, encode_message(task), next(self._numbers)) for task in tasks]
        with self._lock:
            for entry in entries:
                if entry.id not in self._entries:
                    self._entries[entry.id] = entry
                    self._offer(entry)

    async def take(self, queue: str, *, holder: str, limit: int) -> list[Taken]:
        """Hold tasks; see `drupe.interfaces.task_queue.TaskQueue`."""
        with self._lock:
            self._mature()
            due = self._due.get(queue, [])
            entries = [self._entries[heapq.heappop(due)[1]] for _ in range(min(limit, len(due)))]
            if not due:
                self._due.pop(queue, None)  # queues that were named once do not pile up
            for entry in entries:
                entry.attempt += 1
                entry.holder = holder
        return [Taken(cast("Task", decode_message(entry.data)), entry.attempt) for entry in entries]

    async def settle(self, taken: Taken) -> bool:
        """Remove a task that is done; see `drupe.interfaces.task_queue.TaskQueue`."""
        with self._lock:
            held = self._held(taken) is not None
            if held:
                del self._entries[taken.task.id]
            return held

    async def release(self, taken: Taken, *, delay: float = 0.0) -> bool:
        """Put a task back; see `drupe.interfaces.task_queue.TaskQueue`."""
        with self._lock:
            entry = self._held(taken)
            if entry is None:
                return False
            entry.holder = None
            if delay > 0:
                heapq.heappush(self._later, (self._clock.steady() + delay, entry.number, entry.id))
            else:
                self._offer(entry)
            return True

    async def forget(self, holder: str) -> int:
        """Put back all that a holder has; see `drupe.interfaces.task_queue.TaskQueue`."""
        with self._lock:
            held = [entry for entry in self._entries.values() if entry.holder == holder]
            for entry in held:
                entry.holder = None
                self._offer(entry)
            return len(held)

    def _held(self, taken: Taken) -> _Entry | None:
        entry = self._entries.get(taken.task.id)
        valid = entry is not None and entry.holder is not None and entry.attempt == taken.attempt
        return entry if valid else None

    def _offer(self, entry: _Entry) -> None:
        heapq.heappush(self._due.setdefault(entry.queue, []), (entry.number, entry.id))

    def _mature(self) -> None:
        now = self._clock.steady()
        while self._later and self._later[0][0] <= now:
            self._offer(self._entries[heapq.heappop(self._later)[2]])
