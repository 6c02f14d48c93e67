"""Work chains in the SQLite store. The unit is a step of the outline; start and end of each chain are written too."""

import asyncio
import tempfile
from pathlib import Path

import workload
from stopwatch import Stopwatch

from drupe import WorkChain, while_
from drupe.service.runner import Runner
from drupe.storage.sqlite import SqliteStore


class Steps(WorkChain):
    """Has in its context what the floor writes, and changes it in every step."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("steps", valid_type=int)
        spec.outline(cls.first, while_(cls.more)(cls.count))

    def first(self):
        self.ctx.update(workload.CONTEXT)
        self.ctx.n = 1

    def more(self):
        return self.ctx.n < self.inputs.steps

    def count(self):
        self.ctx.n += 1


def steps(watch: Stopwatch, *, processes: int, size: int, durability: str) -> int:
    async def one(runner: Runner) -> None:
        await (await runner.launch(Steps, {"steps": size}))

    async def main(path: Path) -> None:
        async with Runner(SqliteStore(path, durability=durability)) as runner:
            with watch:
                await asyncio.gather(*(one(runner) for _ in range(processes)))

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder, "store.db")))
    return processes * size
