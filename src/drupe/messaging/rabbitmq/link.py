"""A participant's way to all others of a broker: calls, replies and broadcasts, each by one queue of its own.

A call is acknowledged when it was answered. So the broker itself tells the caller of a receiver that died: the call comes
back (see `topology`). However many names a participant answers to, they all lead to the one queue.
"""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final
from weakref import WeakValueDictionary

from aiormq.exceptions import AMQPError
from pamqp.commands import Basic

from drupe.core.message import Message, Rpc, encode_message, open_message
from drupe.core.role import Role
from drupe.errors import (
    BrokerUnavailableError,
    CommunicationError,
    DuplicateSubscriberError,
    MessageError,
    MessageRefusedError,
    PeerLostError,
    SealError,
    UnroutableError,
)
from drupe.messaging.backlog import Backlog, weight
from drupe.messaging.calls import Call, reply_refused
from drupe.messaging.complaint import Complaints
from drupe.messaging.envelope import Envelope, Lane, Place
from drupe.messaging.link import Receiver
from drupe.messaging.origin import Origin
from drupe.messaging.rabbitmq.connection import Channel, Connection
from drupe.messaging.rabbitmq.names import Names
from drupe.messaging.rabbitmq.topology import Topology, key_of

_LOG: Final = logging.getLogger("drupe.messaging")

PROBE: Final = "probe"
"""The type of a message that asks whether somebody answers to a name."""
HERE: Final = "here"
"""The type of its answer."""
_NEWS: Final = Place(Lane.NEWS)
_CALLS: Final = 64
"""So many calls are on their way to the broker at a time: a flood of calls by one does not make those of others wait."""


_GONE: Final = "whoever was to answer is gone; how far it came is not known"


class RabbitmqLink:
    """A way to the others of one broker; see `drupe.messaging.link.Link`.

    Args:
        connection: to the broker.
        topology: names that all have in common.
        envelope: goes around every message.
        address: the participant's own.
    """

    def __init__(self, connection: Connection, topology: Topology, envelope: Envelope, address: str) -> None:
        self._connection = connection
        self._topology = topology
        self._envelope = envelope
        self._address = address
        self._receiver: Receiver
        self._names = Names(connection, topology, topology.call_queue(address).name)
        self._numbers = itertools.count()
        self._channel: Channel = None
        self._unconfirmed: Channel = None
        self._consumers: list[str] = []
        self._calls: WeakValueDictionary[str, Call] = WeakValueDictionary()
        self._unanswered: dict[str, tuple[int, Origin]] = {}
        self._window = asyncio.Semaphore(_CALLS)
        self._probes: dict[str, asyncio.Future[bool]] = {}
        self._news: Backlog[bytes] = Backlog(weigh=lambda body: weight(len(body)))
        self._telling: asyncio.Task[None] | None = None
        self._working: set[asyncio.Task[None]] = set()
        self._complaints = Complaints(_LOG)

    @property
    def address(self) -> str:
        """Where others reach this participant."""
        return self._address

    # --- coming and going --------------------------------------------------------------------------------

    async def open(self, receiver: Receiver) -> None:
        """Connect."""
        self._receiver = receiver

    async def close(self) -> None:
        """Tell callers that their calls are not answered any more, and let replies and broadcasts that were sent arrive."""
        await self._while_up(self._stop_listening)
        for id, (_, origin) in list(self._unanswered.items()):
            self._answer_lost(id, origin)
        working = [*self._working, *([self._telling] if self._telling is not None else [])]
        if working and self._connection.is_up:
            await asyncio.wait(working, timeout=5.0)
        for task in working:
            task.cancel()
        await self._while_up(self._delete_queues)

    async def _while_up(self, parting: Callable[[Channel], Awaitable[None]]) -> None:
        channel = self._channel
        if channel is None or not self._connection.is_up:
            return
        try:
            await parting(channel)
        except (AMQPError, CommunicationError, OSError, RuntimeError) as error:
            _LOG.info("the broker was left without a word: %s", error)

    async def _stop_listening(self, channel: Channel) -> None:
        for consumer in self._consumers:
            await channel.basic_cancel(consumer)

    async def _delete_queues(self, channel: Channel) -> None:
        await channel.queue_delete(self._topology.reply_queue(self._address).name)
        # A queue that is deleted takes its messages along: calls that wait there shall come back to their callers.
        await channel.queue_delete(self._topology.call_queue(self._address).name, if_unused=True, if_empty=True)

    async def restore(self) -> None:
        """Declare and subscribe on a new connection."""
        topology, connection = self._topology, self._connection
        self._unanswered.clear()
        self._channel = channel = await connection.channel()
        self._unconfirmed = await connection.channel()
        for name, kind in topology.exchanges().items():
            await channel.exchange_declare(name, exchange_type=kind, durable=True)
        calls, replies = topology.call_queue(self._address), topology.reply_queue(self._address)
        news = topology.news_queue(f"{self._address}.{next(self._numbers)}")
        for form in (calls, replies, news, topology.dead_queue()):
            await connection.declare(channel, form)
        await channel.queue_bind(topology.dead_queue().name, topology.dead, "")
        await channel.queue_bind(replies.name, topology.lost, self._address)
        await channel.queue_bind(news.name, topology.news, "")
        self._consumers = [
            (await channel.basic_consume(replies.name, self._take_reply)).consumer_tag,
            (await channel.basic_consume(calls.name, self._take_call)).consumer_tag,
            (await channel.basic_consume(news.name, self._take_news, no_ack=True)).consumer_tag,
        ]
        await self._names.restore(channel)

    def interrupted(self, error: CommunicationError) -> None:
        """Fail what was asked over a connection that is lost; broadcasts were missed meanwhile, nobody knows how many."""
        for call in list(self._calls.values()):
            call.end(error)
        for probe in self._probes.values():
            if not probe.done():
                probe.set_exception(error)
        self._receiver.missed(1)

    # --- names -------------------------------------------------------------------------------------------

    async def knows(self, address: str) -> bool:
        """Tell whether there is a living participant at ``address``; the broker itself puts back what the dead held."""
        return True

    async def register(self, identifier: str) -> None:
        """Have ``identifier`` lead here."""
        if await self._is_taken(identifier):
            raise DuplicateSubscriberError(f"{identifier!r} is answered to by somebody else")
        await self._names.add(identifier)

    async def unregister(self, identifier: str) -> None:
        """Have ``identifier`` lead nowhere."""
        await self._names.remove(identifier)

    async def _is_taken(self, identifier: str) -> bool:
        number = f"{self._address}.{next(self._numbers)}"
        answer = self._probes[number] = asyncio.get_running_loop().create_future()
        try:
            properties = Basic.Properties(
                message_id=number,
                message_type=PROBE,
                reply_to=self._address,
                headers={"CC": [self._address]},
                expiration="0",  # it waits for nobody
            )
            key = key_of(identifier)
            there = await self._connection.publish(b"", exchange=self._topology.calls, key=key, properties=properties)
            return there and await answer
        finally:
            del self._probes[number]

    # --- sending -----------------------------------------------------------------------------------------

    async def call(self, identifier: str, data: bytes, call: Call) -> None:
        """Send a request to whoever ``identifier`` leads to."""
        self._calls[call.id] = call
        self._start(self._publish_call(identifier, data, call))

    async def _publish_call(self, identifier: str, data: bytes, call: Call) -> None:
        key = key_of(identifier)
        # The second key leads nowhere on its way there, and to the caller on its way back.
        properties = Basic.Properties(message_id=call.id, reply_to=self._address, headers={"CC": [self._address]})
        try:
            async with self._window:
                body = self._envelope.wrap(data, Place(Lane.CALL, key), role=call.role)
                routed = await self._connection.publish(
                    body, exchange=self._topology.calls, key=key, properties=properties, patience=None
                )
            if not routed:
                call.end(UnroutableError(f"nobody answers to {identifier!r}"))
        except CommunicationError as error:
            call.end(error)

    def send(self, origin: Origin, data: bytes, *, answers: str) -> None:
        """Send a reply to one participant, and acknowledge what it answers."""
        body = self._envelope.wrap(data, Place(Lane.REPLY, origin.address), role=origin.role, key=origin.key)
        tag, _ = self._unanswered.pop(answers, (None, None))
        self._start(self._publish_reply(origin.address, body, tag))

    def _answer_lost(self, id: str, origin: Origin) -> None:
        self.send(origin, encode_message(reply_refused(id, PeerLostError(_GONE))), answers=id)

    async def _publish_reply(self, address: str, body: bytes, tag: int | None) -> None:
        channel = self._channel
        queue = self._topology.reply_queue(address).name
        properties = Basic.Properties(reply_to=self._address, delivery_mode=2)
        try:
            # However long the broker is away: what is answered is done, and would not be answered again.
            await self._connection.publish(body, exchange="", key=queue, properties=properties, patience=None)
            if tag is not None and channel is self._channel:
                await channel.basic_ack(tag, wait=False)
        except (BrokerUnavailableError, OSError, RuntimeError) as error:
            _LOG.warning("a reply was dropped: %s", error)

    def publish(self, data: bytes, *, role: Role) -> None:
        """Send a broadcast to all others."""
        self._news.put_loose(self._envelope.wrap(data, _NEWS, role=role))
        if self._telling is None:
            self._telling = asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        topology = self._topology
        properties = Basic.Properties(reply_to=self._address)
        try:
            while self._news:
                body, missed = self._news.take()
                if missed:
                    _LOG.warning("%d broadcasts were dropped: the broker is too slow, or not there", missed)
                try:
                    await self._unconfirmed.basic_publish(body, exchange=topology.news, properties=properties)
                except (CommunicationError, OSError, RuntimeError) as error:
                    _LOG.warning("a broadcast was dropped: %s", error)
        finally:
            self._telling = None

    def wake(self, queue: str) -> None:
        """Nobody has to be told of a task: the broker brings it."""

    # --- receiving ---------------------------------------------------------------------------------------

    async def _take_call(self, delivered: Any) -> None:
        properties, tag = delivered.header.properties, delivered.delivery.delivery_tag
        if properties.message_type == PROBE:
            await self._answer_probe(properties)
            await self._channel.basic_ack(tag, wait=False)
            return
        try:
            message, origin = self._read(delivered, Place(Lane.CALL, delivered.delivery.routing_key))
        except MessageError as error:
            await self._give_back(tag, error)
            return
        if not isinstance(message, Rpc) or not origin.address:
            await self._channel.basic_ack(tag, wait=False)
            return
        if message.id in self._unanswered:  # sent twice, because the confirmation of the first was lost
            await self._channel.basic_ack(tag, wait=False)
            return
        self._unanswered[message.id] = (tag, origin)
        if delivered.delivery.redelivered:  # it was here before a connection was lost, and may have been begun
            self._answer_lost(message.id, origin)
        else:
            self._receiver.received(origin, message)

    async def _give_back(self, tag: int, error: MessageError) -> None:
        """Have the broker tell the caller, which has no proof of anything, that its call was not taken, and nothing more."""
        if isinstance(error, SealError) and error.repeated:  # the first of the two is being answered
            await self._channel.basic_ack(tag, wait=False)
        else:
            await self._channel.basic_nack(tag, requeue=False)

    async def _answer_probe(self, properties: Any) -> None:
        queue = self._topology.reply_queue(properties.reply_to).name
        answer = Basic.Properties(message_type=HERE, correlation_id=properties.message_id)
        await self._unconfirmed.basic_publish(b"", exchange="", routing_key=queue, properties=answer)

    async def _take_reply(self, delivered: Any) -> None:
        properties = delivered.header.properties
        deaths = (properties.headers or {}).get("x-death")
        if deaths:
            await self._take_back(properties, deaths[0])
        elif properties.message_type == HERE:
            self._end_probe(properties.correlation_id, taken=True)
        else:
            self._take(delivered, Place(Lane.REPLY, self._address))
        # Acknowledged, because a broker does not see at once that a connection is dead, and goes on sending into it.
        await delivered.channel.basic_ack(delivered.delivery.delivery_tag, wait=False)

    async def _take_back(self, properties: Any, death: Mapping[str, Any]) -> None:
        """A call or probe of ours came back. Unless it was refused, whoever had it is dead, and its queue must lead nobody astray."""
        call = self._calls.get(properties.message_id)
        if call is not None and call.future.done():
            return
        if death["reason"] == "rejected":
            if call is not None:
                call.end(
                    MessageRefusedError("whoever got the call did not take it: are the keys and the clocks right?")
                )
            return
        await self._names.bury(str(death["queue"]))
        if call is not None:
            call.end(PeerLostError(_GONE))
        self._end_probe(properties.message_id, taken=False)

    def _end_probe(self, number: str, *, taken: bool) -> None:
        probe = self._probes.get(number)
        if probe is not None and not probe.done():
            probe.set_result(taken)

    async def _take_news(self, delivered: Any) -> None:
        if delivered.header.properties.reply_to != self._address:
            self._take(delivered, _NEWS)

    def _take(self, delivered: Any, place: Place) -> None:
        try:
            message, origin = self._read(delivered, place)
        except MessageError:
            return
        self._receiver.received(origin, message)

    def _read(self, delivered: Any, place: Place) -> tuple[Message, Origin]:
        try:
            opened = self._envelope.unwrap(delivered.body, place)
            return open_message(opened.data), Origin(delivered.header.properties.reply_to or "", opened.key)
        except MessageError as error:
            self._complaints.make("a message was not taken: %s", error)
            raise

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._working.add(task)
        task.add_done_callback(self._working.discard)
