"""A communicator on a running loop: calls and broadcasts over one exchange, tasks over another."""

import asyncio
import logging
import uuid
from types import TracebackType
from typing import Any, ClassVar, Self

import aio_pika

from kiwipy import exceptions, futures, subscribers
from kiwipy.rmq import defaults, messages, tasks, utils

__all__ = ("RmqCommunicator", "async_connect")

_LOGGER = logging.getLogger(__name__)

EXCHANGE_PROPERTIES = {"type": aio_pika.ExchangeType.TOPIC}


class RmqPublisher(messages.BasePublisherWithReplyQueue):
    """Sends calls and broadcasts."""

    DEFAULT_EXCHANGE_PARAMS: ClassVar[dict[str, Any]] = EXCHANGE_PROPERTIES

    async def rpc_send(self, recipient_id: Any, msg: Any) -> "asyncio.Future[Any]":
        """Call whoever answers to ``recipient_id``; returns a future of the answer when the broker has the call."""
        message = aio_pika.Message(body=self._encode(msg), reply_to=self._reply_queue.name)
        key = f"{defaults.RPC_TOPIC}.{recipient_id}"
        _, answer = await self.publish_expect_response(message, routing_key=key, mandatory=True)
        return answer

    async def broadcast_send(
        self, msg: Any, sender: Any = None, subject: Any = None, correlation_id: Any = None
    ) -> Any:
        """Tell all subscribers, which may be none; returns the broker's confirmation."""
        body = messages.BroadcastMessage.create(msg, sender, subject, correlation_id)
        message = aio_pika.Message(body=self._encode(body), delivery_mode=aio_pika.DeliveryMode.NOT_PERSISTENT)
        return await self.publish(message, routing_key=defaults.BROADCAST_TOPIC, mandatory=False)


class RmqSubscriber(messages.Exchanging):
    """Takes calls and broadcasts.

    However many names are answered to, their calls come by one queue: a name costs a binding.

    Args:
        connection: aio_pika's.
        message_exchange: where the queues are bound.
        queue_expires: after so many milliseconds without a reader the broker deletes the queue of calls.
        decoder: from bytes to a message.
        encoder: from an answer to bytes.
        testing_mode: the exchange goes with its last user.
    """

    def __init__(
        self,
        connection: Any,
        message_exchange: str = defaults.MESSAGE_EXCHANGE,
        queue_expires: int = defaults.QUEUE_EXPIRES,
        decoder: Any = defaults.DECODER,
        encoder: Any = defaults.ENCODER,
        testing_mode: bool = False,
    ) -> None:
        super().__init__(connection, message_exchange, None, testing_mode=testing_mode)
        self._decode = decoder
        self._response_encode = encoder
        self._broadcast_queue_arguments = {"x-message-ttl": defaults.MESSAGE_TTL}
        self._rmq_queue_arguments = {"x-message-ttl": defaults.MESSAGE_TTL}
        if queue_expires:
            self._rmq_queue_arguments["x-expires"] = queue_expires
        self._rpc_subscribers: dict[str, Any] = {}
        self._rpc_queue: Any = None
        self._rpc_opening = asyncio.Lock()
        self._broadcast_subscribers: dict[Any, Any] = {}
        self._broadcast_queue: Any = None
        self._broadcast_consumer_tag: str | None = None

    async def connect(self) -> None:
        """Declare exchange and queue, unless it is connected."""
        if self.channel() is not None:
            return
        await self._open()
        self._broadcast_queue = await self.channel().declare_queue(
            name=f"broadcast-{uuid.uuid4().hex}", exclusive=True, arguments=self._broadcast_queue_arguments
        )
        await self._broadcast_queue.bind(self._exchange, routing_key=defaults.BROADCAST_TOPIC)

    async def add_rpc_subscriber(self, subscriber: Any, identifier: Any = None) -> Any:
        """Have calls to ``identifier`` answered; raises `kiwipy.DuplicateSubscriberIdentifier`."""
        name = subscribers.add(self._rpc_subscribers, subscriber, identifier and str(identifier), "RPC")
        try:
            queue = await self._get_rpc_queue()
            await queue.bind(self._exchange, routing_key=f"{defaults.RPC_TOPIC}.{name}")
        except BaseException:
            self._rpc_subscribers.pop(name, None)
            raise
        return identifier or name

    async def remove_rpc_subscriber(self, identifier: Any) -> None:
        """Answer to ``identifier`` no more; raises `ValueError` for an unknown one."""
        name = str(identifier)
        subscribers.remove(self._rpc_subscribers, name, "Unknown subscriber '{}'")
        await self._rpc_queue.unbind(self._exchange, routing_key=f"{defaults.RPC_TOPIC}.{name}")

    async def add_broadcast_subscriber(self, subscriber: Any, identifier: Any = None) -> Any:
        """Hear all broadcasts; raises `kiwipy.DuplicateSubscriberIdentifier`."""
        identifier = subscribers.add(self._broadcast_subscribers, subscriber, identifier, "Broadcast")
        if self._broadcast_consumer_tag is None:
            self._broadcast_consumer_tag = uuid.uuid4().hex
            await self._broadcast_queue.consume(self._on_broadcast, consumer_tag=self._broadcast_consumer_tag)
        return identifier

    async def remove_broadcast_subscriber(self, identifier: Any) -> None:
        """Hear no more; raises `ValueError` for an unknown identifier."""
        subscribers.remove(self._broadcast_subscribers, identifier, "Broadcast subscriber '{}' unknown")
        if not self._broadcast_subscribers:
            tag, self._broadcast_consumer_tag = self._broadcast_consumer_tag, None
            await self._broadcast_queue.cancel(tag)

    async def _get_rpc_queue(self) -> Any:
        async with self._rpc_opening:
            if self._rpc_queue is None:
                queue = await self._channel.declare_queue(
                    name=f"rpc-{uuid.uuid4().hex}", exclusive=True, arguments=self._rmq_queue_arguments
                )
                await queue.consume(self._on_rpc)
                self._rpc_queue = queue
        return self._rpc_queue

    async def _on_rpc(self, message: Any) -> None:
        await message.ack()  # whoever calls is told how it ends, and it is not begun twice
        name = message.routing_key.removeprefix(f"{defaults.RPC_TOPIC}.")
        try:
            body = self._decode(message.body)
            result = await utils.ensure_coroutine(self._rpc_subscriber(name))(self, body)
        except Exception as error:
            await self._send_response(message.reply_to, message.correlation_id, utils.exception_response(error))
            return
        await self._send_outcome(result, message.reply_to, message.correlation_id)

    def _rpc_subscriber(self, name: str) -> Any:
        if name not in self._rpc_subscribers:  # it left while the call was on its way
            raise exceptions.UnroutableError(f"Unknown rpc recipient '{name}'")
        return self._rpc_subscribers[name]

    async def _send_outcome(self, result: Any, reply_to: str, correlation_id: str) -> None:
        response: dict[str, Any]
        try:
            while asyncio.isfuture(result):  # each future of a chain is announced
                await self._send_response(reply_to, correlation_id, utils.pending_response())
                result = await result
        except (futures.CancelledError, asyncio.CancelledError) as error:
            response = dict(utils.cancelled_response(str(error)))
        except Exception as error:
            response = dict(utils.exception_response(error))
        else:
            response = utils.result_response(result)
        await self._send_response(reply_to, correlation_id, response)

    async def _send_response(self, reply_to: str, correlation_id: str, response: Any) -> None:
        if not reply_to:
            _LOGGER.error("An answer has nowhere to go: the call had no reply queue")
            return
        message = aio_pika.Message(body=self._response_encode(response), correlation_id=correlation_id)
        await self._exchange.publish(message, routing_key=reply_to)

    async def _on_broadcast(self, message: Any) -> None:
        async with message.process():
            body = self._decode(message.body)
            form = messages.BroadcastMessage
            parts = [body[key] for key in (form.BODY, form.SENDER, form.SUBJECT, form.CORRELATION_ID)]
            for subscriber in tuple(self._broadcast_subscribers.values()):
                try:
                    answer = subscriber(self, *parts)
                    if asyncio.iscoroutine(answer):
                        await answer
                except Exception:
                    _LOGGER.exception("Exception in broadcast receiver")


class RmqCommunicator:
    """Sends and receives over one connection, on the loop that the connection belongs to.

    The connection is the communicator's from then on: it is closed with it.

    Args:
        connection: aio_pika's; it need not be connected yet.
        message_exchange: the exchange of calls and broadcasts.
        queue_expires: after so many milliseconds without a reader the broker deletes the queue of calls.
        task_exchange: the exchange of tasks.
        task_queue: the default queue of tasks.
        task_prefetch_size: how many bytes of tasks are taken ahead; 0 is any number.
        task_prefetch_count: how many tasks are held at a time; 0 is any number.
        encoder: from a message to bytes.
        decoder: from bytes to a message.
        testing_mode: queues and exchanges go with their last user.
    """

    def __init__(
        self,
        connection: Any,
        message_exchange: str = defaults.MESSAGE_EXCHANGE,
        queue_expires: int = defaults.QUEUE_EXPIRES,
        task_exchange: str = defaults.TASK_EXCHANGE,
        task_queue: str = defaults.TASK_QUEUE,
        task_prefetch_size: int = defaults.TASK_PREFETCH_SIZE,
        task_prefetch_count: int = defaults.TASK_PREFETCH_COUNT,
        encoder: Any = defaults.ENCODER,
        decoder: Any = defaults.DECODER,
        testing_mode: bool = False,
    ) -> None:
        self._connection = connection
        self._loop: asyncio.AbstractEventLoop = connection.loop
        self._message_exchange = message_exchange
        self._queue_expires = queue_expires
        self._task_exchange = task_exchange
        self._task_queue = task_queue
        self._task_prefetch_size = task_prefetch_size
        self._task_prefetch_count = task_prefetch_count
        self._common: dict[str, Any] = {"encoder": encoder, "decoder": decoder, "testing_mode": testing_mode}
        self._message_subscriber: RmqSubscriber | None = None
        self._message_publisher: RmqPublisher | None = None
        self._default_task_queue: tasks.RmqTaskQueue | None = None
        self._task_queues: list[tasks.RmqTaskQueue] = []
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.disconnect()

    def __str__(self) -> str:
        return f"RMQCommunicator({self._connection})"

    @property
    def server_properties(self) -> Any:
        """What the broker said of itself when the connection was made; ``version`` among it. Values may be bytes."""
        return self._connection.transport.connection.server_properties

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The connection's loop."""
        return self._loop

    def add_close_callback(self, callback: Any, weak: bool = False) -> None:
        """Have ``callback`` called each time after the connection was closed; ``weak`` keeps no reference to it."""
        self._connection.close_callbacks.add(callback, weak)

    def connected(self) -> bool:
        """Tell whether the connection is open."""
        return self._connection is not None and not self._connection.is_closed

    async def connect(self) -> None:
        """Connect, unless it is connected."""
        if not self.connected():
            await self._connection.connect()

    async def disconnect(self) -> None:
        """Close everything; a second time does nothing."""
        if not self.connected():
            return
        for part in (self._message_publisher, self._message_subscriber, self._default_task_queue, *self._task_queues):
            if part is not None:
                await part.disconnect()
        self._message_publisher = self._message_subscriber = self._default_task_queue = None
        self._task_queues.clear()
        await self._connection.close()

    async def get_default_task_queue(self) -> tasks.RmqTaskQueue:
        """Get the default task queue, which is declared when it is first asked for."""
        self._ensure_connected()
        async with self._opening:
            if self._default_task_queue is None:
                self._default_task_queue = await self._open_task_queue(
                    self._task_queue, self._task_prefetch_size, self._task_prefetch_count
                )
            return self._default_task_queue

    async def get_message_subscriber(self) -> RmqSubscriber:
        """Get who takes calls and broadcasts, which is made when it is first asked for."""
        self._ensure_connected()
        async with self._opening:
            if self._message_subscriber is None:
                subscriber = RmqSubscriber(
                    self._connection,
                    message_exchange=self._message_exchange,
                    queue_expires=self._queue_expires,
                    **self._common,
                )
                await subscriber.connect()
                self._message_subscriber = subscriber
            return self._message_subscriber

    async def get_message_publisher(self) -> RmqPublisher:
        """Get who sends calls and broadcasts, which is made when it is first asked for."""
        self._ensure_connected()
        async with self._opening:
            if self._message_publisher is None:
                publisher = RmqPublisher(
                    self._connection,
                    exchange_name=self._message_exchange,
                    **self._common,
                )
                await publisher.connect()
                self._message_publisher = publisher
            return self._message_publisher

    async def add_rpc_subscriber(self, subscriber: Any, identifier: Any = None) -> Any:
        """Have calls to ``identifier`` answered; returns it."""
        return await (await self.get_message_subscriber()).add_rpc_subscriber(subscriber, identifier)

    async def remove_rpc_subscriber(self, identifier: Any) -> None:
        """Answer to it no more."""
        await (await self.get_message_subscriber()).remove_rpc_subscriber(identifier)

    async def add_task_subscriber(self, subscriber: Any, identifier: Any = None) -> Any:
        """Take tasks out of the default queue; returns the identifier."""
        return await (await self.get_default_task_queue()).add_task_subscriber(subscriber, identifier)

    async def remove_task_subscriber(self, identifier: Any) -> None:
        """Take no more."""
        await (await self.get_default_task_queue()).remove_task_subscriber(identifier)

    async def add_broadcast_subscriber(self, subscriber: Any, identifier: Any = None) -> Any:
        """Hear all broadcasts; returns the identifier."""
        return await (await self.get_message_subscriber()).add_broadcast_subscriber(subscriber, identifier)

    async def remove_broadcast_subscriber(self, identifier: Any) -> None:
        """Hear no more."""
        await (await self.get_message_subscriber()).remove_broadcast_subscriber(identifier)

    async def rpc_send(self, recipient_id: Any, msg: Any) -> "asyncio.Future[Any]":
        """Call whoever answers to ``recipient_id``; returns a future of the answer.

        Raises:
            kiwipy.UnroutableError: nobody does.
        """
        try:
            return await (await self.get_message_publisher()).rpc_send(recipient_id, msg)
        except aio_pika.exceptions.DeliveryError as error:
            raise exceptions.UnroutableError(str(error)) from error

    async def broadcast_send(
        self, body: Any, sender: Any = None, subject: Any = None, correlation_id: Any = None
    ) -> Any:
        """Tell all subscribers; returns the broker's confirmation."""
        return await (await self.get_message_publisher()).broadcast_send(body, sender, subject, correlation_id)

    async def task_send(self, task: Any, no_reply: bool = False) -> "asyncio.Future[Any] | None":
        """Put a task into the default queue; returns a future of its outcome unless ``no_reply``.

        Raises:
            kiwipy.UnroutableError: there is no such queue.
            kiwipy.TaskRejected: the broker does not take it.
        """
        try:
            return await (await self.get_default_task_queue()).task_send(task, no_reply)
        except aio_pika.exceptions.DeliveryError as error:
            raise exceptions.UnroutableError(str(error)) from error
        except aio_pika.exceptions.AMQPError as error:
            raise exceptions.TaskRejected(str(error)) from error

    async def task_queue(
        self,
        queue_name: str,
        prefetch_size: int = defaults.TASK_PREFETCH_SIZE,
        prefetch_count: int = defaults.TASK_PREFETCH_COUNT,
    ) -> tasks.RmqTaskQueue:
        """Open a queue of tasks."""
        self._ensure_connected()
        queue = await self._open_task_queue(queue_name, prefetch_size, prefetch_count)
        self._task_queues.append(queue)
        return queue

    async def _open_task_queue(self, name: str, prefetch_size: int, prefetch_count: int) -> tasks.RmqTaskQueue:
        queue = tasks.RmqTaskQueue(
            self._connection,
            exchange_name=self._task_exchange,
            queue_name=name,
            prefetch_size=prefetch_size,
            prefetch_count=prefetch_count,
            **self._common,
        )
        await queue.connect()
        return queue

    def _ensure_connected(self) -> None:
        if not self.connected():
            raise RuntimeError(
                "The communicator is not connected, call connect() or use in a context to establish a connection."
            )


async def async_connect(
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
) -> RmqCommunicator:
    """Connect; returns a communicator on the running loop.

    Args:
        connection_params: an address, or keywords for ``connection_factory``.
        connection_factory: makes aio_pika's connection.

    The others are those of `RmqCommunicator`.
    """
    given = connection_params or {}
    connection = await (connection_factory(**given) if isinstance(given, dict) else connection_factory(given))
    communicator = RmqCommunicator(
        connection,
        message_exchange,
        queue_expires,
        task_exchange,
        task_queue,
        task_prefetch_size,
        task_prefetch_count,
        encoder,
        decoder,
        testing_mode,
    )
    await communicator.connect()
    return communicator
