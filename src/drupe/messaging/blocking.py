"""What the thread facade hands out: a subscription and a task whose methods block until they are done."""

from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Self

from drupe.errors import CommunicatorClosedError
from drupe.interfaces.communicator import Communicator, IncomingTask, Subscription
from drupe.messaging.task_view import TaskView

Call = Callable[[Callable[[Communicator], Coroutine[Any, Any, Any]]], Future[Any]]


class BlockingSubscription:
    """Handle of something that was subscribed to."""

    def __init__(self, subscription: Subscription, call: Call) -> None:
        self._subscription = subscription
        self._call = call

    @property
    def identifier(self) -> str:
        """The name under which RPCs reach it."""
        return self._subscription.identifier

    def unsubscribe(self) -> None:
        """Get nothing more. Twice, or after the communicator was closed, does nothing."""
        try:
            self._call(lambda _: self._subscription.unsubscribe()).result()
        except CommunicatorClosedError:
            pass


class BlockingTask(TaskView):
    """A task that is held; see `drupe.interfaces.communicator.IncomingTask`."""

    def __init__(self, task: IncomingTask, call: Call) -> None:
        super().__init__(task)
        self._call = call

    def accept(self) -> None:
        """Acknowledge it now."""
        self._call(lambda _: self._task.accept()).result()

    def reply(self, result: Any = None) -> None:
        """Acknowledge it, then tell its sender the result."""
        self._call(lambda _: self._task.reply(result)).result()

    def fail(self, error: BaseException) -> None:
        """Acknowledge it, then tell its sender the error."""
        self._call(lambda _: self._task.fail(error)).result()

    def reject(self) -> None:
        """Put it back into its queue."""
        self._call(lambda _: self._task.reject()).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        handled: bool = self._call(lambda _: self._task.__aexit__(kind, error, trace)).result()
        return handled
