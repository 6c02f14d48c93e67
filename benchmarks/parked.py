"""Many processes that wait, in one worker: what they cost it, how soon one wakes, and how fast all do, beside its steps.

    python benchmarks/parked.py --number 100000

The worker is a program of its own (`drupe worker`) on an SQLite store; this one asks. What was measured is printed; the exit
code is 1 if a process was forgotten.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import memory
import workload
from ours.service import SLOTS, Steps, Waits, worker_on

from drupe import State
from drupe.core.record import Query
from drupe.service.profile import Settings
from drupe.service.wiring import Remote, open_remote

SINGLE = 200
TOGETHER = 256
PAGE = 500
STEPS = 50


class Measurement:
    """What is done with one worker."""

    def __init__(self, remote: Remote, worker: int) -> None:
        self.remote = remote
        self.worker = worker
        self.peak = 0

    async def start(self, number: int) -> list[str]:
        """Start processes and return when the worker holds none of them any more."""
        pids: list[str] = []

        async def one(_: int) -> None:
            launch = await self.remote.controller.launch(Waits)
            await launch.taken(deadline=600.0)
            pids.append(launch.pid)

        await self.watched(at_a_time(one, range(number)))
        await self.watched(workload.until(self._has_nothing))
        return pids

    async def _has_nothing(self) -> bool:
        return not any(owner.held for owner in await self.remote.store.owners())

    async def wake(self, pid: str) -> float:
        """Wake one, and get the seconds until it has ended."""
        began = time.perf_counter()
        await self.remote.controller.signal(pid, "go", 1, deadline=600.0)
        await self.remote.controller.wait(pid, deadline=600.0)
        return time.perf_counter() - began

    async def steps(self) -> float:
        """Get how many steps a second the same worker takes of processes that fill its slots."""
        controller, began = self.remote.controller, time.perf_counter()
        launches = [await controller.launch(Steps, {"steps": STEPS}) for _ in range(SLOTS)]
        await asyncio.gather(*(launch.result(deadline=600.0) for launch in launches))
        return SLOTS * STEPS / (time.perf_counter() - began)

    async def wake_all(self) -> None:
        """Wake all at once, and return when all have ended."""
        await self.watched(self.remote.controller.signal_all("go", 1, Query(limit=PAGE), deadline=600.0))
        await self.watched(workload.until(self._all_ended))

    async def _all_ended(self) -> bool:
        return not await self.living(limit=1)

    async def living(self, limit: int) -> int:
        """Get how many live, up to a limit."""
        states = (State.CREATED, State.RUNNING, State.WAITING)
        return len((await self.remote.store.list(Query(states=states, limit=limit))).records)

    async def watched(self, work: Awaitable[None]) -> None:
        """Do something, and note how much memory the worker has meanwhile."""
        doing = asyncio.ensure_future(work)
        while not doing.done():
            self.peak = max(self.peak, memory.resident(self.worker))
            await asyncio.wait([doing], timeout=0.1)
        await doing


async def at_a_time(work: Callable[[Any], Awaitable[None]], things: Iterable[Any]) -> None:
    """Do something with many, some at a time."""
    left = iter(things)

    async def one_after_the_other() -> None:
        for thing in left:
            await work(thing)

    await asyncio.gather(*(one_after_the_other() for _ in range(TOGETHER)))


async def measure(number: int, settings: Settings, worker: int) -> int:
    """Measure, print, and get how many were forgotten."""
    async with open_remote(settings) as remote:
        measurement = Measurement(remote, worker)
        idle, began = memory.resident(worker), time.perf_counter()
        pids = await measurement.start(number)
        took = time.perf_counter() - began
        print(f"started and parked: {number:,} in {took:.1f} s, {number / took:,.0f} a second")
        print(f"memory of the worker: {_mb(idle)} idle, {_mb(measurement.peak)} at most meanwhile", end=", ")
        print(f"{_mb(memory.resident(worker))} now")

        taken = sorted([await measurement.wake(pid) for pid in pids[:SINGLE]])
        p50, p99 = statistics.median(taken) * 1e3, taken[int(len(taken) * 0.99) - 1] * 1e3
        print(f"one woken, from the signal to its end: p50 {p50:.1f} ms, p99 {p99:.1f} ms")

        rates = [await measurement.steps()]
        measurement.peak, began = 0, time.perf_counter()
        await measurement.wake_all()
        took, rest = time.perf_counter() - began, len(pids[SINGLE:])
        rates += [await measurement.steps(), await measurement.steps()]
        stepping, shown = statistics.median(rates), ", ".join(f"{rate:,.0f}" for rate in rates)
        print(f"steps of the same worker, {SLOTS} processes at a time: {stepping:,.0f} a second (median of {shown})")
        print(f"all woken at once: {rest:,} in {took:.1f} s, {rest / took:,.0f} a second", end=", ")
        print(f"{rest / took / stepping:.2f} of the rate of steps", end=", ")
        # What a wake commits beside the claim: that the wait is over, and the step that follows.
        print(f"{2 * rest / took / stepping:.2f} by the checkpoints that are written", end=", ")
        print(f"{_mb(measurement.peak)} at most meanwhile")
        return await measurement.living(limit=number)


def _mb(size: int) -> str:
    return f"{size / 1e6:.0f} MB"


def main() -> int:
    """Measure as many as the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--number", type=int, default=10_000, help="how many processes wait (default 10,000)")
    number = parser.parse_args().number
    settings, worker = worker_on("sqlite", "local")
    forgotten = asyncio.run(measure(number, settings, worker.pid))
    print(f"forgotten: {forgotten}")
    return 1 if forgotten else 0


if __name__ == "__main__":
    raise SystemExit(main())
