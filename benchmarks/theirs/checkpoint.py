"""A process of plumpy, to a bundle and back, as its persisters do it. A bundle is still objects, not bytes."""

import asyncio

import plumpy
import workload
from stopwatch import Stopwatch


class Small(plumpy.Process):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        for name in workload.SMALL:
            spec.input(name, valid_type=int)

    def run(self):
        pass


class Large(plumpy.Process):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("data", valid_type=dict)

    def run(self):
        pass


def _made(data: int, count: int) -> list[plumpy.Process]:
    inputs = workload.inputs(data)
    return [(Large if data else Small)(inputs=inputs) for _ in range(count)]


def save(watch: Stopwatch, *, size: int, data: int) -> int:
    processes = _made(data, size)
    with watch:
        for process in processes:
            plumpy.Bundle(process)
    return size


def load(watch: Stopwatch, *, size: int, data: int) -> int:
    (process,) = _made(data, 1)
    bundle = plumpy.Bundle(process)
    del process  # who loads does not have what was saved
    context = plumpy.LoadSaveContext(loop=asyncio.get_event_loop())
    with watch:
        for _ in range(size):
            bundle.unbundle(context)
    return size
