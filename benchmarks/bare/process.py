"""A coroutine, run to its end; a task, awaited; coroutines that await each other."""

import asyncio

from stopwatch import Stopwatch


async def nothing() -> None:
    pass


async def level(depth: int) -> None:
    if depth > 1:
        await level(depth - 1)


def one_after_the_other(watch: Stopwatch, *, size: int) -> int:
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        with watch:
            for _ in range(size):
                loop.run_until_complete(nothing())
    return size


def at_once(watch: Stopwatch, *, size: int) -> int:
    async def main() -> None:
        with watch:
            await asyncio.gather(*(nothing() for _ in range(size)))

    asyncio.run(main())
    return size


def nested(watch: Stopwatch, *, size: int, depth: int) -> int:
    times = max(1, size // depth)
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        with watch:
            for _ in range(times):
                loop.run_until_complete(level(depth))
    return times * depth
