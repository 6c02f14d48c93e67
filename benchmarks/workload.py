"""The values that are saved and sent, and how many are on their way at a time.

Five integers, one megabyte of nested data as workflows hand it around, and the answer to a question for the status.
"""

import asyncio
import json
import random
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future  # noqa: TC003 (imported with asyncio anyway)
from contextlib import contextmanager
from typing import Any, Final

from stopwatch import Stopwatch

SMALL: Final[dict[str, Any]] = {"a": 1, "b": 20, "c": 300, "d": 4_000, "e": 50_000}
_SITES: Final = 50
_BYTES: Final = 2_720
"""So many bytes of MessagePack is one structure, within a few in a hundred."""


def nested(size: int) -> dict[str, Any]:
    """Get data of about ``size`` bytes as MessagePack: dicts in lists in dicts, short texts, floats and integers."""
    chance = random.Random(1)
    return {
        f"structure-{number}": {"label": "bulk", "tags": ["relaxed", "dry"], "sites": _sites(chance)}
        for number in range(max(1, round(size / _BYTES)))
    }


def _sites(chance: random.Random) -> list[dict[str, Any]]:
    return [
        {"kind": chance.choice(("Si", "O")), "position": [chance.random() for _ in range(3)], "charge": number}
        for number in range(_SITES)
    ]


def inputs(size: int) -> dict[str, Any]:
    """Get inputs with about ``size`` bytes of data; 0 for the small ones."""
    return {"data": nested(size)} if size else SMALL


CONTEXT: Final[dict[str, Any]] = {"n": 0, "data": list(range(50)), "name": "x" * 200}
"""What a durable step saves, beside what the engine does."""

MESSAGE: Final[dict[str, Any]] = {
    "pid": "01a2192b1e267227b5315e653db736c6",
    "state": "running",
    "paused": False,
    "step": "relax",
}
"""What is sent: a status."""


@contextmanager
def computing(*, wanted: bool) -> Iterator[None]:
    """Have a thread of this interpreter compute meanwhile, if that is wanted, and want Python's lock all the time."""
    ended = threading.Event()

    def compute() -> None:
        number = 0
        while not ended.is_set():
            number += 1

    thread = threading.Thread(target=compute)
    if wanted:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if wanted:
            thread.join()


def encode(body: Any) -> bytes:
    """Get the bytes of a message where no framework makes them."""
    return json.dumps(body).encode()


decode = json.loads


async def in_flight(watch: Stopwatch, work: Callable[[], Awaitable[Any]], *, size: int, flight: int) -> None:
    """Do ``work`` so many times, ``flight`` of them at a time."""
    left = iter(range(size))

    async def one_after_the_other() -> None:
        for _ in left:
            await work()

    with watch:
        await asyncio.gather(*(one_after_the_other() for _ in range(flight)))


def in_threads(watch: Stopwatch, work: "Callable[[], Future[Any]]", *, size: int, flight: int) -> None:
    """Likewise, from plain code: ``work`` gives a future."""
    waiting: deque[Future[Any]] = deque()
    with watch:
        for _ in range(size):
            if len(waiting) == flight:
                waiting.popleft().result()
            waiting.append(work())
        for future in waiting:
            future.result()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return when ``condition()`` holds."""
    while not await condition():  # noqa: ASYNC110 (what is waited for happens in another program)
        await asyncio.sleep(0.01)
