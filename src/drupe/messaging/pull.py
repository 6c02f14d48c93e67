"""Tasks that are taken one by one by whoever asks for them, for the time of a block."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from drupe.messaging.held_task import HeldTask, Surroundings


@asynccontextmanager
async def pulling(queue: str, *, surroundings: Surroundings, holder: str) -> AsyncIterator[AsyncIterator[HeldTask]]:
    """Get the tasks of a queue; what was not acknowledged at the end of the block goes back.

    All are held until then, so that the iteration meets none twice and ends.
    """
    held: list[HeldTask] = []

    async def iterate() -> AsyncIterator[HeldTask]:
        while taken := await surroundings.tasks.take(queue, holder=holder, limit=1):
            task = HeldTask(taken[0], surroundings)
            known = any(task.id == other.id for other in held)  # it was rejected, and came back already
            held.append(task)
            if not known and await task.admitted():
                yield task

    try:
        yield iterate()
    finally:
        for task in held:
            if task.is_held:
                await task.put_back()
