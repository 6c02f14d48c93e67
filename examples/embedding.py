"""drupe inside your own asyncio program: a `Runner` on a store, beside whatever else the loop does.

It prints:

    heartbeat
    sum of 1..10 is 55
    sum of 1..100 is 5050
    the store knows 2 processes, all finished
"""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from drupe import Process, open_runner
from drupe.core.record import Query
from drupe.service import profile


class Sum(Process):
    """Adds up."""

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input("last", valid_type=int)
        spec.output("total", valid_type=int)

    async def run(self) -> None:
        """Add, while others run."""
        await asyncio.sleep(0)
        self.out("total", sum(range(self.inputs.last + 1)))


async def heartbeat() -> None:
    """Stand for the rest of your program."""
    print("heartbeat")


async def main(folder: Path) -> None:
    """Launch two processes, wait for them, look into the store."""
    async with open_runner(profile.load(folder=folder)) as runner, asyncio.TaskGroup() as tasks:
        tasks.create_task(heartbeat())
        processes = [await runner.launch(Sum, last=last) for last in (10, 100)]
        for process in processes:
            outputs = await process
            print(f"sum of 1..{process.inputs.last} is {outputs.total}")
        page = await runner.store.list(Query())
        states = {record.state for record in page.records}
        print(f"the store knows {len(page.records)} processes, all {', '.join(states)}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        asyncio.run(main(Path(place)))
