"""Steering: a pause takes effect between two steps, play goes on, kill ends.

It prints:

    after 3 steps: running, paused
    asked for a step: still 3
    played: 5 steps
    killed: the beam is off
"""

import asyncio

from drupe import Continue, Process
from drupe.errors import KilledError


class Counter(Process):
    """Counts for ever."""

    steps = 0

    def run(self) -> Continue:
        """One step; the next one is the same."""
        type(self).steps += 1
        if self.steps == 3:
            self.pause("let us look")  # asked for while a step runs: taken at its end
        return Continue(self.run)


async def main() -> None:
    """Pause, play, kill."""
    counter = Counter()
    while not counter.paused:
        await counter.step()
    print(f"after {counter.steps} steps: {counter.state}, {'paused' if counter.paused else 'not paused'}")

    waiting = asyncio.create_task(counter.step())
    await asyncio.sleep(0)
    print(f"asked for a step: still {counter.steps}")  # a paused process takes no step

    counter.play()
    await waiting
    await counter.step()
    print(f"played: {counter.steps} steps")

    counter.kill("the beam is off")
    try:
        await counter
    except KilledError as error:
        print(f"killed: {error}")


if __name__ == "__main__":
    asyncio.run(main())
