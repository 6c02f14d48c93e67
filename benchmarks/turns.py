"""Several programs that write into one file: how many steps they take together, and how long a commit makes its process wait.

    python benchmarks/turns.py --programs 4 --processes 50

Each program runs so many processes at once, on an SQLite store. With and without turns follow each other; without them SQLite's own
lock alone decides who writes. Of the times of a commit that of the slowest program is printed: none should be kept back.
"""

import argparse
import asyncio
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ours.durable import Steps

from drupe import open_runner
from drupe.service import profile
from drupe.storage.sqlite.store import SqliteStore
from drupe.storage.sqlite.turn import Turn

if TYPE_CHECKING:
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Barrier

STEPS = 20


class Figures(NamedTuple):
    """What one program found; times in seconds."""

    rate: float
    p50: float
    p99: float
    longest: float


@contextmanager
def timed() -> Iterator[list[float]]:
    """Note how long each commit of a step takes."""
    taken: list[float] = []
    save = SqliteStore.save

    async def timed_save(store: SqliteStore, change: Any) -> None:
        began = time.perf_counter()
        await save(store, change)
        taken.append(time.perf_counter() - began)

    SqliteStore.save = timed_save  # type: ignore[method-assign]
    try:
        yield taken
    finally:
        SqliteStore.save = save  # type: ignore[method-assign]


async def work(folder: Path, begin: "Barrier", processes: int, seconds: float) -> Figures:
    """Take steps for some seconds, once all programs are ready."""
    steps = 0

    async def again_and_again() -> None:
        nonlocal steps
        while time.perf_counter() < end:
            await (await runner.launch(Steps, {"steps": STEPS}))
            steps += STEPS

    async with open_runner(profile.load(folder=folder)) as runner:
        begin.wait()
        began = time.perf_counter()
        end = began + seconds
        with timed() as taken:
            await asyncio.gather(*(again_and_again() for _ in range(processes)))
        taken.sort()
        rate = steps / (time.perf_counter() - began)
        return Figures(rate, statistics.median(taken), taken[int(len(taken) * 0.99)], taken[-1])


def program(found: "Queue[Figures]", begin: "Barrier", folder: Path, given: argparse.Namespace, turns: bool) -> None:  # noqa: FBT001
    """Be one of the programs."""
    if not turns:
        Turn._taken = lambda _: True  # type: ignore[method-assign]
    found.put(asyncio.run(work(folder, begin, given.processes, given.seconds)))


def together(given: argparse.Namespace, *, turns: bool) -> Figures:
    """Have all programs work, and get their rates together, and of the times the longest."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "drupe.toml").touch()
        found: Queue[Figures] = context.Queue()
        begin = context.Barrier(given.programs)
        programs = [
            context.Process(target=program, args=(found, begin, folder, given, turns)) for _ in range(given.programs)
        ]
        for one in programs:
            one.start()
        figures = [found.get(timeout=10 * given.seconds + 60.0) for _ in programs]
        for one in programs:
            one.join()
    rates, *times = zip(*figures, strict=True)
    return Figures(sum(rates), *map(max, times))


def main() -> None:
    """Measure what the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--programs", type=int, default=2, help="how many programs write (default 2)")
    parser.add_argument("--processes", type=int, default=50, help="how many processes each runs at once (default 50)")
    parser.add_argument("--seconds", type=float, default=5.0, help="for how long (default 5)")
    parser.add_argument("--runs", type=int, default=3, help="how often; medians are printed (default 3)")
    given = parser.parse_args()
    found: dict[bool, list[Figures]] = {True: [], False: []}
    for _ in range(given.runs):
        for turns in found:
            found[turns].append(together(given, turns=turns))
    for turns, figures in found.items():
        rate, *times = (statistics.median(values) for values in zip(*figures, strict=True))
        shown = ", ".join(
            f"{name} {value * 1e3:,.1f} ms" for name, value in zip(("p50", "p99", "longest"), times, strict=True)
        )
        print(f"{'with' if turns else 'without'} turns: {rate:,.0f} steps a second; a commit {shown}")


if __name__ == "__main__":
    main()
