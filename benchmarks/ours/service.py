"""What services do with drupe: processes that are kept, in this interpreter, and run by a worker for another.

The unit is a process, a step, or a list. A worker is started once for all runs of an interpreter.
"""

import asyncio
import atexit
import functools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import memory
import workload
from stopwatch import Stopwatch

from drupe import Process, State, Wait, WorkChain, open_runner, while_
from drupe.core.record import Query
from drupe.service import profile
from drupe.service.wiring import open_remote

SLOTS = 100


class One(Process):
    def run(self):
        return 1


class Began(Process):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("at", valid_type=float)

    def run(self):
        self.out("at", time.time())


class Steps(WorkChain):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("steps", valid_type=int)
        spec.outline(while_(cls.more)(cls.count))

    def more(self):
        return self.ctx.get("n", 0) < self.inputs.steps

    def count(self):
        self.ctx.n = self.ctx.get("n", 0) + 1


class AsyncSteps(Steps):
    async def count(self):
        self.ctx.n = self.ctx.get("n", 0) + 1


class Waits(Process):
    def run(self):
        return Wait(self.end, signal="go")

    def end(self, payload):
        return payload


def _settings(store: str, broker: str = "local"):
    """Get the settings of a new folder, which lasts as long as this interpreter."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    flags = {"imports": [__name__]}
    if store == "postgres":
        flags["store"] = os.environ["DRUPE_BENCH_POSTGRES"]
    if broker == "rabbitmq":
        flags["broker"] = os.environ["DRUPE_BENCH_AMQP"]
    lines = (f"{name} = {value!r}".replace("'", '"') for name, value in flags.items())
    Path(folder.name, "drupe.toml").write_text("\n".join(lines) + "\n")
    return profile.load(folder=Path(folder.name))


def one_after_the_other(watch: Stopwatch, *, size: int, store: str) -> int:
    async def main():
        async with open_runner(_settings(store)) as runner:
            await (await runner.launch(One))
            with watch:
                for _ in range(size):
                    await (await runner.launch(One))

    asyncio.run(main())
    return size


def at_once(watch: Stopwatch, *, size: int, flight: int, store: str) -> int:
    async def main():
        async with open_runner(_settings(store)) as runner:

            async def one():
                await (await runner.launch(One))

            await one()
            await workload.in_flight(watch, one, size=size, flight=flight)

    asyncio.run(main())
    return size


def steps(watch: Stopwatch, *, processes: int, size: int, body: str, store: str) -> int:
    chain = AsyncSteps if body == "async" else Steps

    async def main():
        async with open_runner(_settings(store)) as runner:

            async def one():
                await (await runner.launch(chain, {"steps": size}))

            with watch:
                await asyncio.gather(*(one() for _ in range(processes)))

    asyncio.run(main())
    return processes * size


def listed(watch: Stopwatch, *, size: int, processes: int, store: str) -> int:
    settings = _filled(store, processes)

    async def main():
        async with open_runner(settings) as runner:
            await runner.store.list(Query(limit=100))
            with watch:
                for _ in range(size):
                    await runner.store.list(Query(limit=100))

    asyncio.run(main())
    return size


@functools.cache
def _filled(store: str, processes: int):
    settings = _settings(store)

    async def main():
        async with open_runner(settings) as runner:
            for process in [await runner.launch(One) for _ in range(processes)]:
                await process

    asyncio.run(main())
    return settings


# --- a worker, and somebody else -----------------------------------------------------------------------------


@functools.cache
def worker_on(store: str, broker: str):
    """Start a worker; get its settings and the program."""
    settings = _settings(store, broker)
    places = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    worker = subprocess.Popen(
        [sys.executable, "-m", "drupe", "worker", "--alone", "--slots", str(SLOTS)],
        cwd=settings.folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    atexit.register(worker.wait)
    atexit.register(worker.terminate)

    async def main():
        async with open_remote(settings) as remote:
            await (await remote.controller.launch(One)).result(deadline=60.0)

    asyncio.run(main())
    return settings, worker


def through_worker(watch: Stopwatch, *, size: int, flight: int, store: str, broker: str = "local") -> int:
    """From asking a worker in another program to the outputs."""
    settings, _ = worker_on(store, broker)

    async def main():
        async with open_remote(settings) as remote:

            async def one():
                await (await remote.controller.launch(One)).result(deadline=60.0)

            await one()
            await workload.in_flight(watch, one, size=size, flight=flight)

    asyncio.run(main())
    return size


def started(watch: Stopwatch, *, size: int, store: str, broker: str = "local") -> int:
    """From asking a worker in another program to the first line of the step, by the machine's one clock."""
    settings, _ = worker_on(store, broker)

    async def main():
        async with open_remote(settings) as remote:
            for _ in range(size):
                asked = time.time()
                outputs = await (await remote.controller.launch(Began)).result(deadline=60.0)
                watch.wall += outputs.at - asked

    asyncio.run(main())
    return size


async def _waits(store, pid, *, parked=False):
    """Tell whether it waits, and (parked) lives in the store alone."""
    row = await store.record(pid)
    return row.state is State.WAITING and (row.owner is None or not parked)


def signalled(watch: Stopwatch, *, size: int, store: str) -> int:
    """From a signal out of another program to the end of the process that waited for it."""
    settings, _ = worker_on(store, "local")

    async def main():
        async with open_remote(settings) as remote:
            controller = remote.controller
            launches = [await controller.launch(Waits) for _ in range(size)]
            pids = [launch.pid for launch in launches]
            for launch, pid in zip(launches, pids, strict=True):
                await launch.taken(deadline=60.0)
                await workload.until(lambda pid=pid: _waits(remote.store, pid))
            with watch:
                for pid in pids:
                    await controller.signal(pid, "go", 1)
                    await controller.wait(pid, deadline=60.0)

    asyncio.run(main())
    return size


def waiting(watch: Stopwatch, *, size: int, store: str) -> int:
    """Memory that a worker takes for processes which wait for a signal."""
    settings, worker = worker_on(store, "local")

    async def main():
        async with open_remote(settings) as remote:
            controller = remote.controller
            before = memory.resident(worker.pid)
            launches = [await controller.launch(Waits) for _ in range(size)]
            for launch in launches:
                await launch.taken(deadline=60.0)
            pids = [launch.pid for launch in launches]
            for pid in pids:
                await workload.until(lambda pid=pid: _waits(remote.store, pid, parked=True))
            watch.bytes = max(0, memory.resident(worker.pid) - before)
            for pid in pids:
                await controller.signal(pid, "go", 1)
            for pid in pids:
                await controller.wait(pid, deadline=60.0)

    asyncio.run(main())
    return size


def idle(watch: Stopwatch, *, store: str) -> int:
    """Memory of a worker that has run one process."""
    watch.bytes = memory.resident(worker_on(store, "local")[1].pid)
    return 1
