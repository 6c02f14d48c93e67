"""Where the tasks of one subscriber come from: looked for in a queue, or brought by a broker."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from drupe.interfaces.task_queue import Taken, TaskQueue


class Source(Protocol):
    """Has tasks for one subscriber."""

    queue: str
    """The name of the queue."""

    async def take(self, limit: int) -> list[Taken]:
        """Get up to ``limit`` tasks that are there now; they are held until they are settled or released."""
        ...

    async def end(self) -> None:
        """Bring nothing more; what was not taken goes to others."""
        ...


Sources: TypeAlias = Callable[[str, int, Callable[[], None]], Awaitable[Source]]
"""Opens a source for a queue, a number of tasks at a time, and what is called when there may be one to take."""


class QueueSource:
    """Looks into a queue of tasks.

    Args:
        tasks: the queues.
        queue: the name of this one.
        holder: in whose name tasks are held.
    """

    def __init__(self, tasks: TaskQueue, queue: str, *, holder: str) -> None:
        self.queue = queue
        self._tasks = tasks
        self._holder = holder

    async def take(self, limit: int) -> list[Taken]:
        """Get tasks that are there now."""
        return await self._tasks.take(self.queue, holder=self._holder, limit=limit)

    async def end(self) -> None:
        """Nothing was brought that was not asked for."""
