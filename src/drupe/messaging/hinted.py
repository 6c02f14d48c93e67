"""Queues of tasks for a subscriber who is told when some may have come, and need not wait for the next look."""

from collections.abc import Callable

from drupe.interfaces.hints import Hint, Hints
from drupe.interfaces.task_queue import TaskQueue
from drupe.messaging.source import QueueSource, Source, Sources
from drupe.runtime import bridge


def hinted(hints: Hints, tasks: TaskQueue, holder: str) -> Sources:
    """Get what opens a queue of tasks.

    Args:
        hints: tell of it.
        tasks: the queues.
        holder: in whose name tasks are held.
    """

    async def open_source(queue: str, _prefetch: int, wake: Callable[[], None]) -> Source:
        loop = bridge.current_loop()
        assert loop is not None  # noqa: S101 (this is a coroutine)

        def heard(hint: Hint) -> None:
            if hint.more or queue in hint.queues:
                bridge.hop(loop, wake)

        return _HintedSource(tasks, queue, holder=holder, silence=hints.hear(heard))

    return open_source


class _HintedSource(QueueSource):
    def __init__(self, tasks: TaskQueue, queue: str, *, holder: str, silence: Callable[[], None]) -> None:
        super().__init__(tasks, queue, holder=holder)
        self._silence = silence

    async def end(self) -> None:
        self._silence()
