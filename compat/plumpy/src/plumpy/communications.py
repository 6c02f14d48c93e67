"""Communicators whose subscribers are called by the loop that processes run on."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Any

import kiwipy

from plumpy import events, futures
from plumpy.utils import ensure_coroutine

__all__ = [
    "Communicator",
    "DeliveryFailed",
    "RemoteException",
    "TaskRejected",
    "plum_to_kiwi_future",
    "wrap_communicator",
]

RemoteException = kiwipy.RemoteException
DeliveryFailed = kiwipy.DeliveryFailed
TaskRejected = kiwipy.TaskRejected
Communicator = kiwipy.Communicator

ID_TYPE = Hashable
Subscriber = Callable[..., Any]
RpcSubscriber = Callable[[kiwipy.Communicator, Any], Any]
TaskSubscriber = Callable[[kiwipy.Communicator, Any], Any]
BroadcastSubscriber = Callable[[kiwipy.Communicator, Any, Any, Any, Any], Any]


def plum_to_kiwi_future(plum_future: "futures.Future[Any]") -> "kiwipy.Future[Any]":
    """Get a future between threads that ends as one of a loop does; a future it ends with becomes one between threads too."""
    kiwi_future: kiwipy.Future[Any] = kiwipy.Future()

    def on_done(done: "futures.Future[Any]") -> None:
        with kiwipy.capture_exceptions(kiwi_future):
            if done.cancelled():
                kiwi_future.cancel()
                return
            result = done.result()
            kiwi_future.set_result(plum_to_kiwi_future(result) if isinstance(result, futures.Future) else result)

    plum_future.add_done_callback(on_done)
    return kiwi_future


def convert_to_comm(
    callback: Subscriber, loop: asyncio.AbstractEventLoop | None = None
) -> "Callable[..., kiwipy.Future[Any]]":
    """Get a subscriber, for any thread, that has ``callback`` called by ``loop`` and returns a future of its outcome.

    A broadcast that a `kiwipy.BroadcastFilter` keeps out does not get as far as the loop.
    """
    loop = loop or events.get_or_create_event_loop()
    call = ensure_coroutine(callback)
    filtered = callback.is_filtered if isinstance(callback, kiwipy.BroadcastFilter) else None

    def converted(communicator: kiwipy.Communicator, *args: Any, **kwargs: Any) -> "kiwipy.Future[Any]":
        if filtered is not None and filtered(*_sender_and_subject(*args, **kwargs)):
            return _NOTHING
        answer: kiwipy.Future[Any] = kiwipy.Future()

        async def answered() -> None:
            with kiwipy.capture_exceptions(answer):
                try:
                    result = await call(communicator, *args, **kwargs)
                except asyncio.CancelledError:
                    answer.cancel()
                    raise
                answer.set_result(plum_to_kiwi_future(result) if isinstance(result, futures.Future) else result)

        asyncio.run_coroutine_threadsafe(answered(), loop)
        return answer

    return converted


_NOTHING: "kiwipy.Future[Any]" = kiwipy.Future()
_NOTHING.set_result(None)


def _sender_and_subject(
    _body: Any = None, sender: Any = None, subject: Any = None, *_: Any, **__: Any
) -> tuple[Any, Any]:
    """Get what filters look at, from the arguments of a broadcast, however they were given."""
    return sender, subject


def wrap_communicator(
    communicator: kiwipy.Communicator, loop: asyncio.AbstractEventLoop | None = None
) -> "LoopCommunicator":
    """Get a communicator whose subscribers are called by ``loop``; one that is such already is given back."""
    if isinstance(communicator, LoopCommunicator) and communicator.loop() is loop:
        return communicator
    return LoopCommunicator(communicator, loop)


class LoopCommunicator(kiwipy.Communicator):
    """Another communicator, whose subscribers are called by a loop.

    Args:
        communicator: the other one.
        loop: the loop; `get_or_create_event_loop` by default.
    """

    def __init__(self, communicator: kiwipy.Communicator, loop: asyncio.AbstractEventLoop | None = None) -> None:
        assert communicator is not None
        self._communicator: Any = communicator
        self._loop = loop or events.get_or_create_event_loop()

    def loop(self) -> asyncio.AbstractEventLoop:
        """Get the loop that calls subscribers."""
        return self._loop

    def add_rpc_subscriber(self, subscriber: RpcSubscriber, identifier: Any = None) -> Any:
        """Have ``subscriber`` called by the loop for calls to the identifier; gets the identifier."""
        return self._communicator.add_rpc_subscriber(convert_to_comm(subscriber, self._loop), identifier)

    def remove_rpc_subscriber(self, identifier: Any) -> None:
        """Answer no more calls to the identifier."""
        self._communicator.remove_rpc_subscriber(identifier)

    def add_task_subscriber(self, subscriber: TaskSubscriber, identifier: Any = None) -> Any:
        """Have ``subscriber`` called by the loop for tasks; gets the identifier."""
        return self._communicator.add_task_subscriber(convert_to_comm(subscriber, self._loop), identifier)

    def remove_task_subscriber(self, identifier: Any) -> None:
        """Take no more tasks."""
        self._communicator.remove_task_subscriber(identifier)

    def add_broadcast_subscriber(self, subscriber: BroadcastSubscriber, identifier: Any = None) -> Any:
        """Have ``subscriber`` called by the loop for broadcasts; gets the identifier."""
        return self._communicator.add_broadcast_subscriber(convert_to_comm(subscriber, self._loop), identifier)

    def remove_broadcast_subscriber(self, identifier: Any) -> None:
        """Hear no more broadcasts."""
        self._communicator.remove_broadcast_subscriber(identifier)

    def task_send(self, task: Any, no_reply: bool = False) -> Any:
        """Send a task; gets a future of its result, or None."""
        return self._communicator.task_send(task, no_reply)

    def rpc_send(self, recipient_id: Any, msg: Any) -> Any:
        """Call somebody; gets a future of the answer."""
        return self._communicator.rpc_send(recipient_id, msg)

    def broadcast_send(
        self, body: Any, sender: str | None = None, subject: str | None = None, correlation_id: Any = None
    ) -> Any:
        """Tell everybody."""
        return self._communicator.broadcast_send(body, sender, subject, correlation_id)

    def is_closed(self) -> bool:
        """Whether it was closed."""
        return bool(self._communicator.is_closed())

    def close(self) -> None:
        """Close the communicator."""
        self._communicator.close()
