"""What is asked of a queue of tasks: where they lie until somebody has done them.

A queue is usable from any thread and loop. It tells nobody that a task came: that is a hint, which is the transport's to
give, and looking again after a while finds what a lost hint concealed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from drupe.core.key import Key
from drupe.core.message import Task


@dataclass(frozen=True, slots=True)
class Taken:
    """A task that somebody holds."""

    task: Task
    attempt: int
    """How often it was taken, this time included. A hold is known by the task's id and this number."""
    key: Key | None = None
    """What it was sealed with on its way; None where nothing is sealed."""


class TaskQueue(Protocol):
    """Named queues of tasks; each task is held by one holder at most."""

    async def put(self, tasks: Sequence[Task]) -> None:
        """Keep tasks, all or none, each in the queue it names; one whose id is there already is left as it is.

        Raises:
            MessageError: one is too large, or nested too deeply; none was kept.
            UnsavableError: the body of one cannot be read again; none was kept.
        """
        ...

    async def take(self, queue: str, *, holder: str, limit: int) -> list[Taken]:
        """Have ``holder`` hold up to ``limit`` tasks of a queue that nobody holds and that are due, oldest first."""
        ...

    async def settle(self, taken: Taken) -> bool:
        """Remove a task that is done; False when it is not held like this any more, and nothing was changed."""
        ...

    async def release(self, taken: Taken, *, delay: float = 0.0) -> bool:
        """Put a task back to its place in the queue, due after ``delay`` seconds; False as in `settle`."""
        ...

    async def forget(self, holder: str) -> int:
        """Put back all that a holder has, which is dead or gone, and get how many that were."""
        ...

    async def holders(self) -> list[str]:
        """Get who holds a task.

        A hold outlives its holder, and in a durable queue its interpreter: whoever comes asks for them, and has the queue
        `forget` those that it knows to be dead. So nothing is lost when all end at once.
        """
        ...
