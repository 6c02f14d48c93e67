"""The names that a participant answers to: bindings of its one queue, made many at a time."""

import asyncio
import logging
from typing import Any, Final

from aiormq.exceptions import AMQPError

from drupe.messaging.rabbitmq.connection import Channel, Connection
from drupe.messaging.rabbitmq.topology import Topology, key_of

_LOG: Final = logging.getLogger("drupe.messaging")


class Names:
    """Bindings from keys to the queue of calls.

    Args:
        connection: to the broker.
        topology: names that all have in common.
        queue: the queue of calls.
    """

    def __init__(self, connection: Connection, topology: Topology, queue: str) -> None:
        self._connection = connection
        self._topology = topology
        self._queue = queue
        self._bound: set[str] = set()
        self._channel: Channel = None
        self._asked: list[tuple[str, asyncio.Future[None]]] = []
        self._binding: asyncio.Task[None] | None = None
        self._dead: dict[str, asyncio.Task[None]] = {}
        self._burial = asyncio.Lock()

    async def restore(self, channel: Channel) -> None:
        """Bind everything on a new connection."""
        self._channel = channel
        await self._bind(list(self._bound))

    async def add(self, identifier: str) -> None:
        """Have a name lead to the queue; returns when it does."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._bound.add(identifier)
        self._asked.append((identifier, done))
        if self._binding is None:
            self._binding = asyncio.get_running_loop().create_task(self._bind_asked())
        await done

    async def remove(self, identifier: str) -> None:
        """Have a name lead nowhere."""
        self._bound.discard(identifier)
        try:
            await self._channel.queue_unbind(self._queue, self._topology.calls, key_of(identifier))
        except (AMQPError, OSError, RuntimeError) as error:  # the connection is lost, and the next one binds it no more
            _LOG.info("a name was let go of without the broker: %s", error)

    async def bury(self, queue: str) -> None:
        """Delete the queue of a participant that died: what leads there leads nowhere then.

        It stays while somebody reads it, and while calls wait in it, which it would take along. However many calls come back
        from it at a time, they ask the broker once, and once more for those that came meanwhile.
        """
        if queue == self._queue or not queue.startswith(self._topology.call_queue("").name):
            return
        if queue not in self._dead:
            self._dead[queue] = asyncio.get_running_loop().create_task(self._bury_next(queue))
        await asyncio.wait([self._dead[queue]])

    async def _bury_next(self, queue: str) -> None:
        async with self._burial:
            del self._dead[queue]  # whoever asks from here on may know of a call that is out of it only now
            await self._bury(queue)

    async def _bury(self, queue: str) -> None:
        try:
            channel: Any = await self._connection.channel()
            await channel.queue_delete(queue, if_unused=True, if_empty=True)
            await channel.close()
        except (AMQPError, OSError, RuntimeError) as error:
            _LOG.info("the queue %s is left: %s", queue, error)

    async def _bind_asked(self) -> None:
        await asyncio.sleep(0)  # those that are asked for in this turn come along
        try:
            while self._asked:
                asked, self._asked = self._asked, []
                await self._bind_some(asked)
        finally:
            self._binding = None

    async def _bind_some(self, asked: list[tuple[str, "asyncio.Future[None]"]]) -> None:
        try:
            await self._bind([identifier for identifier, _ in asked])
        except (AMQPError, OSError, RuntimeError) as error:  # they are bound on the next connection, with all others
            _LOG.info("%d names wait for the broker: %s", len(asked), error)
        for _, done in asked:
            if not done.done():
                done.set_result(None)

    async def _bind(self, identifiers: list[str]) -> None:
        for identifier in identifiers:
            await self._channel.queue_bind(self._queue, self._topology.calls, key_of(identifier), nowait=True)
        if identifiers:  # answered when all before it are done
            await self._channel.queue_declare(self._queue, passive=True)
