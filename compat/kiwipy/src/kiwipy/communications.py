"""What a communicator can do, and what all that deliver inside one interpreter have in common."""

import abc
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeAlias

from kiwipy import exceptions, futures, subscribers

# They have always been importable from here as well.
from kiwipy.exceptions import (  # noqa: F401
    CommunicatorClosed,
    DeliveryFailed,
    DuplicateSubscriberIdentifier,
    InvalidStateError,
    QueueEmpty,
    RemoteException,
    TaskRejected,
    TimeoutError,
    UnroutableError,
)

__all__ = ("Communicator", "CommunicatorHelper")

RpcSubscriber: TypeAlias = Callable[["Communicator", Any], Any]
"""Called with ``(communicator, message)``."""
TaskSubscriber: TypeAlias = Callable[["Communicator", Any], Any]
"""Called with ``(communicator, task)``."""
BroadcastSubscriber: TypeAlias = Callable[["Communicator", Any, Any, Any, Any], Any]
"""Called with ``(communicator, body, sender, subject, correlation_id)``."""


class Communicator:
    """Sends and receives tasks, calls and broadcasts."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abc.abstractmethod
    def is_closed(self) -> bool:
        """Tell whether it was closed."""

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of everything; nothing more can be done with it."""

    @abc.abstractmethod
    def add_rpc_subscriber(self, subscriber: RpcSubscriber, identifier: Any = None) -> Any:
        """Have calls to ``identifier``, one that is made up by default, answered; returns the identifier."""

    @abc.abstractmethod
    def remove_rpc_subscriber(self, identifier: Any) -> None:
        """Answer calls to ``identifier`` no more; raises `ValueError` for an unknown one."""

    @abc.abstractmethod
    def add_task_subscriber(self, subscriber: TaskSubscriber, identifier: Any = None) -> Any:
        """Take tasks from the default queue; returns the identifier, one that is made up by default."""

    @abc.abstractmethod
    def remove_task_subscriber(self, identifier: Any) -> None:
        """Take no more tasks; raises `ValueError` for an unknown identifier."""

    @abc.abstractmethod
    def add_broadcast_subscriber(self, subscriber: BroadcastSubscriber, identifier: Any = None) -> Any:
        """Hear all broadcasts; returns the identifier, one that is made up by default."""

    @abc.abstractmethod
    def remove_broadcast_subscriber(self, identifier: Any) -> None:
        """Hear no more broadcasts; raises `ValueError` for an unknown identifier."""

    @abc.abstractmethod
    def task_send(self, task: Any, no_reply: bool = False) -> "futures.Future[Any] | None":
        """Put a task into the queue.

        Args:
            task: what a subscriber is given.
            no_reply: nobody waits for the outcome.

        Returns:
            A future of the outcome, or ``None`` when there is no reply.
        """

    @abc.abstractmethod
    def rpc_send(self, recipient_id: Any, msg: Any) -> "futures.Future[Any]":
        """Call whoever answers to ``recipient_id``; returns a future of the answer."""

    @abc.abstractmethod
    def broadcast_send(self, body: Any, sender: Any = None, subject: Any = None, correlation_id: Any = None) -> bool:
        """Tell all subscribers; returns whether it was sent."""


class CommunicatorHelper(Communicator):
    """Keeps subscribers, and calls them in the thread of whoever sends."""

    def __init__(self) -> None:
        self._task_subscribers: dict[Any, TaskSubscriber] = {}
        self._broadcast_subscribers: dict[Any, Callable[..., Any]] = {}
        self._rpc_subscribers: dict[Any, RpcSubscriber] = {}
        self._closed = False

    def is_closed(self) -> bool:
        """Tell whether it was closed."""
        return self._closed

    def close(self) -> None:
        """Let go of all subscribers; a second time does nothing."""
        if self._closed:
            return
        self._closed = True
        del self._task_subscribers
        del self._broadcast_subscribers
        del self._rpc_subscribers

    def add_rpc_subscriber(self, subscriber: RpcSubscriber, identifier: Any = None) -> Any:
        """See `Communicator.add_rpc_subscriber`; raises `DuplicateSubscriberIdentifier`."""
        self._ensure_open()
        return subscribers.add(self._rpc_subscribers, subscriber, identifier, "RPC")

    def remove_rpc_subscriber(self, identifier: Any) -> None:
        """See `Communicator.remove_rpc_subscriber`."""
        self._ensure_open()
        subscribers.remove(self._rpc_subscribers, identifier, "Unknown subscriber '{}'")

    def add_task_subscriber(self, subscriber: TaskSubscriber, identifier: Any = None) -> Any:
        """See `Communicator.add_task_subscriber`; raises `DuplicateSubscriberIdentifier`."""
        self._ensure_open()
        return subscribers.add(self._task_subscribers, subscriber, identifier, "Task")

    def remove_task_subscriber(self, identifier: Any) -> None:
        """See `Communicator.remove_task_subscriber`."""
        self._ensure_open()
        subscribers.remove(self._task_subscribers, identifier, "Unknown subscriber: '{}'")

    def add_broadcast_subscriber(self, subscriber: BroadcastSubscriber, identifier: Any = None) -> Any:
        """See `Communicator.add_broadcast_subscriber`; raises `DuplicateSubscriberIdentifier`."""
        self._ensure_open()
        return subscribers.add(self._broadcast_subscribers, subscriber, identifier, "Broadcast")

    def remove_broadcast_subscriber(self, identifier: Any) -> None:
        """See `Communicator.remove_broadcast_subscriber`."""
        self._ensure_open()
        subscribers.remove(self._broadcast_subscribers, identifier, "Broadcast subscriber '{}' unknown")

    def fire_task(self, msg: Any, no_reply: bool = False) -> "futures.Future[Any] | None":
        """Give a task to the first subscriber that does not reject it."""
        self._ensure_open()
        outcome: futures.Future[Any] = futures.Future()
        for subscriber in self._task_subscribers.values():
            try:
                outcome.set_result(subscriber(self, msg))
                break
            except exceptions.TaskRejected:
                continue
            except Exception:
                outcome.set_exception(exceptions.RemoteException(sys.exc_info()))
                break
        return None if no_reply else outcome

    def fire_rpc(self, recipient_id: Any, msg: Any) -> "futures.Future[Any]":
        """Call a subscriber; raises `UnroutableError` when there is none."""
        self._ensure_open()
        try:
            subscriber = self._rpc_subscribers[recipient_id]
        except KeyError as error:
            raise exceptions.UnroutableError(f"Unknown rpc recipient '{recipient_id}'") from error
        outcome: futures.Future[Any] = futures.Future()
        try:
            outcome.set_result(subscriber(self, msg))
        except Exception:
            outcome.set_exception(exceptions.RemoteException(sys.exc_info()))
        return outcome

    def fire_broadcast(self, body: Any, sender: Any = None, subject: Any = None, correlation_id: Any = None) -> bool:
        """Call all subscribers, with keywords; what one raises is raised to the sender."""
        self._ensure_open()
        for subscriber in tuple(self._broadcast_subscribers.values()):  # one may unsubscribe when it is called
            subscriber(self, body=body, sender=sender, subject=subject, correlation_id=correlation_id)
        return True

    def _ensure_open(self) -> None:
        if self.is_closed():
            raise exceptions.CommunicatorClosed
