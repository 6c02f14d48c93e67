"""Tasks in the queues of a broker: put with a confirmation, brought to who subscribes, fetched by who pulls.

The broker itself puts back what a participant held when its connection ends, so nobody has to be forgotten. A task may be
delivered twice: also when it was acknowledged and the acknowledgement was lost with the connection.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from aiormq.exceptions import AMQPError
from pamqp.commands import Basic

from drupe.core import entitlement
from drupe.core.message import Task, decode_message, encode_message
from drupe.errors import BrokerUnavailableError, CommunicationError, MessageError
from drupe.interfaces.task_queue import Taken
from drupe.messaging.complaint import Complaints
from drupe.messaging.envelope import Envelope, Lane, Place
from drupe.messaging.rabbitmq.connection import Channel, Connection
from drupe.messaging.rabbitmq.topology import Topology, key_of

_LOG: Final = logging.getLogger("drupe.messaging")

ATTEMPT: Final = "x-drupe-attempt"
"""How often a task was taken before it was put into the queue again."""
_DELIVERIES: Final = "x-delivery-count"
"""How often the broker delivered it since."""
_FAILED: Final = (AMQPError, OSError, RuntimeError)


class _Held:
    """A delivery that is not acknowledged yet."""

    __slots__ = ("body", "channel", "headers", "key", "tag")

    def __init__(self, delivered: Any, channel: Channel) -> None:
        self.channel = channel
        self.tag: int = delivered.delivery.delivery_tag
        self.key: str = delivered.delivery.routing_key
        self.body: bytes = delivered.body
        self.headers: dict[str, Any] = delivered.header.properties.headers or {}


class RabbitmqTasks:
    """See `drupe.interfaces.task_queue.TaskQueue`.

    Args:
        connection: to the broker.
        topology: names that all have in common.
        envelope: goes around every message.
    """

    def __init__(self, connection: Connection, topology: Topology, envelope: Envelope) -> None:
        self._connection = connection
        self._topology = topology
        self._envelope = envelope
        self._channel: Channel = None
        self._declared: set[str] = set()
        self._delays: set[int] = set()
        self._held: dict[tuple[str, int], _Held] = {}
        self._sources: list[Deliveries] = []
        self._complaints = Complaints(_LOG)

    async def restore(self) -> None:
        """Subscribe on a new connection; what was held on the one before is with the broker again."""
        self._held.clear()
        self._declared.clear()
        self._delays.clear()
        self._channel = await self._connection.channel()
        for source in self._sources:
            await source.subscribe()

    async def put(self, tasks: Sequence[Task]) -> None:
        encoded = [encode_message(task) for task in tasks]
        await asyncio.gather(*(self._put(task, data) for task, data in zip(tasks, encoded, strict=True)))

    async def _put(self, task: Task, data: bytes) -> None:
        key = key_of(task.queue)
        properties = Basic.Properties(message_id=task.id, delivery_mode=2)
        body = self._envelope.wrap(data, Place(Lane.TASK, key), role=entitlement.needed(task))
        for _ in range(3):
            await self._declare(task.queue)
            if await self._connection.publish(body, exchange=self._topology.tasks, key=key, properties=properties):
                return
            self._declared.discard(task.queue)  # somebody deleted it
        raise BrokerUnavailableError(f"the broker keeps no queue {task.queue!r}; the task was not sent")

    async def take(self, queue: str, *, holder: str, limit: int) -> list[Taken]:
        await self._declare(queue)
        name = self._topology.task_queue(queue).name
        taken: list[Taken] = []
        channel = self._channel
        try:
            while len(taken) < limit:
                delivered = await channel.basic_get(name)
                if delivered is None or isinstance(delivered.delivery, Basic.GetEmpty):
                    break
                if (one := await self.hold(delivered, channel)) is not None:
                    taken.append(one)
        except _FAILED as error:
            raise BrokerUnavailableError(f"queue {queue!r} cannot be read now: {error}") from error
        return taken

    async def settle(self, taken: Taken) -> bool:
        held = self._let_go(taken)
        return held is not None and await _acknowledged(held)

    async def release(self, taken: Taken, *, delay: float = 0.0) -> bool:
        held = self._let_go(taken)
        if held is None:
            return False
        try:
            if delay > 0:
                await self._put_later(held, taken.attempt, round(delay * 1000))
                await held.channel.basic_ack(held.tag)
            else:
                await held.channel.basic_nack(held.tag, requeue=True)
        except (CommunicationError, *_FAILED) as error:
            _LOG.info("a task went back with its connection: %s", error)
            return False
        return True

    async def forget(self, holder: str) -> int:
        return 0

    async def holders(self) -> list[str]:
        return []

    async def open_source(self, queue: str, prefetch: int, wake: Callable[[], None]) -> "Deliveries":
        """Have the broker bring tasks of a queue, at most ``prefetch`` at a time."""
        source = Deliveries(self, queue, prefetch, wake)
        self._sources.append(source)
        try:
            await source.subscribe()
        except _FAILED as error:
            _LOG.info("queue %r is subscribed to when the broker is there again: %s", queue, error)
        return source

    # --- for its sources ---------------------------------------------------------------------------------

    async def channel_for(self, queue: str, prefetch: int) -> tuple[Channel, str]:
        """Get a channel of its own for a source, and the name of its queue."""
        channel = await self._connection.channel()
        await channel.basic_qos(prefetch_count=prefetch)
        form = self._topology.task_queue(queue)
        await self._connection.declare(channel, form)
        await channel.queue_bind(form.name, self._topology.tasks, key_of(queue))
        return channel, form.name

    async def hold(self, delivered: Any, channel: Channel) -> Taken | None:
        """Note a delivery, and get its task; one that cannot be read is given up, and does not come again."""
        held = _Held(delivered, channel)
        try:
            opened = self._envelope.unwrap(held.body, Place(Lane.TASK, held.key))
            task = decode_message(opened.data)
            if not isinstance(task, Task):
                raise MessageError("it is another message")  # noqa: TRY301 (handled like one that is none)
        except MessageError as error:
            self._complaints.make("a task of %s was given up: it cannot be taken: %s", held.key, error)
            await channel.basic_nack(held.tag, requeue=False)
            return None
        attempt = int(held.headers.get(ATTEMPT, 0)) + int(held.headers.get(_DELIVERIES, 0)) + 1
        self._held[task.id, attempt] = held
        return Taken(task, attempt, opened.key)

    def drop(self, source: "Deliveries") -> None:
        """Forget a source that has ended."""
        self._sources.remove(source)

    # --- inside ------------------------------------------------------------------------------------------

    def _let_go(self, taken: Taken) -> _Held | None:
        return self._held.pop((taken.task.id, taken.attempt), None)

    async def _declare(self, queue: str) -> None:
        if queue in self._declared:
            return
        form = self._topology.task_queue(queue)
        try:
            await self._connection.declare(self._channel, form)
            await self._channel.queue_bind(form.name, self._topology.tasks, key_of(queue))
        except _FAILED as error:
            if self._connection.is_up:
                raise BrokerUnavailableError(f"queue {queue!r} cannot be declared: {error}") from error
            return  # publishing waits for the connection, and looks again
        self._declared.add(queue)

    async def _put_later(self, held: _Held, attempt: int, delay_ms: int) -> None:
        exchange, form = self._topology.later(delay_ms), self._topology.later_queue(delay_ms)
        if delay_ms not in self._delays:
            await self._channel.exchange_declare(exchange, exchange_type="fanout", durable=True)
            await self._connection.declare(self._channel, form)
            await self._channel.queue_bind(form.name, exchange, "")
            self._delays.add(delay_ms)
        properties = Basic.Properties(delivery_mode=2, headers={ATTEMPT: attempt})
        if not await self._connection.publish(held.body, exchange=exchange, key=held.key, properties=properties):
            raise BrokerUnavailableError("the broker has no place for a task that comes later")


class Deliveries:
    """What the broker brings for one subscriber; see `drupe.messaging.source.Source`."""

    def __init__(self, tasks: RabbitmqTasks, queue: str, prefetch: int, wake: Callable[[], None]) -> None:
        self.queue = queue
        self._tasks = tasks
        self._prefetch = prefetch
        self._wake = wake
        self._channel: Channel = None
        self._tag: str | None = None
        self._there: deque[Any] = deque()

    async def subscribe(self) -> None:
        """Subscribe, on the connection that is there now."""
        self._there.clear()
        self._channel, name = await self._tasks.channel_for(self.queue, self._prefetch)
        consumed = await self._channel.basic_consume(name, self._arrived)
        self._tag = consumed.consumer_tag

    async def take(self, limit: int) -> list[Taken]:
        """Get what was brought."""
        taken: list[Taken] = []
        while self._there and len(taken) < limit:
            one = await self._tasks.hold(self._there.popleft(), self._channel)
            if one is not None:
                taken.append(one)
        return taken

    async def end(self) -> None:
        """Bring nothing more, and give back what nobody took."""
        self._tasks.drop(self)
        try:
            if self._tag is not None:
                await self._channel.basic_cancel(self._tag)
            while self._there:
                await self._channel.basic_nack(self._there.popleft().delivery.delivery_tag, requeue=True)
        except _FAILED as error:
            _LOG.info("a subscription ended with its connection: %s", error)

    async def _arrived(self, delivered: Any) -> None:
        self._there.append(delivered)
        self._wake()


async def _acknowledged(held: _Held) -> bool:
    try:
        await held.channel.basic_ack(held.tag, wait=False)
    except _FAILED as error:
        _LOG.info("an acknowledgement was lost with its connection: %s", error)
        return False
    return True
