"""Processes that wait for a time of day, and workers that never look but when they are told, or when it has come."""

import asyncio
import contextlib
import time
from typing import Any, ClassVar

from drupe.core.command import Continue, Wait
from drupe.core.lifecycle import State
from drupe.engine.behaviour import Waiting
from drupe.engine.process import Process
from drupe.engine.registry import ClassRegistry
from drupe.interfaces.communicator import DEFAULT_QUEUE
from drupe.messaging.memory import MemoryCommunicator
from drupe.service.runner import Runner
from drupe.service.worker import Worker

NEVER = 3600.0
PARK = 0.02


class Timer(Waiting):
    """Waits for the time that its process was given."""

    at: float | None = None

    @property
    def wake_at(self) -> float | None:
        return self.at

    def before(self, process: Any) -> None:
        super().before(process)
        self.at = process.inputs.at

    async def run(self, process: Any) -> Any:
        if process._life.host.now() >= process.inputs.at:
            return Continue(process.end)
        return await super().run(process)

    @classmethod
    def load(cls, process: Any, saved: dict[str, Any]) -> "Timer":
        found = super().load(process, saved)
        assert isinstance(found, Timer)
        found.at = process.inputs.at
        return found


class Sleeper(Process):
    """Waits until a time, and says when it went on."""

    behaviours: ClassVar[dict[State, Any]] = {**Process.behaviours, State.WAITING: Timer}

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input("at", valid_type=float)
        spec.output("went_on", valid_type=float)

    def run(self) -> Any:
        return Wait(self.end, "for a time")

    def end(self) -> None:
        self.out("went_on", time.time())


@contextlib.asynccontextmanager
async def at_work(store, hub, *, slots=4, sweep=NEVER, park=PARK, registry=None, queue=DEFAULT_QUEUE):
    """Have a worker work, for the time of a block, that looks by itself only once."""
    registry = registry or ClassRegistry(Process)
    async with Runner(store, registry=registry, poll=None) as runner:
        communicator = MemoryCommunicator(hub)
        await communicator.open()
        worker = Worker(runner, communicator, registry, dead=list, slots=slots, sweep=sweep, park=park, queue=queue)
        stop, ready = asyncio.Event(), asyncio.Event()
        work = asyncio.create_task(worker.work(stop, ready=ready.set))
        await ready.wait()
        try:
            yield worker
        finally:
            stop.set()
            await work
            await communicator.close()
