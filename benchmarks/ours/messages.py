"""Messages by drupe's communicators: over a broker, through threads, over sockets of this machine, and into a store."""

import asyncio
import os
import secrets
import tempfile
from functools import partial
from pathlib import Path

import workload
from stopwatch import Stopwatch

from drupe import Process, State, Wait, open_controller, open_runner
from drupe.messaging.local.communicator import LocalCommunicator
from drupe.messaging.rabbitmq.communicator import RabbitmqCommunicator
from drupe.messaging.rabbitmq.topology import Topology
from drupe.messaging.thread import ThreadCommunicator
from drupe.service import profile
from drupe.storage.memory_queue import MemoryTaskQueue
from drupe.storage.sqlite import SqliteStore


def _amqp():
    return partial(
        RabbitmqCommunicator, os.environ["DRUPE_BENCH_AMQP"], topology=Topology(prefix=f"bench.{secrets.token_hex(8)}")
    )


async def _echo(watch, make, *, size, flight, tasks=False):
    here, there = make(), make()
    await here.open()
    await there.open()
    await there.subscribe_rpc(lambda body: body, "echo")
    await there.subscribe_task(lambda task: task.body, prefetch=100)

    async def task():
        return await (await here.task_send(workload.MESSAGE)).result()

    async def call():
        return await here.rpc_send("echo", workload.MESSAGE)

    work = task if tasks else call
    await work()
    await workload.in_flight(watch, work, size=size, flight=flight)
    await here.close()
    await there.close()


def calls(watch: Stopwatch, *, size: int, flight: int, tasks: bool = False) -> int:
    asyncio.run(_echo(watch, _amqp(), size=size, flight=flight, tasks=tasks))
    return size


def sends(watch: Stopwatch, *, size: int, flight: int) -> int:
    async def main():
        here = _amqp()()
        await here.open()
        await here.task_send(workload.MESSAGE, no_reply=True)
        await workload.in_flight(
            watch, lambda: here.task_send(workload.MESSAGE, no_reply=True), size=size, flight=flight
        )
        await here.close()

    asyncio.run(main())
    return size


def threaded(watch: Stopwatch, *, size: int, flight: int) -> int:
    make = _amqp()
    with ThreadCommunicator(make) as here, ThreadCommunicator(make) as there:
        there.subscribe_rpc(lambda body: body, "echo")
        here.rpc_send("echo", workload.MESSAGE).result()
        workload.in_threads(watch, lambda: here.rpc_send("echo", workload.MESSAGE), size=size, flight=flight)
    return size


def sends_threaded(watch: Stopwatch, *, size: int, flight: int) -> int:
    with ThreadCommunicator(_amqp()) as here:
        here.task_send(workload.MESSAGE, no_reply=True).result()
        workload.in_threads(watch, lambda: here.task_send(workload.MESSAGE, no_reply=True), size=size, flight=flight)
    return size


def registered(watch: Stopwatch, *, size: int) -> int:
    """Have so many names lead here; the unit is all of them."""

    async def main():
        here = _amqp()()
        await here.open()
        with watch:
            await asyncio.gather(*(here.subscribe_rpc(str, f"process-{number}") for number in range(size)))
        await here.close()

    asyncio.run(main())
    return 1


class Waiting(Process):
    def run(self):
        return Wait()


def killed(watch: Stopwatch, *, size: int) -> int:
    """Have so many waiting processes of a runner killed by a controller, until each says so; the unit is all of them."""

    async def main(folder):
        settings = profile.load(folder=folder, environment={}, flags={"broker": os.environ["DRUPE_BENCH_AMQP"]})
        async with (
            open_runner(settings, in_touch=True) as runner,
            open_controller(settings, in_touch=True) as controller,
        ):
            processes = [await runner.launch(Waiting) for _ in range(size)]
            while any(process.state is not State.WAITING for process in processes):  # noqa: ASYNC110 (before the clock)
                await asyncio.sleep(0.01)
            with watch:
                handles = await controller.kill_all()
                await asyncio.gather(*(handle.settled() for handle in handles))
            assert all(process.state is State.KILLED for process in processes)
            await asyncio.gather(*processes, return_exceptions=True)

    with tempfile.TemporaryDirectory(prefix="drupe-") as folder:
        asyncio.run(main(Path(folder)))
    return 1


def local_calls(watch: Stopwatch, *, size: int, flight: int) -> int:
    with tempfile.TemporaryDirectory(prefix="drupe-") as folder:
        make = partial(LocalCommunicator, Path(folder), MemoryTaskQueue())
        asyncio.run(_echo(watch, make, size=size, flight=flight))
    return size


def local_sends(watch: Stopwatch, *, size: int, flight: int) -> int:
    async def main(folder):
        store = SqliteStore(folder / "store.db", durability="process")
        await store.open()
        here = LocalCommunicator(folder, store.tasks)
        await here.open()
        await workload.in_flight(
            watch, lambda: here.task_send(workload.MESSAGE, no_reply=True), size=size, flight=flight
        )
        await here.close()
        await store.close()

    with tempfile.TemporaryDirectory(prefix="drupe-") as folder:
        asyncio.run(main(Path(folder)))
    return size
