"""A method that is called once for each turn of the loop."""

import asyncio

from stopwatch import Stopwatch


class Counter:
    def __init__(self, steps: int) -> None:
        self.left = steps

    def go_on(self) -> bool:
        self.left -= 1
        return self.left > 0


def turns(watch: Stopwatch, *, size: int) -> int:
    counter = Counter(size)

    async def main() -> None:
        with watch:
            while counter.go_on():  # noqa: ASYNC110 (each turn is what is measured)
                await asyncio.sleep(0)

    asyncio.run(main())
    return size
