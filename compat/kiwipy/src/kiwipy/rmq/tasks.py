"""The task queue: putting tasks in, taking them out, and what becomes of one that was taken."""

import asyncio
import logging
import uuid
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar, NamedTuple

import aio_pika

from kiwipy import exceptions, futures, subscribers
from kiwipy.rmq import defaults, messages, utils

_LOGGER = logging.getLogger(__name__)

__all__ = ("RmqIncomingTask", "RmqTaskPublisher", "RmqTaskQueue", "RmqTaskSubscriber")


class TaskInfo(NamedTuple):
    """A task as it is on the wire."""

    task: Any
    no_reply: bool


TASK_PENDING = "pending"
TASK_FINISHED = "finished"
TASK_PROCESSING = "processing"
TASK_REQUEUED = "requeued"


class RmqTaskSubscriber(messages.BaseConnectionWithExchange):
    """Takes tasks out of one queue.

    Args:
        connection: aio_pika's.
        exchange_name: where the queue is bound.
        queue_name: which queue.
        testing_mode: queue and exchange go with their last user.
        decoder: from bytes to a task.
        encoder: from an answer to bytes.
        exchange_params: how the exchange is declared.
        prefetch_size: how many bytes are taken ahead; 0 is any number.
        prefetch_count: how many tasks are held at a time; 0 is any number.
    """

    TASK_QUEUE_ARGUMENTS: ClassVar[dict[str, Any]] = {"x-message-ttl": defaults.TASK_MESSAGE_TTL}

    def __init__(
        self,
        connection: Any,
        exchange_name: str = defaults.MESSAGE_EXCHANGE,
        queue_name: str = defaults.TASK_QUEUE,
        testing_mode: bool = False,
        decoder: Any = defaults.DECODER,
        encoder: Any = defaults.ENCODER,
        exchange_params: dict[str, Any] | None = None,
        prefetch_size: int = defaults.TASK_PREFETCH_SIZE,
        prefetch_count: int = defaults.TASK_PREFETCH_COUNT,
    ) -> None:
        super().__init__(connection, exchange_name, exchange_params, testing_mode)
        self._task_queue_name = queue_name
        self._decode = decoder
        self._encode = encoder
        self._prefetch_size = prefetch_size
        self._prefetch_count = prefetch_count
        self._consumer_tag: str | None = None
        self._task_queue: Any = None
        self._subscribers: dict[str, Any] = {}

    async def add_task_subscriber(self, subscriber: Any, identifier: str | None = None) -> str:
        """Have ``subscriber`` given the tasks that those before it rejected; returns its identifier."""
        added: str = subscribers.add(self._subscribers, subscriber, identifier, "Task")
        if self._consumer_tag is None:
            self._consumer_tag = await self._task_queue.consume(self._on_task)
        return added

    async def remove_task_subscriber(self, identifier: str) -> None:
        """Take no more tasks for it; raises `ValueError` for an unknown identifier."""
        subscribers.remove(self._subscribers, identifier, "Unknown task subscriber '{}'")
        if not self._subscribers:
            tag, self._consumer_tag = self._consumer_tag, None
            await self._task_queue.cancel(tag)

    async def connect(self) -> None:
        """Declare the queue, unless it is connected."""
        if self.channel() is not None:
            return
        await super().connect()
        channel = self.channel()
        await channel.set_qos(prefetch_count=self._prefetch_count, prefetch_size=self._prefetch_size)
        arguments: dict[str, Any] = dict(self.TASK_QUEUE_ARGUMENTS)
        if self._testing_mode:
            arguments["x-expires"] = defaults.TEST_QUEUE_EXPIRES
        self._task_queue = await channel.declare_queue(
            name=self._task_queue_name, durable=not self._testing_mode, arguments=arguments
        )
        await self._task_queue.bind(self._exchange, routing_key=self._task_queue.name)

    async def __aiter__(self) -> "AsyncIterator[RmqIncomingTask]":
        """Take the tasks that are there, one after the other; those that were not begun go back in the end."""
        taken = []
        try:
            while True:
                task = RmqIncomingTask(self, await self._task_queue.get(timeout=1.0))
                taken.append(task)
                yield task
        except aio_pika.exceptions.QueueEmpty:
            return
        finally:
            for task in taken:
                if task.state == TASK_PENDING:
                    await task.requeue()

    @asynccontextmanager
    async def next_task(
        self, no_ack: bool = False, fail: bool = True, timeout: float = defaults.TASK_FETCH_TIMEOUT
    ) -> "AsyncIterator[RmqIncomingTask]":
        """Take a task; one that was not begun goes back in the end.

        Raises:
            kiwipy.QueueEmpty: there is none.
        """
        await asyncio.sleep(0)  # a task that is about to go back is there first
        try:
            message = await self._task_queue.get(no_ack=no_ack, fail=fail, timeout=timeout)
        except aio_pika.exceptions.QueueEmpty as error:
            raise exceptions.QueueEmpty(str(error)) from error
        if message is None:
            raise exceptions.QueueEmpty(self._task_queue_name)
        task = RmqIncomingTask(self, message)
        try:
            yield task
        finally:
            if task.state == TASK_PENDING:
                await task.requeue()

    async def _on_task(self, message: Any) -> None:
        try:
            task = RmqIncomingTask(self, message)
        except Exception:
            _LOGGER.exception("A task that cannot be decoded was dropped")
            await message.reject(requeue=False)
            return
        async with task.processing() as outcome:
            await self._offer(task, message, outcome)

    async def _offer(self, task: "RmqIncomingTask", message: Any, outcome: "asyncio.Future[Any]") -> None:
        for subscriber in tuple(self._subscribers.values()):
            try:
                result = await utils.ensure_coroutine(subscriber)(self, task.body)
                while asyncio.isfuture(result):  # it is done when the last of a chain of futures is
                    if not task.no_reply:
                        await self._send_response(utils.pending_response(), message)
                    result = await result
            except exceptions.TaskRejected:
                continue
            except (futures.CancelledError, asyncio.CancelledError):
                outcome.cancel()
            except Exception as error:
                outcome.set_exception(error)
                _LOGGER.exception("Exception occurred while processing task.")
            else:
                outcome.set_result(result)
            return

    async def _send_response(self, msg_body: dict[str, Any], incoming_message: Any) -> None:
        utils.add_host_info(msg_body)
        message = aio_pika.Message(body=self._encode(msg_body), correlation_id=incoming_message.correlation_id)
        await self._exchange.publish(message, routing_key=incoming_message.reply_to)


class RmqIncomingTask:
    """A task that was taken out of the queue.

    Args:
        subscriber: who took it.
        message: what came.
    """

    def __init__(self, subscriber: RmqTaskSubscriber, message: Any) -> None:
        self._subscriber: Any = subscriber
        self._message = message
        self._task_info = TaskInfo(*subscriber._decode(message.body))
        self._state = TASK_PENDING
        self._outcome_ref: weakref.ReferenceType[asyncio.Future[Any]] | None = None
        self._loop = subscriber.loop()

    @property
    def body(self) -> Any:
        """What its sender sent."""
        return self._task_info.task

    @property
    def no_reply(self) -> bool:
        """Whether nobody waits for its outcome."""
        return bool(self._task_info.no_reply)

    @property
    def state(self) -> str:
        """``pending``, ``processing``, ``finished`` or ``requeued``."""
        return self._state

    def process(self) -> "asyncio.Future[Any]":
        """Begin it: it is acknowledged when the future that is returned is done, and goes back if that is forgotten.

        Raises:
            asyncio.InvalidStateError: it is not pending.
        """
        outcome = self._begin()
        outcome.add_done_callback(lambda done: self._loop.create_task(self._task_done(done)))
        self._outcome_ref = weakref.ref(outcome, self._outcome_destroyed)
        return outcome

    async def requeue(self) -> None:
        """Put it back into the queue; raises `asyncio.InvalidStateError` when it is finished, or back already."""
        if self._state not in (TASK_PENDING, TASK_PROCESSING):
            raise asyncio.InvalidStateError(f"The task is {self._state}")
        self._state = TASK_REQUEUED
        await self._message.nack(requeue=True)
        self._finalise()

    @asynccontextmanager
    async def processing(self) -> "AsyncIterator[asyncio.Future[Any]]":
        """Begin it: it is acknowledged if the future is done in the end, else it goes back into the queue.

        An exception that leaves the context is its outcome, and is raised on.

        Raises:
            asyncio.InvalidStateError: it is not pending.
        """
        outcome = self._begin()
        try:
            yield outcome
        except Exception as error:
            if not outcome.done():
                outcome.set_exception(error)
            raise
        finally:
            if outcome.done():
                await self._task_done(outcome)
            else:
                await self.requeue()

    def _begin(self) -> "asyncio.Future[Any]":
        if self._state != TASK_PENDING:
            raise asyncio.InvalidStateError(f"The task is {self._state}")
        self._state = TASK_PROCESSING
        return self._loop.create_future()

    async def _task_done(self, outcome: "asyncio.Future[Any]") -> None:
        self._outcome_ref = None
        if outcome.cancelled():  # who took it does not want it; it stays here, to be put back or begun again
            self._state = TASK_PENDING
            return
        self._state = TASK_FINISHED
        await self._message.ack()
        response = utils.future_to_response(outcome)  # looked at in any case: what was raised is not forgotten then
        if not self.no_reply:
            await self._subscriber._send_response(response, self._message)
        self._finalise()

    def _outcome_destroyed(self, _: Any) -> None:
        self._outcome_ref = None
        asyncio.run_coroutine_threadsafe(self.requeue(), loop=self._loop)

    def _finalise(self) -> None:
        self._outcome_ref = None
        self._subscriber = None
        self._message = None


class RmqTaskPublisher(messages.BasePublisherWithReplyQueue):
    """Puts tasks into one queue.

    Args:
        connection: aio_pika's.
        queue_name: which queue.
        exchange_name: where that is bound.
        exchange_params: how the exchange is declared.
        encoder: from a task to bytes.
        decoder: from bytes to an answer.
        confirm_deliveries: sending returns when the broker has the task.
        testing_mode: exchange and queue go with their last user.
    """

    def __init__(
        self,
        connection: Any,
        queue_name: str = defaults.TASK_QUEUE,
        exchange_name: str = defaults.MESSAGE_EXCHANGE,
        exchange_params: dict[str, Any] | None = None,
        encoder: Any = defaults.ENCODER,
        decoder: Any = defaults.DECODER,
        confirm_deliveries: bool = True,
        testing_mode: bool = False,
    ) -> None:
        super().__init__(connection, exchange_name, exchange_params, encoder, decoder, confirm_deliveries, testing_mode)
        self._task_queue_name = queue_name

    async def task_send(self, task: Any, no_reply: bool = False) -> "asyncio.Future[Any] | None":
        """Put a task into the queue, to outlast the broker; returns a future of its outcome unless ``no_reply``."""
        message = aio_pika.Message(
            body=self._encode((task, no_reply)),
            correlation_id=str(uuid.uuid4()),
            reply_to=self._reply_queue.name,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        if no_reply:
            await self.publish(message, routing_key=self._task_queue_name, mandatory=True)
            return None
        _, outcome = await self.publish_expect_response(message, routing_key=self._task_queue_name, mandatory=True)
        return outcome


class RmqTaskQueue:
    """Both ends of one queue.

    Args:
        connection: aio_pika's.
        exchange_name: where the queue is bound.
        queue_name: which queue.
        decoder: from bytes to a message.
        encoder: from a message to bytes.
        exchange_params: how the exchange is declared.
        prefetch_size: how many bytes are taken ahead; 0 is any number.
        prefetch_count: how many tasks are held at a time; 0 is any number.
        testing_mode: exchange and queue go with their last user.
    """

    def __init__(
        self,
        connection: Any,
        exchange_name: str = defaults.MESSAGE_EXCHANGE,
        queue_name: str = defaults.TASK_QUEUE,
        decoder: Any = defaults.DECODER,
        encoder: Any = defaults.ENCODER,
        exchange_params: dict[str, Any] | None = None,
        prefetch_size: int = defaults.TASK_PREFETCH_SIZE,
        prefetch_count: int = defaults.TASK_PREFETCH_COUNT,
        testing_mode: bool = False,
    ) -> None:
        common: dict[str, Any] = {
            "exchange_name": exchange_name,
            "queue_name": queue_name,
            "encoder": encoder,
            "decoder": decoder,
            "testing_mode": testing_mode,
        }
        self._publisher = RmqTaskPublisher(connection, exchange_params=_copied(exchange_params), **common)
        self._subscriber = RmqTaskSubscriber(
            connection,
            exchange_params=_copied(exchange_params),
            prefetch_size=prefetch_size,
            prefetch_count=prefetch_count,
            **common,
        )

    async def __aiter__(self) -> AsyncIterator[RmqIncomingTask]:
        """Take the tasks that are there; see `RmqTaskSubscriber.__aiter__`."""
        async for task in self._subscriber:
            yield task

    async def task_send(self, task: Any, no_reply: bool = False) -> "asyncio.Future[Any] | None":
        """Put a task into the queue."""
        return await self._publisher.task_send(task, no_reply)

    async def add_task_subscriber(self, subscriber: Any, identifier: str | None = None) -> str:
        """Take tasks out of the queue."""
        return await self._subscriber.add_task_subscriber(subscriber, identifier)

    async def remove_task_subscriber(self, identifier: str) -> None:
        """Take no more."""
        await self._subscriber.remove_task_subscriber(identifier)

    @asynccontextmanager
    async def next_task(
        self, no_ack: bool = False, fail: bool = True, timeout: float = defaults.TASK_FETCH_TIMEOUT
    ) -> AsyncIterator[RmqIncomingTask]:
        """Take a task; see `RmqTaskSubscriber.next_task`."""
        async with self._subscriber.next_task(no_ack=no_ack, fail=fail, timeout=timeout) as task:
            yield task

    async def connect(self) -> None:
        """Connect both ends."""
        await self._subscriber.connect()
        await self._publisher.connect()

    async def disconnect(self) -> None:
        """Close both ends."""
        await self._subscriber.disconnect()
        await self._publisher.disconnect()


def _copied(exchange_params: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if exchange_params is None else dict(exchange_params)
