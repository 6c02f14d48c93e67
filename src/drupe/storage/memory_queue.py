"""A queue of tasks that lasts as long as the interpreter: that of a store in memory, and for tests."""

import heapq
import itertools
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

from drupe.core.message import Task, decode_message, encode_message
from drupe.interfaces.ambient import Clock, Probe
from drupe.interfaces.task_queue import Taken
from drupe.runtime.clock import SystemClock
from drupe.runtime.probe import quiet


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


@dataclass(slots=True)
class QueueState:
    """What a queue in memory holds; given to another one, it is there again, as a file would be."""

    numbers: Iterator[int] = field(default_factory=itertools.count)
    entries: dict[str, _Entry] = field(default_factory=dict)
    due: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    """Tasks that may be taken, by queue: a heap of place and id."""
    later: list[tuple[float, int, str]] = field(default_factory=list)
    """Tasks that are not due yet: a heap of steady time, place and id."""
    lock: threading.Lock = field(default_factory=threading.Lock)


class MemoryTaskQueue:
    """Named queues in memory; see `drupe.interfaces.task_queue.TaskQueue`. Nothing in them survives the interpreter.

    Args:
        state: what another queue left behind; by default nothing.
        clock: says when a task that was put back is due.
        probe: passed at every place where something is written.
    """

    def __init__(self, state: QueueState | None = None, *, clock: Clock | None = None, probe: Probe = quiet) -> None:
        self._state = state or QueueState()
        self._clock = clock or SystemClock()
        self._probe = probe

    async def put(self, tasks: Sequence[Task]) -> None:
        state = self._state
        self._probe("tasks.put")
        entries = [_Entry(task.id, task.queue, encode_message(task), next(state.numbers)) for task in tasks]
        with state.lock:
            for entry in entries:
                if entry.id not in state.entries:
                    state.entries[entry.id] = entry
                    self._offer(entry)

    async def take(self, queue: str, *, holder: str, limit: int) -> list[Taken]:
        state = self._state
        self._probe("tasks.take")
        with state.lock:
            self._mature()
            due = state.due.get(queue, [])
            entries = [state.entries[heapq.heappop(due)[1]] for _ in range(min(limit, len(due)))]
            if not due:
                state.due.pop(queue, None)  # queues that were named once do not pile up
            for entry in entries:
                entry.attempt += 1
                entry.holder = holder
        return [Taken(cast("Task", decode_message(entry.data)), entry.attempt) for entry in entries]

    async def settle(self, taken: Taken) -> bool:
        self._probe("tasks.settle")
        with self._state.lock:
            held = self._held(taken) is not None
            if held:
                del self._state.entries[taken.task.id]
            return held

    async def release(self, taken: Taken, *, delay: float = 0.0) -> bool:
        state = self._state
        self._probe("tasks.release")
        with state.lock:
            entry = self._held(taken)
            if entry is None:
                return False
            entry.holder = None
            if delay > 0:
                heapq.heappush(state.later, (self._clock.steady() + delay, entry.number, entry.id))
            else:
                self._offer(entry)
            return True

    async def forget(self, holder: str) -> int:
        self._probe("tasks.forget")
        with self._state.lock:
            held = [entry for entry in self._state.entries.values() if entry.holder == holder]
            for entry in held:
                entry.holder = None
                self._offer(entry)
            return len(held)

    async def holders(self) -> list[str]:
        with self._state.lock:
            return sorted({entry.holder for entry in self._state.entries.values() if entry.holder is not None})

    def _held(self, taken: Taken) -> _Entry | None:
        entry = self._state.entries.get(taken.task.id)
        valid = entry is not None and entry.holder is not None and entry.attempt == taken.attempt
        return entry if valid else None

    def _offer(self, entry: _Entry) -> None:
        heapq.heappush(self._state.due.setdefault(entry.queue, []), (entry.number, entry.id))

    def _mature(self) -> None:
        state, now = self._state, self._clock.steady()
        while state.later and state.later[0][0] <= now:
            self._offer(state.entries[heapq.heappop(state.later)[2]])
