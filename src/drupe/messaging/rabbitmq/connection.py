"""One connection to a broker, made again whenever it is lost, and the publishing over it.

Who publishes waits until the broker has confirmed; many wait at the same time. What was on its way when the connection was
lost is sent again over the next one, with the same id: it may arrive twice, and does not get lost.
"""

import asyncio
import itertools
import logging
import ssl
from random import Random
from typing import Any, Final, Protocol

import aio_pika
from aiormq.exceptions import AMQPError, AuthenticationError, ConnectionClosed
from pamqp.commands import Basic

from drupe.errors import BrokerUnavailableError, CommunicationError, CommunicatorClosedError
from drupe.messaging.rabbitmq.address import without_password
from drupe.messaging.rabbitmq.publishing import Publisher
from drupe.messaging.rabbitmq.topology import QueueForm

_LOG: Final = logging.getLogger("drupe.messaging")

PATIENCE: Final = 30.0
"""Seconds that who sends waits for a connection, unless it has a deadline of its own."""
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
_IN_FLIGHT: Final = 1024
_MOST_CHANNELS: Final = 65535
"""Of a broker that names no limit of its own: their numbers have 16 bits (AMQP 0-9-1, section 4.2.3)."""
_LOST: Final = (AMQPError, OSError, RuntimeError)
"""What aiormq raises when a connection or channel ends under a call."""

Channel = Any
"""A channel of aiormq."""
Properties = Basic.Properties


class Restored(Protocol):
    """What is made anew on each connection."""

    async def restore(self) -> None:
        """Declare and subscribe again."""
        ...

    def interrupted(self, error: CommunicationError) -> None:
        """The connection is lost; another one is being made."""
        ...

    def failed(self, error: CommunicationError) -> None:
        """There will be no other connection."""
        ...


class Connection:
    """A connection that comes back.

    Args:
        url: where the broker is.
        tls: verifies it, for ``amqps``.
        heartbeat: seconds after which a silent connection is given up.
        chance: spreads the attempts of many who lost theirs at the same time.
    """

    def __init__(
        self, url: str, *, tls: ssl.SSLContext | None = None, heartbeat: float = 20.0, chance: Random | None = None
    ) -> None:
        self._url = url
        self._tls = tls
        self._heartbeat = heartbeat
        self._chance = chance or Random()  # noqa: S311 (spreads attempts, keeps no secret)
        self._owner: Restored
        self._connection: Any = None
        self._publisher: Publisher
        self._numbers: itertools.cycle[int]
        self._up = asyncio.Event()
        self._down = asyncio.Event()
        self._closed = False
        self._keeping: asyncio.Task[None] | None = None
        self._in_flight = asyncio.Semaphore(_IN_FLIGHT)

    @property
    def is_up(self) -> bool:
        """Whether there is a connection now."""
        return self._up.is_set()

    # --- coming and going --------------------------------------------------------------------------------

    async def open(self, owner: Restored) -> None:
        """Connect, and stay connected.

        Raises:
            BrokerUnavailableError: the broker cannot be reached, or lets nobody in.
        """
        self._owner = owner
        try:
            await self._connect()
        except (*_LOST, TimeoutError) as error:
            await self._disconnect()
            raise BrokerUnavailableError(
                f"the broker {without_password(self._url)} cannot be used: {_told(error)}"
            ) from error
        self._keeping = asyncio.get_running_loop().create_task(self._keep())

    async def close(self) -> None:
        """Disconnect for good."""
        self._closed = True
        self._down.set()
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        self._up.set()  # who waits for a connection sees that there will be none
        await self._disconnect()

    async def _connect(self) -> None:
        self._connection = await aio_pika.connect(
            self._url,
            ssl_context=self._tls,
            timeout=PATIENCE,
            client_properties={"product": "drupe"},
            heartbeat=round(self._heartbeat),
        )
        self._down.clear()
        self._connection.close_callbacks.add(self._lost)
        most = self._connection.transport.connection.connection_tune.channel_max or _MOST_CHANNELS
        self._numbers = itertools.cycle(range(1, most + 1))
        self._publisher = Publisher(await self.channel(confirms=True))
        await self._owner.restore()
        if not self._down.is_set():
            self._up.set()

    def _lost(self, *_: object) -> None:
        self._up.clear()
        self._down.set()

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await connection.close()
            except _LOST:
                pass  # it is what was wanted

    async def _keep(self) -> None:
        while True:
            await self._down.wait()
            self._up.clear()
            self._owner.interrupted(
                BrokerUnavailableError("the connection to the broker was lost meanwhile; how far it came is not known")
            )
            _LOG.warning("the connection to the broker %s was lost", without_password(self._url))
            await self._disconnect()
            if not await self._connect_again():
                return
            _LOG.warning("the connection to the broker %s is there again", without_password(self._url))

    async def _connect_again(self) -> bool:
        pause = _FIRST_PAUSE
        while True:
            await asyncio.sleep(pause * (0.5 + self._chance.random()))
            pause = min(2 * pause, _LONGEST_PAUSE)
            try:
                await self._connect()
                return True
            except AuthenticationError as error:
                self._owner.failed(BrokerUnavailableError(f"the broker does not let us in any more: {_told(error)}"))
                return False
            except (*_LOST, TimeoutError, CommunicationError) as error:
                _LOG.info("the broker %s cannot be used yet: %s", without_password(self._url), _told(error))
                await self._disconnect()

    # --- using it ----------------------------------------------------------------------------------------

    async def channel(self, *, confirms: bool = False) -> Channel:
        """Get a new channel of the present connection."""
        if self._connection is None:
            raise ConnectionClosed(320, "there is no connection now")
        channel = await self._connection.channel(self._next_number(), publisher_confirms=confirms)
        return await channel.get_underlay_channel()

    def _next_number(self) -> int | None:
        """Take numbers in turn; None if all are in use.

        aiormq would take one anew as soon as it reads that the broker closed a channel, and can open the next one before it
        has agreed to that; then the broker ends the connection. A round later that is long over.
        """
        used = self._connection.transport.connection.channels
        return next((number for number in itertools.islice(self._numbers, _MOST_CHANNELS) if number not in used), None)

    async def publish(
        self,
        body: bytes,
        *,
        exchange: str,
        key: str,
        properties: Properties,
        patience: float | None = PATIENCE,
    ) -> bool:
        """Have the broker confirm a message; False if it leads nowhere.

        Raises:
            BrokerUnavailableError: there was no connection for too long; whether it arrived is not known.
            CommunicatorClosedError: the connection was closed.
        """
        try:
            async with asyncio.timeout(patience), self._in_flight:
                while True:
                    await self._up.wait()
                    if self._closed:
                        raise CommunicatorClosedError("this communicator was closed")
                    answer = await self._published(body, exchange, key, properties)
                    if answer is not None:
                        return answer
        except TimeoutError as error:
            raise BrokerUnavailableError(
                f"the broker did not confirm a message within {patience} s; whether it has it is not known"
            ) from error

    async def _published(self, body: bytes, exchange: str, key: str, properties: Properties) -> bool | None:
        """Publish once; None if it has to be tried again."""
        publisher = self._publisher
        try:
            return await publisher.publish(body, exchange=exchange, key=key, properties=properties)
        except _LOST:
            await self._settle(publisher)
            return None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            await self._settle(publisher)  # aiormq cancels what waits on a channel that ends
            return None

    async def _settle(self, publisher: Publisher) -> None:
        """Go on only when it is known whether the channel alone failed, or the connection with it."""
        await asyncio.sleep(0)
        if self._up.is_set() and publisher is self._publisher and publisher.is_closed:
            try:
                self._publisher = Publisher(await self.channel(confirms=True))
            except _LOST:
                self._lost()

    async def declare(self, channel: Channel, form: QueueForm) -> None:
        """Declare a queue."""
        await channel.queue_declare(
            form.name,
            durable=form.durable,
            exclusive=form.exclusive,
            auto_delete=form.auto_delete,
            arguments=form.arguments,
        )


def _told(error: BaseException) -> str:
    return str(error) or type(error).__name__
