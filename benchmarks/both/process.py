"""Processes that do nothing: what it costs that there is one. The unit is a process, created and executed."""

import asyncio

from stopwatch import Stopwatch

from both.library import Process


class Plain(Process):
    def run(self):
        pass


class Async(Process):
    async def run(self):
        pass


BODIES = {"sync": Plain, "async": Async}


def one_after_the_other(watch: Stopwatch, *, size: int, body: str) -> int:
    process_class = BODIES[body]
    with watch:
        for _ in range(size):
            process_class().execute()
    return size


def at_once(watch: Stopwatch, *, size: int, body: str) -> int:
    process_class = BODIES[body]

    async def main() -> None:
        with watch:
            await asyncio.gather(*(process_class().step_until_terminated() for _ in range(size)))

    asyncio.run(main())
    return size
