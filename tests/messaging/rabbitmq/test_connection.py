"""One connection with many channels: whatever the broker closes of them, the connection and the others go on."""

import asyncio

import pytest
from aiormq.exceptions import AMQPError

from drupe.messaging.rabbitmq.connection import Connection
from drupe.testing.communicator_contract_case import soon

pytestmark = [pytest.mark.service("rabbitmq")]


class Nothing:
    """What is made anew on a connection, and counts how often it was lost."""

    def __init__(self):
        self.lost = 0

    async def restore(self):
        pass

    def interrupted(self, error):
        self.lost += 1

    failed = interrupted


@pytest.fixture
async def owner():
    return Nothing()


@pytest.fixture
async def connection(broker_url, owner):
    connection = Connection(broker_url)
    await soon(connection.open(owner))
    yield connection
    await soon(connection.close())


async def refused(connection):
    channel = await connection.channel()
    with pytest.raises(AMQPError, match="NOT_FOUND"):
        await channel.queue_declare("no-such-queue", passive=True)  # the broker closes the channel


async def test_channels_that_the_broker_closes_while_others_are_opened_do_not_end_the_connection(connection, owner):
    for _ in range(5):
        await soon(asyncio.gather(*(refused(connection) for _ in range(100))))

    assert connection.is_up
    assert owner.lost == 0


async def test_numbers_of_channels_go_round_past_those_in_use(connection):
    kept = await connection.channel()
    most = kept.connection.connection_tune.channel_max

    for _ in range(most + 10):
        channel = await connection.channel()
        assert channel.number != kept.number
        await channel.close()

    assert not kept.is_closed
    assert connection.is_up
