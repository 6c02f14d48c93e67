"""Frames are those of the protocol, and each message gets its own confirmation."""

import asyncio

import aio_pika
import pamqp.frame
import pytest
from aiormq.abc import ChannelFrame
from aiormq.exceptions import AMQPError
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from drupe.messaging.rabbitmq.publishing import Publisher, encode

LIMIT = 10


@pytest.fixture
async def connection(broker_url):
    async with await aio_pika.connect(broker_url) as connection:
        yield connection


@pytest.fixture
async def channel(connection):
    return await (await connection.channel(publisher_confirms=True)).get_underlay_channel()


@pytest.fixture
async def queue(channel):
    return (await channel.queue_declare(exclusive=True)).queue


def sending(publisher, body, *, to, **properties):
    return asyncio.create_task(publisher.publish(body, exchange="", key=to, properties=Basic.Properties(**properties)))


async def content(channel, queue):
    return (await channel.basic_get(queue, no_ack=True)).body


@pytest.mark.parametrize("size", [0, 1, LIMIT - 1, LIMIT, LIMIT + 1, 3 * LIMIT])
def test_the_frames_are_those_of_the_protocol(size):
    body = bytes(range(size))
    properties = Basic.Properties(message_id="m", delivery_mode=2, headers={"CC": ["a"]})
    expected = [
        Basic.Publish(exchange="there", routing_key="k", mandatory=True),
        ContentHeader(properties=properties, body_size=size),
        *(ContentBody(body[begin : begin + LIMIT]) for begin in range(0, size, LIMIT)),
    ]

    frames = encode(body, exchange="there", key="k", properties=properties, channel=7, limit=LIMIT)

    assert frames == b"".join(pamqp.frame.marshal(frame, 7) for frame in expected)


@pytest.mark.service("rabbitmq")
async def test_messages_arrive_whole_and_in_the_order_they_were_sent(channel, queue):
    publisher = Publisher(channel)
    bodies = [b"first", b"", b"x" * (2 * channel.max_content_size + 1), b"last"]

    assert await asyncio.gather(*(sending(publisher, body, to=queue) for body in bodies)) == [True] * 4

    assert [await content(channel, queue) for _ in bodies] == bodies


@pytest.mark.service("rabbitmq")
async def test_only_the_one_that_leads_nowhere_is_said_to(channel, queue):
    publisher = Publisher(channel)
    sent = [sending(publisher, b"", to=key) for key in (queue, "nowhere", queue, "nowhere too", queue)]

    assert await asyncio.gather(*sent) == [True, False, True, False, True]


@pytest.mark.service("rabbitmq")
async def test_a_writer_that_is_busy_gets_what_gathered_meanwhile(channel, queue):
    publisher = Publisher(channel)
    first = sending(publisher, b"first", to=queue)
    await asyncio.sleep(0)  # its frames are handed over in the next turn
    while not channel.write_queue.full():
        channel.write_queue.put_nowait(ChannelFrame(payload=b"", should_close=False))
    second = sending(publisher, b"second", to=queue)

    assert await asyncio.gather(first, second) == [True, True]

    assert [await content(channel, queue), await content(channel, queue)] == [b"first", b"second"]
    assert await sending(publisher, b"third", to=queue)


@pytest.mark.service("rabbitmq")
async def test_who_waits_no_longer_takes_nobody_elses_confirmation(channel, queue):
    publisher = Publisher(channel)
    sent = [sending(publisher, b"", to=key) for key in (queue, "nowhere", queue, "nowhere")]
    await asyncio.sleep(0)

    sent[0].cancel()
    sent[1].cancel()

    assert await asyncio.gather(*sent[2:]) == [True, False]
    assert not channel.message_id_delivery_tag


@pytest.mark.service("rabbitmq")
async def test_a_channel_that_ends_fails_what_is_on_its_way_and_what_comes_after(channel):
    publisher = Publisher(channel)
    lost = asyncio.create_task(
        publisher.publish(b"", exchange="no such exchange", key="", properties=Basic.Properties())
    )

    with pytest.raises((AMQPError, asyncio.CancelledError)):
        await lost

    assert publisher.is_closed
    with pytest.raises(RuntimeError, match="ended"):
        await sending(publisher, b"", to="nowhere")
