"""Messages by kiwipy: its communicators on one loop, and behind threads."""

import asyncio
import os
import secrets

import aio_pika
import workload
from kiwipy.rmq import RmqCommunicator, RmqThreadCommunicator
from stopwatch import Stopwatch


def names():
    name = f"bench.{secrets.token_hex(8)}"
    return {"message_exchange": f"{name}.messages", "task_exchange": f"{name}.tasks", "task_queue": f"{name}.queue"}


async def _open(called):
    communicator = RmqCommunicator(
        connection=await aio_pika.connect_robust(os.environ["DRUPE_BENCH_AMQP"]), task_prefetch_count=100, **called
    )
    await communicator.connect()
    return communicator


def calls(watch: Stopwatch, *, size: int, flight: int, tasks: bool = False) -> int:
    async def main():
        called = names()
        here, there = await _open(called), await _open(called)

        async def echo(_communicator, body):
            return body

        await there.add_rpc_subscriber(echo, "echo")
        await there.add_task_subscriber(echo)

        async def call():
            send = here.task_send(workload.MESSAGE) if tasks else here.rpc_send("echo", workload.MESSAGE)
            return await (await send)

        await call()
        await workload.in_flight(watch, call, size=size, flight=flight)
        await here.disconnect()
        await there.disconnect()

    asyncio.run(main())
    return size


def sends(watch: Stopwatch, *, size: int, flight: int) -> int:
    async def main():
        here = await _open(names())
        await here.task_send(workload.MESSAGE, no_reply=True)
        await workload.in_flight(
            watch, lambda: here.task_send(workload.MESSAGE, no_reply=True), size=size, flight=flight
        )
        await here.disconnect()

    asyncio.run(main())
    return size


def threaded(watch: Stopwatch, *, size: int, flight: int) -> int:
    connect = {"connection_params": {"url": os.environ["DRUPE_BENCH_AMQP"]}, **names()}
    with RmqThreadCommunicator.connect(**connect) as here, RmqThreadCommunicator.connect(**connect) as there:
        there.add_rpc_subscriber(lambda _communicator, body: body, "echo")
        here.rpc_send("echo", workload.MESSAGE).result()
        workload.in_threads(watch, lambda: here.rpc_send("echo", workload.MESSAGE), size=size, flight=flight)
    return size


def sends_threaded(watch: Stopwatch, *, size: int, flight: int) -> int:
    """Its call returns when the broker has confirmed, so there is one on its way at a time, whatever ``flight`` says."""
    connect = {"connection_params": {"url": os.environ["DRUPE_BENCH_AMQP"]}, **names()}
    with RmqThreadCommunicator.connect(**connect) as here:
        here.task_send(workload.MESSAGE, no_reply=True)
        with watch:
            for _ in range(size):
                here.task_send(workload.MESSAGE, no_reply=True)
    return size


def registered(watch: Stopwatch, *, size: int) -> int:
    """Have so many names lead here; the unit is all of them."""

    async def main():
        here = await _open(names())

        async def answer(_communicator, body):
            return body

        with watch:
            await asyncio.gather(*(here.add_rpc_subscriber(answer, f"process-{number}") for number in range(size)))
        await here.disconnect()

    asyncio.run(main())
    return 1
