"""A process of drupe, to bytes and back.

``save`` encodes everything, the inputs too, of processes that were never saved before. ``save_again`` is
what later checkpoints cost: the inputs are encoded already, everything else is encoded anew.
"""

import asyncio

import workload
from stopwatch import Stopwatch

from drupe import Process
from drupe.engine import saving
from drupe.engine.registry import ClassRegistry


class Small(Process):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        for name in workload.SMALL:
            spec.input(name, valid_type=int)

    def run(self):
        pass


class Large(Process):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("data", valid_type=dict)

    def run(self):
        pass


def _made(data: int, count: int) -> list[Process]:
    inputs = workload.inputs(data)
    return [(Large if data else Small)(inputs) for _ in range(count)]


def save(watch: Stopwatch, *, size: int, data: int) -> int:
    processes = _made(data, size)
    with watch:
        for process in processes:
            saving.save(process)
    return size


def save_again(watch: Stopwatch, *, size: int, data: int) -> int:
    processes = _made(data, size)

    async def main() -> None:
        for process in processes:
            saving.save(process)
            await process.step()

    asyncio.run(main())
    with watch:
        for process in processes:
            saving.save(process)
    return size


def load(watch: Stopwatch, *, size: int, data: int) -> int:
    (process,) = _made(data, 1)
    body = saving.save(process)
    del process  # who loads does not have what was saved
    registry = ClassRegistry(Process)
    with watch:
        for _ in range(size):
            saving.load(body, registry=registry)
    return size
