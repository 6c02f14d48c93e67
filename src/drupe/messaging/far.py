"""What the loop wrapper hands out: a task and a receipt that live on the communicator's loop, and are awaited on this."""

from collections.abc import Callable, Coroutine
from typing import Any, Self

from drupe.interfaces.communicator import DEADLINE, Communicator, IncomingTask, TaskReceipt
from drupe.messaging.task_view import TaskView

Far = Callable[[Callable[[Communicator], Coroutine[Any, Any, Any]]], Coroutine[Any, Any, Any]]


class FarReceipt:
    """Proof that a task is in its queue; see `drupe.interfaces.communicator.TaskReceipt`."""

    def __init__(self, receipt: TaskReceipt, far: Far) -> None:
        self._receipt = receipt
        self._far = far

    @property
    def id(self) -> str:
        """The task's identifier."""
        return self._receipt.id

    async def result(self, *, deadline: float | None = DEADLINE) -> Any:
        """Wait for the reply and get the result."""
        return await self._far(lambda _: self._receipt.result(deadline=deadline))


class FarTask(TaskView):
    """A task that is held; see `drupe.interfaces.communicator.IncomingTask`."""

    def __init__(self, task: IncomingTask, far: Far) -> None:
        super().__init__(task)
        self._far = far

    async def accept(self) -> None:
        """Acknowledge it now."""
        await self._far(lambda _: self._task.accept())

    async def reply(self, result: Any = None) -> None:
        """Acknowledge it, then tell its sender the result."""
        await self._far(lambda _: self._task.reply(result))

    async def fail(self, error: BaseException) -> None:
        """Acknowledge it, then tell its sender the error."""
        await self._far(lambda _: self._task.fail(error))

    async def reject(self) -> None:
        """Put it back into its queue."""
        await self._far(lambda _: self._task.reject())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any, /) -> bool:
        handled: bool = await self._far(lambda _: self._task.__aexit__(kind, error, trace))
        return handled
