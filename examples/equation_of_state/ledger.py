"""What the store knows in the end: the outputs, and the history of every process."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shifts import DemoError
from tally import Event, Life
from workflow import AllMetals

from drupe.core.record import Query, Record
from drupe.service import profile
from drupe.service.runner import Runner
from drupe.service.wiring import open_runner


def read(store: Path, pid: str) -> tuple[Mapping[str, Mapping[str, Any]], list[Life]]:
    """Get the outputs of a process, metal by metal, and the life of every process in the store.

    Raises:
        DemoError: the process did not finish.
    """
    return asyncio.run(_read(store, pid))


async def _read(store: Path, pid: str) -> tuple[Mapping[str, Mapping[str, Any]], list[Life]]:
    async with open_runner(profile.load(flags={"store": str(store)})) as runner:
        process = await runner.load(pid)
        assert isinstance(process, AllMetals)
        if not process.is_successful():
            raise DemoError(f"process {pid} is {process.state}: {process.status or process.exception()}")
        page = await runner.store.list(Query(limit=1000))
        return process.outputs, [await _life(runner, record) for record in page.records]


async def _life(runner: Runner, record: Record) -> Life:
    return Life(
        pid=record.pid,
        kind=record.kind.rpartition(":")[2],
        state=record.state,
        parent=record.parent,
        events=tuple(Event(at=event.at, state=event.state) for event in await runner.store.history(record.pid)),
    )
