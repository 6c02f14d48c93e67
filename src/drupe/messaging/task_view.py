"""What a held task tells of itself, the same on whichever thread or loop it is held."""

from typing import Any

from drupe.interfaces.communicator import IncomingTask


class TaskView:
    """The readable side of a task that is held elsewhere."""

    def __init__(self, task: IncomingTask) -> None:
        self._task = task

    @property
    def id(self) -> str:
        """The task's identifier."""
        return self._task.id

    @property
    def queue(self) -> str:
        """The queue it was sent to."""
        return self._task.queue

    @property
    def body(self) -> Any:
        """What its sender gave."""
        return self._task.body

    @property
    def no_reply(self) -> bool:
        """Whether its sender waits for no reply."""
        return self._task.no_reply

    @property
    def attempt(self) -> int:
        """How often it was taken."""
        return self._task.attempt
