"""What services do with Celery, at its default settings, over RabbitMQ with results by reply: see `ours.service`.

Nothing of it is durable but the task in the broker's queue, and that only until a worker has taken it.
"""

import atexit
import functools
import os
import subprocess
import sys
import time
from pathlib import Path

from celery import Celery
from stopwatch import Stopwatch

app = Celery("bench", broker=os.environ.get("DRUPE_BENCH_AMQP"), backend="rpc://")


@app.task(name="one")
def one():
    return 1


@app.task(name="began")
def began():
    return time.time()


@functools.cache
def _worker() -> None:
    worker = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "celery", "-A", "theirs.celery_engine", "worker", "--loglevel=CRITICAL"],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    atexit.register(worker.wait)
    atexit.register(worker.terminate)
    one.delay().get(timeout=60)


def through_worker(watch: Stopwatch, *, size: int, flight: int) -> int:
    """From asking a worker in another program to the result."""
    _worker()
    if flight == 1:
        with watch:
            for _ in range(size):
                one.delay().get(timeout=60)
        return size
    with watch:  # its client is not made for several threads at once
        for first in range(0, size, flight):
            for found in [one.delay() for _ in range(min(flight, size - first))]:
                found.get(timeout=60)
    return size


def started(watch: Stopwatch, *, size: int) -> int:
    """From asking a worker in another program to the first line of the task, by the machine's one clock."""
    _worker()
    for _ in range(size):
        asked = time.time()
        watch.wall += began.delay().get(timeout=60) - asked
    return size
