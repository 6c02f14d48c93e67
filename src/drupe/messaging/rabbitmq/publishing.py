"""Messages onto one channel, each confirmed; what many send in the same turn of the loop goes out together.

aiormq arms a timer, takes a lock, describes three frames and wakes its writer for each message, which costs several times
what the message itself does. Here the frames are put together at once and handed over once a turn. What
comes back (confirmations, returned messages, the end of the channel) is still read by aiormq.

The layout of frames is that of AMQP 0-9-1, sections 2.3.5 (frames) and 4.2.6 (content).
"""

import asyncio
import itertools
import struct
from functools import lru_cache
from typing import Any, Final

import pamqp.frame
from aiormq.abc import ChannelFrame, DeliveredMessage
from aiormq.exceptions import ChannelInvalidStateError
from pamqp.commands import Basic

_FRAME: Final = struct.Struct(">BHI")
"""Before each payload: kind of frame, channel, size."""
_CONTENT: Final = struct.Struct(">HHQ")
"""Begin of a header: class, weight, size of the body."""
_HEADER: Final = 2
_BODY: Final = 3
_BASIC: Final = 60
_END: Final = b"\xce"
_NUMBERS: Final = itertools.count()


class Publisher:
    """Publishes on a channel that confirms, and that nobody else publishes on.

    Args:
        channel: of aiormq.
    """

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self._frames: list[bytes] = []
        self._handing: asyncio.Handle | asyncio.Task[None] | None = None

    @property
    def is_closed(self) -> bool:
        """Whether the channel has ended."""
        return bool(self._channel.is_closed)

    async def publish(self, body: bytes, *, exchange: str, key: str, properties: Basic.Properties) -> bool:
        """Send a message, and wait for the confirmation; False if it was returned because it leads nowhere.

        Raises:
            AMQPError: the channel ended; whether the message arrived is not known.
            asyncio.CancelledError: likewise, when aiormq ended it by cancelling.
        """
        channel = self._channel
        if channel.is_closed:
            raise ChannelInvalidStateError("the channel has ended")
        # From here to the frames in their list nothing awaits: the broker numbers messages in the order they arrive.
        number = channel.delivery_tag + 1
        if not properties.message_id:
            properties.message_id = str(next(_NUMBERS))  # by which aiormq knows a message that is returned
        frames = encode(
            body,
            exchange=exchange,
            key=key,
            properties=properties,
            channel=channel.number,
            limit=channel.max_content_size,
        )
        answer = channel.create_future()
        channel.delivery_tag = number
        channel.confirmations[number] = answer
        channel.message_id_delivery_tag[properties.message_id] = number
        self._frames.append(frames)
        if self._handing is None:
            self._handing = self._loop.call_soon(self._hand_over)
        try:
            return not isinstance(await answer, DeliveredMessage)
        finally:
            if channel.message_id_delivery_tag.get(properties.message_id) == number:
                del channel.message_id_delivery_tag[properties.message_id]

    def _hand_over(self) -> None:
        queue = self._channel.write_queue
        if queue.full():
            self._handing = self._loop.create_task(self._hand_over_later())
        else:
            queue.put_nowait(self._taken())
            self._handing = None

    async def _hand_over_later(self) -> None:
        """Wait until aiormq's writer takes something again, while more messages gather."""
        queue = self._channel.write_queue
        while self._frames:
            await queue.put(self._taken())
        self._handing = None

    def _taken(self) -> ChannelFrame:
        frames = b"".join(self._frames)
        self._frames.clear()
        return ChannelFrame(payload=frames, should_close=False)


def encode(
    body: bytes,
    *,
    exchange: str,
    key: str,
    properties: Basic.Properties,
    channel: int,
    limit: int,
) -> bytes:
    """Get the frames of one message, which the broker is to return if it leads nowhere.

    Args:
        body: may be empty, and then has no frame.
        exchange: where it goes.
        key: its routing key.
        properties: what else there is to say of it.
        channel: number of the channel.
        limit: bytes that one frame of the body may carry.
    """
    header = _CONTENT.pack(_BASIC, 0, len(body)) + properties.marshal()
    parts = [_method(exchange, key, channel), _FRAME.pack(_HEADER, channel, len(header)), header, _END]
    for begin in range(0, len(body), limit):
        part = body if len(body) <= limit else body[begin : begin + limit]
        parts += (_FRAME.pack(_BODY, channel, len(part)), part, _END)
    return b"".join(parts)


@lru_cache(maxsize=1024)
def _method(exchange: str, key: str, channel: int) -> bytes:
    return pamqp.frame.marshal(Basic.Publish(exchange=exchange, routing_key=key, mandatory=True), channel)
