"""Lists out of a large store. The unit is a list of 100 processes."""

import asyncio
import atexit
import functools
import tempfile
from pathlib import Path

from stopwatch import Stopwatch

from drupe.core.lifecycle import State
from drupe.core.record import Birth, Change, Query
from drupe.storage.sqlite import SqliteStore

KINDS = 5
TOGETHER = 1_000
STATES = (State.CREATED, State.RUNNING, State.FINISHED, State.FINISHED, State.EXCEPTED)
QUERIES = {
    "all": Query(limit=100),
    "class and state": Query(limit=100, kind="examples:Kind0", states=(State.RUNNING,)),
    "page 2": Query(limit=100, after=(500.0, "p0000500")),
}


def _birth(number: int) -> Birth:
    return Birth(
        pid=f"p{number:07}",
        kind=f"examples:Kind{number // 5 % KINDS}",
        version=1,
        inputs=b"inputs",
        digest=b"digest",
        body=b"body",
        created=float(number),
        owner="benchmark",
    )


async def _fill(store: SqliteStore, processes: int) -> None:
    await store.join("benchmark", lease=3600.0)
    for first in range(0, processes, TOGETHER):
        births = [_birth(number) for number in range(first, min(first + TOGETHER, processes))]
        await store.create(births)
        await asyncio.gather(*(_move(store, birth) for birth in births if _end(birth) is not State.CREATED))


def _end(birth: Birth) -> State:
    return STATES[int(birth.created) % len(STATES)]


async def _move(store: SqliteStore, birth: Birth) -> None:
    state = _end(birth)
    change = Change(
        pid=birth.pid, epoch=1, seq=2, at=birth.created, was=State.CREATED, state=state, body=b"body", event=str(state)
    )
    await store.save(change)


@functools.cache
def _store_of(processes: int) -> Path:
    """Make the store once for all runs of this interpreter."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    path = Path(folder.name, "store.db")

    async def main() -> None:
        store = SqliteStore(path, durability="process")
        await store.open()
        await _fill(store, processes)
        await store.close()

    asyncio.run(main())
    return path


def listed(watch: Stopwatch, *, size: int, processes: int, query: str) -> int:
    path = _store_of(processes)

    async def main() -> None:
        store = SqliteStore(path)
        await store.open()
        await store.list(QUERIES[query])
        with watch:
            for _ in range(size):
                await store.list(QUERIES[query])
        await store.close()

    asyncio.run(main())
    return size
