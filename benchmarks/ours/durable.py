"""Work chains in a store of SQLite or PostgreSQL. The unit is a step of the outline; start and end of each chain are written too."""

import asyncio
import os
import secrets
import tempfile
from pathlib import Path

import workload
from stopwatch import Stopwatch

from drupe import WorkChain, while_
from drupe.interfaces.store import Store
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


def steps(watch: Stopwatch, *, processes: int, size: int, durability: str, beside: bool = False) -> int:
    with tempfile.TemporaryDirectory() as folder, workload.computing(wanted=beside):
        store = SqliteStore(Path(folder, "store.db"), durability=durability)
        asyncio.run(_run(watch, store, processes, size))
    return processes * size


def steps_in_database(watch: Stopwatch, *, processes: int, size: int) -> int:
    from drupe.storage.postgres import PostgresStore

    url = os.environ["DRUPE_BENCH_POSTGRES"]
    store = PostgresStore(f"{url}{'&' if '?' in url else '?'}schema=ours_{secrets.token_hex(6)}")
    asyncio.run(_run(watch, store, processes, size))
    return processes * size


async def _run(watch: Stopwatch, store: Store, processes: int, size: int) -> None:
    async def one(runner: Runner) -> None:
        await (await runner.launch(Steps, {"steps": size}))

    async with Runner(store) as runner:
        with watch:
            await asyncio.gather(*(one(runner) for _ in range(processes)))
