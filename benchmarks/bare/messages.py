"""Messages by aio-pika alone: confirmed and mandatory, with the same bodies, and nothing that was lost is looked after."""

import asyncio
import itertools
import os
import secrets
from contextlib import asynccontextmanager

import aio_pika
import workload
from stopwatch import Stopwatch


class Caller:
    """Sends to one queue, and matches the replies that come to its own."""

    def __init__(self, channel, exchange, replies, target):
        self._channel = channel
        self._exchange = exchange
        self._replies = replies
        self._target = target
        self._numbers = itertools.count()
        self._waiting = {}

    async def answered(self, message):
        self._waiting.pop(message.correlation_id).set_result(workload.decode(message.body))

    async def call(self, body):
        number = str(next(self._numbers))
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        message = aio_pika.Message(workload.encode(body), correlation_id=number, reply_to=self._replies.name)
        await self._exchange.publish(message, self._target, mandatory=True)
        return await answer


@asynccontextmanager
async def meeting(*, tasks):
    """Get a caller, and somebody who sends back what comes, each with a connection of its own."""
    url = os.environ["DRUPE_BENCH_AMQP"]
    async with await aio_pika.connect(url) as here, await aio_pika.connect(url) as there:
        answering = await there.channel(publisher_confirms=True)
        if tasks:
            await answering.set_qos(prefetch_count=100)
        arguments = {"x-queue-type": "quorum"} if tasks else {}
        requests = await answering.declare_queue(
            f"bench.{secrets.token_hex(8)}", durable=tasks, exclusive=not tasks, arguments=arguments
        )

        async def echo(message):
            reply = aio_pika.Message(
                workload.encode(workload.decode(message.body)), correlation_id=message.correlation_id
            )
            await answering.default_exchange.publish(reply, message.reply_to, mandatory=True)
            await message.ack()

        await requests.consume(echo)
        channel = await here.channel(publisher_confirms=True)
        replies = await channel.declare_queue(exclusive=True)
        caller = Caller(channel, channel.default_exchange, replies, requests.name)
        await replies.consume(caller.answered, no_ack=True)
        yield caller
        await requests.delete(if_unused=False, if_empty=False)


def calls(watch: Stopwatch, *, size: int, flight: int, tasks: bool = False) -> int:
    async def main():
        async with meeting(tasks=tasks) as caller:
            await caller.call(workload.MESSAGE)
            await workload.in_flight(watch, lambda: caller.call(workload.MESSAGE), size=size, flight=flight)

    asyncio.run(main())
    return size


def sends(watch: Stopwatch, *, size: int, flight: int) -> int:
    async def main():
        async with await aio_pika.connect(os.environ["DRUPE_BENCH_AMQP"]) as connection:
            channel = await connection.channel(publisher_confirms=True)
            queue = await channel.declare_queue(
                f"bench.{secrets.token_hex(8)}", durable=True, arguments={"x-queue-type": "quorum"}
            )

            async def send():
                message = aio_pika.Message(workload.encode(workload.MESSAGE), delivery_mode=2)
                await channel.default_exchange.publish(message, queue.name, mandatory=True)

            await send()
            await workload.in_flight(watch, send, size=size, flight=flight)
            await queue.delete(if_unused=False, if_empty=False)

    asyncio.run(main())
    return size
