"""A communicator for plain code: its connection lives on a thread of its own, so that heartbeats go on while others block."""

import asyncio
import functools
from collections.abc import Callable, Iterator
from concurrent.futures import Future as ThreadFuture
from contextlib import contextmanager
from typing import Any

import aio_pika
import pamqp.commands

from kiwipy import communications, exceptions
from kiwipy.rmq import communicator, defaults, tasks
from kiwipy.rmq.loop_thread import LoopThread, to_loop

__all__ = ("RmqThreadCommunicator", "RmqThreadTaskQueue", "connect")


class RmqThreadCommunicator(communications.Communicator):
    """Sends and receives over a connection of its own, from any thread but the one that it lives on.

    Subscribers are called on that thread. A future which one returns, and those inside it, are waited for.

    Args:
        connection_params: an address, or keywords for ``connection_factory``.
        connection_factory: makes aio_pika's connection.
        message_exchange: the exchange of calls and broadcasts.
        queue_expires: after so many milliseconds without a reader the broker deletes the queue of calls.
        task_exchange: the exchange of tasks.
        task_queue: the default queue of tasks.
        task_prefetch_size: how many bytes of tasks are taken ahead; 0 is any number.
        task_prefetch_count: how many tasks are held at a time; 0 is any number.
        encoder: from a message to bytes.
        decoder: from bytes to a message.
        testing_mode: queues and exchanges go with their last user.
        async_task_timeout: after so many seconds whatever is waited for raises `kiwipy.TimeoutError`.
    """

    TASK_TIMEOUT = 5.0

    @classmethod
    def connect(
        cls,
        connection_params: str | dict[str, Any] | None = None,
        connection_factory: Any = aio_pika.connect_robust,
        message_exchange: str = defaults.MESSAGE_EXCHANGE,
        task_exchange: str = defaults.TASK_EXCHANGE,
        task_queue: str = defaults.TASK_QUEUE,
        task_prefetch_size: int = defaults.TASK_PREFETCH_SIZE,
        task_prefetch_count: int = defaults.TASK_PREFETCH_COUNT,
        encoder: Any = defaults.ENCODER,
        decoder: Any = defaults.DECODER,
        testing_mode: bool = False,
        async_task_timeout: float = TASK_TIMEOUT,
    ) -> "RmqThreadCommunicator":
        """Connect; the arguments are those of the class."""
        return cls(
            connection_params,
            connection_factory,
            message_exchange=message_exchange,
            task_exchange=task_exchange,
            task_queue=task_queue,
            task_prefetch_size=task_prefetch_size,
            task_prefetch_count=task_prefetch_count,
            encoder=encoder,
            decoder=decoder,
            testing_mode=testing_mode,
            async_task_timeout=async_task_timeout,
        )

    def __init__(
        self,
        connection_params: str | dict[str, Any] | None = None,
        connection_factory: Any = aio_pika.connect_robust,
        message_exchange: str = defaults.MESSAGE_EXCHANGE,
        queue_expires: int = defaults.QUEUE_EXPIRES,
        task_exchange: str = defaults.TASK_EXCHANGE,
        task_queue: str = defaults.TASK_QUEUE,
        task_prefetch_size: int = defaults.TASK_PREFETCH_SIZE,
        task_prefetch_count: int = defaults.TASK_PREFETCH_COUNT,
        encoder: Any = defaults.ENCODER,
        decoder: Any = defaults.DECODER,
        testing_mode: bool = False,
        async_task_timeout: float = TASK_TIMEOUT,
    ) -> None:
        loop = asyncio.new_event_loop()
        loop.set_debug(testing_mode)
        self._closed = False
        self._thread = LoopThread(loop, "RMQ communicator", async_task_timeout)
        try:
            self._communicator: communicator.RmqCommunicator = self._thread.await_(
                communicator.async_connect(
                    connection_params,
                    connection_factory,
                    message_exchange=message_exchange,
                    queue_expires=queue_expires,
                    task_exchange=task_exchange,
                    task_queue=task_queue,
                    task_prefetch_size=task_prefetch_size,
                    task_prefetch_count=task_prefetch_count,
                    encoder=encoder,
                    decoder=decoder,
                    testing_mode=testing_mode,
                )
            )
        except BaseException:
            self._closed = True
            self._thread.close()
            raise

    @property
    def server_properties(self) -> Any:
        """What the broker said of itself when the connection was made; ``version`` among it. Values may be bytes."""
        return self._communicator.server_properties

    def loop(self) -> asyncio.AbstractEventLoop:
        """Get the loop on which subscribers are called."""
        return self._thread.loop

    def is_closed(self) -> bool:
        """Tell whether it was closed."""
        return self._closed

    def close(self) -> None:
        """Close the connection and end the thread; a second time does nothing."""
        if self._closed:
            return
        self._thread.await_(self._communicator.disconnect())
        self._closed = True
        self._thread.close()

    def add_close_callback(self, callback: Any, weak: bool = False) -> None:
        """Have ``callback`` called each time after the connection was closed; ``weak`` keeps no reference to it."""
        self._ensure_open()
        self._communicator.add_close_callback(callback, weak)

    def add_rpc_subscriber(self, subscriber: Any, identifier: Any = None) -> Any:
        """Have calls to ``identifier`` answered; raises `kiwipy.DuplicateSubscriberIdentifier`."""
        return self._await(lambda there: there.add_rpc_subscriber(self._wrap_subscriber(subscriber), identifier))

    def remove_rpc_subscriber(self, identifier: Any) -> None:
        """Answer to it no more; raises `ValueError` for an unknown one."""
        self._await(lambda there: there.remove_rpc_subscriber(identifier))

    def add_task_subscriber(self, subscriber: Any, identifier: Any = None) -> Any:
        """Take tasks out of the default queue; raises `kiwipy.DuplicateSubscriberIdentifier`."""
        return self._await(lambda there: there.add_task_subscriber(self._wrap_subscriber(subscriber), identifier))

    def remove_task_subscriber(self, identifier: Any) -> None:
        """Take no more; raises `ValueError` for an unknown one."""
        self._await(lambda there: there.remove_task_subscriber(identifier))

    def add_broadcast_subscriber(self, subscriber: Any, identifier: Any = None) -> Any:
        """Hear all broadcasts; raises `kiwipy.DuplicateSubscriberIdentifier`."""
        return self._await(lambda there: there.add_broadcast_subscriber(subscriber, identifier))

    def remove_broadcast_subscriber(self, identifier: Any) -> None:
        """Hear no more; raises `ValueError` for an unknown one."""
        self._await(lambda there: there.remove_broadcast_subscriber(identifier))

    def task_send(self, task: Any, no_reply: bool = False) -> "ThreadFuture[Any] | None":
        """Put a task into the default queue; returns when the broker has it, with a future of its outcome."""
        future: ThreadFuture[Any] | None = self._await(lambda there: there.task_send(task, no_reply))
        return future

    def task_queue(
        self,
        queue_name: str,
        prefetch_size: int = defaults.TASK_PREFETCH_SIZE,
        prefetch_count: int = defaults.TASK_PREFETCH_COUNT,
    ) -> "RmqThreadTaskQueue":
        """Open a queue of tasks."""
        queue = self._await(lambda there: there.task_queue(queue_name, prefetch_size, prefetch_count))
        return RmqThreadTaskQueue(queue, self._thread, self._wrap_subscriber)

    def rpc_send(self, recipient_id: Any, msg: Any) -> "ThreadFuture[Any]":
        """Call whoever answers to ``recipient_id``; raises `kiwipy.UnroutableError` when nobody does."""
        future: ThreadFuture[Any] = self._await(lambda there: there.rpc_send(recipient_id, msg))
        return future

    def broadcast_send(self, body: Any, sender: Any = None, subject: Any = None, correlation_id: Any = None) -> bool:
        """Tell all subscribers; returns whether the broker has it."""
        confirmation = self._await(lambda there: there.broadcast_send(body, sender, subject, correlation_id))
        return isinstance(confirmation, pamqp.commands.Basic.Ack)

    def _await(self, ask: Callable[[communicator.RmqCommunicator], Any]) -> Any:
        self._ensure_open()
        return self._thread.await_(ask(self._communicator))

    def _wrap_subscriber(self, subscriber: Any) -> Any:
        @functools.wraps(subscriber)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            result = subscriber(*args, **kwargs)
            return to_loop(result, self._thread.loop) if isinstance(result, ThreadFuture) else result

        return wrapper

    def _ensure_open(self) -> None:
        if self._closed:
            raise exceptions.CommunicatorClosed


class RmqThreadTaskQueue:
    """Both ends of a queue of tasks, for plain code.

    Args:
        task_queue: the queue on its loop.
        loop_scheduler: the thread of that loop.
        wrap_subscriber: makes of a subscriber one whose futures that loop can wait for.
    """

    def __init__(self, task_queue: tasks.RmqTaskQueue, loop_scheduler: LoopThread, wrap_subscriber: Any) -> None:
        self._task_queue = task_queue
        self._thread = loop_scheduler
        self._wrap_subscriber = wrap_subscriber

    def __iter__(self) -> "Iterator[RmqThreadIncomingTask]":
        """Take the tasks that are there, one after the other; those that were not begun go back in the end."""
        for task in self._thread.iterate(self._task_queue):
            yield RmqThreadIncomingTask(task, self._thread)

    def task_send(self, task: Any, no_reply: bool = False) -> "ThreadFuture[Any] | None":
        """Put a task into the queue."""
        future: ThreadFuture[Any] | None = self._thread.await_(self._task_queue.task_send(task, no_reply))
        return future

    def add_task_subscriber(self, subscriber: Any) -> Any:
        """Take tasks out of the queue; returns the subscriber's identifier."""
        return self._thread.await_(self._task_queue.add_task_subscriber(self._wrap_subscriber(subscriber)))

    def remove_task_subscriber(self, subscriber: Any) -> None:
        """Take no more; by the identifier."""
        self._thread.await_(self._task_queue.remove_task_subscriber(subscriber))

    @contextmanager
    def next_task(self, timeout: float = 5.0, fail: bool = True) -> "Iterator[RmqThreadIncomingTask]":
        """Take a task, that goes back in the end if it was not begun; raises `kiwipy.QueueEmpty`."""
        with self._thread.entered(self._task_queue.next_task(timeout=timeout, fail=fail)) as task:
            yield RmqThreadIncomingTask(task, self._thread)


class RmqThreadIncomingTask:
    """A task that was taken out of the queue, for plain code.

    Args:
        task: the task on its loop.
        loop_scheduler: the thread of that loop.
    """

    def __init__(self, task: tasks.RmqIncomingTask, loop_scheduler: LoopThread) -> None:
        self._task = task
        self._thread = loop_scheduler

    @property
    def body(self) -> Any:
        """What its sender sent."""
        return self._task.body

    @property
    def no_reply(self) -> bool:
        """Whether nobody waits for its outcome."""
        return self._task.no_reply

    @property
    def state(self) -> str:
        """``pending``, ``processing``, ``finished`` or ``requeued``."""
        return self._task.state

    def process(self) -> "ThreadFuture[Any]":
        """Begin it: it is acknowledged when the future that is returned is done, and goes back if that is forgotten."""
        return self._thread.leading(self._task.process)

    def requeue(self) -> None:
        """Put it back into the queue; it is there when this returns."""
        self._thread.await_(self._task.requeue())

    @contextmanager
    def processing(self) -> "Iterator[ThreadFuture[Any]]":
        """Begin it: it is acknowledged if the future is done in the end, else it goes back into the queue."""
        with self._thread.entered(self._task.processing()) as outcome:
            yield outcome


def connect(
    connection_params: str | dict[str, Any] | None = None,
    connection_factory: Any = aio_pika.connect_robust,
    message_exchange: str = defaults.MESSAGE_EXCHANGE,
    task_exchange: str = defaults.TASK_EXCHANGE,
    task_queue: str = defaults.TASK_QUEUE,
    task_prefetch_size: int = defaults.TASK_PREFETCH_SIZE,
    task_prefetch_count: int = defaults.TASK_PREFETCH_COUNT,
    encoder: Any = defaults.ENCODER,
    decoder: Any = defaults.DECODER,
    testing_mode: bool = False,
) -> RmqThreadCommunicator:
    """Connect; the arguments are those of `RmqThreadCommunicator`."""
    return RmqThreadCommunicator.connect(
        connection_params,
        connection_factory,
        message_exchange=message_exchange,
        task_exchange=task_exchange,
        task_queue=task_queue,
        task_prefetch_size=task_prefetch_size,
        task_prefetch_count=task_prefetch_count,
        encoder=encoder,
        decoder=decoder,
        testing_mode=testing_mode,
    )
