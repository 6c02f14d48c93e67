"""An exchange of one's own channel, and publishing into it with a queue for the answers."""

import asyncio
import logging
import uuid
from typing import Any, ClassVar

import aio_pika

from kiwipy.rmq import defaults, utils

_LOGGER = logging.getLogger(__name__)


class BroadcastMessage:
    """The form of a broadcast on the wire."""

    BODY = "body"
    SENDER = "sender"
    SUBJECT = "subject"
    CORRELATION_ID = "correlation_id"

    @staticmethod
    def create(body: Any, sender: Any = None, subject: Any = None, correlation_id: Any = None) -> dict[str, Any]:
        """Get a broadcast as it is sent."""
        return {
            BroadcastMessage.BODY: body,
            BroadcastMessage.SENDER: sender,
            BroadcastMessage.SUBJECT: subject,
            BroadcastMessage.CORRELATION_ID: correlation_id,
        }


class Exchanging:
    """A channel and an exchange on it."""

    DEFAULT_EXCHANGE_PARAMS: ClassVar[dict[str, Any]] = {"type": aio_pika.ExchangeType.TOPIC}

    def __init__(
        self, connection: Any, exchange_name: str, exchange_params: dict[str, Any] | None, *, testing_mode: bool
    ) -> None:
        self._connection = connection
        self._exchange_name = exchange_name
        self._exchange_params = dict(self.DEFAULT_EXCHANGE_PARAMS) if exchange_params is None else exchange_params
        if testing_mode:
            self._exchange_params.setdefault("auto_delete", testing_mode)
        self._testing_mode = testing_mode
        self._channel: Any = None
        self._exchange: Any = None
        self._is_closing = False

    @property
    def is_closing(self) -> bool:
        """Whether it was disconnected."""
        return self._is_closing

    def get_exchange_name(self) -> str:
        """Get the name of the exchange."""
        return self._exchange_name

    def channel(self) -> Any:
        """Get the channel, ``None`` unless connected."""
        return self._channel

    async def disconnect(self) -> None:
        """Close the channel; a second time does nothing."""
        if self._is_closing:
            return
        self._is_closing = True
        channel, self._channel = self._channel, None
        if channel is not None and not channel.is_closed:
            await channel.close()

    async def _open(self, **options: Any) -> None:
        self._channel = await self._connection.channel(**options)
        self._exchange = await self._channel.declare_exchange(name=self._exchange_name, **self._exchange_params)


class BaseConnectionWithExchange(Exchanging):
    """A channel and an exchange on it.

    Args:
        connection: aio_pika's.
        exchange_name: which exchange.
        exchange_params: how it is declared; a topic exchange by default.
        testing_mode: the exchange goes with its last user.
    """

    def __init__(
        self,
        connection: Any,
        exchange_name: str = defaults.MESSAGE_EXCHANGE,
        exchange_params: dict[str, Any] | None = None,
        testing_mode: bool = False,
    ) -> None:
        super().__init__(connection, exchange_name, exchange_params, testing_mode=testing_mode)
        self._loop: asyncio.AbstractEventLoop = connection.loop

    def loop(self) -> asyncio.AbstractEventLoop:
        """Get the connection's loop."""
        return self._loop

    async def connect(self) -> None:
        """Open the channel, unless it is open."""
        if self._channel is None:
            await self._open()


class BasePublisherWithReplyQueue(Exchanging):
    """Publishes, and takes the answers out of a queue of its own.

    Args:
        connection: aio_pika's.
        exchange_name: where it publishes.
        exchange_params: how the exchange is declared; a topic exchange by default.
        encoder: from a message to bytes.
        decoder: from bytes to an answer.
        confirm_deliveries: publishing returns when the broker has the message.
        testing_mode: exchange and queue go with their last user.
    """

    def __init__(
        self,
        connection: Any,
        exchange_name: str = defaults.MESSAGE_EXCHANGE,
        exchange_params: dict[str, Any] | None = None,
        encoder: Any = defaults.ENCODER,
        decoder: Any = defaults.DECODER,
        confirm_deliveries: bool = True,
        testing_mode: bool = False,
    ) -> None:
        super().__init__(connection, exchange_name, exchange_params, testing_mode=testing_mode)
        self._encode = encoder
        self._response_decode = decoder
        self._confirm_deliveries = confirm_deliveries
        self._awaiting_response: dict[str, asyncio.Future[Any]] = {}
        self._reply_queue: Any = None

    @property
    def is_connected(self) -> bool:
        """Whether it has a channel."""
        return self._channel is not None

    async def connect(self) -> None:
        """Open the channel, and the queue for answers, unless they are open."""
        if self.is_connected:
            return
        await self._open(publisher_confirms=self._confirm_deliveries, on_return_raises=True)
        name = f"{self._exchange_name}-reply-{uuid.uuid4()}"
        self._reply_queue = await self._channel.declare_queue(
            name=name,
            exclusive=True,
            auto_delete=self._testing_mode,
            arguments={"x-expires": defaults.REPLY_QUEUE_EXPIRES},
        )
        await self._reply_queue.bind(self._exchange, routing_key=name)
        await self._reply_queue.consume(self._on_response, no_ack=True)

    def action_message(self, message: Any) -> Any:
        """Have a message send itself by this publisher; returns its future."""
        message.send(self)
        return message.future

    async def publish(self, message: Any, routing_key: str, mandatory: bool = True) -> Any:
        """Publish; returns the broker's confirmation.

        Raises:
            aio_pika.exceptions.DeliveryError: it is ``mandatory``, and leads to no queue.
        """
        return await self._exchange.publish(message, routing_key=routing_key, mandatory=mandatory)

    async def publish_expect_response(
        self, message: Any, routing_key: str, mandatory: bool = True
    ) -> "tuple[Any, asyncio.Future[Any]]":
        """Publish; returns the broker's confirmation and a future of the answer."""
        if not message.correlation_id:
            message.correlation_id = str(uuid.uuid4())
        number = message.correlation_id
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._awaiting_response[number] = answer
        try:
            return await self.publish(message, routing_key=routing_key, mandatory=mandatory), answer
        except BaseException:
            self._awaiting_response.pop(number, None)  # none will come
            raise

    async def _on_response(self, message: Any) -> None:
        number = message.correlation_id
        answer = self._awaiting_response.pop(number, None)
        if answer is None:
            _LOGGER.error("Got a response for an unknown id '%s':\n%s", number, message)
            return
        try:
            response = self._response_decode(message.body)
        except Exception:
            _LOGGER.exception("Failed to decode message body:\n%s", message.body)
            raise
        if answer.done():  # its caller has cancelled it
            return
        utils.response_to_future(response, answer)
        if not answer.cancelled() and answer.exception() is None and asyncio.isfuture(answer.result()):
            self._awaiting_response[number] = answer.result()  # another message ends that one
