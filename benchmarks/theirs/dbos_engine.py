"""What services do with DBOS, at its default settings: see `ours.service`, which does the same.

DBOS takes one configuration for each interpreter, so one database serves all runs of it.
"""

import asyncio
import atexit
import functools
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import memory
from dbos import DBOS, DBOSClient
from stopwatch import Stopwatch

QUEUE = "bench"


@DBOS.step()
def step():
    return 1


@DBOS.step()
async def async_step():
    return 1


@DBOS.workflow()
def one():
    return step()


@DBOS.workflow()
def began():
    return time.time()


@DBOS.workflow()
def steps_of(size):
    for _ in range(size):
        step()


@DBOS.workflow()
async def async_steps_of(size):
    for _ in range(size):
        await async_step()


@DBOS.workflow()
async def waits():
    return await DBOS.recv_async("go", timeout_seconds=86_400)


@functools.cache
def _url(store: str) -> str:
    if store == "postgres":
        return os.environ["DRUPE_BENCH_POSTGRES"]
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return f"sqlite:///{folder.name}/dbos.db"


def launch(url: str) -> None:
    """Start DBOS in this interpreter."""
    DBOS(config={"name": "bench", "system_database_url": url, "log_level": "CRITICAL", "run_admin_server": False})
    DBOS.launch()


@functools.cache
def _launched(store: str) -> None:
    launch(_url(store))
    atexit.register(DBOS.destroy)
    one()


def one_after_the_other(watch: Stopwatch, *, size: int, store: str) -> int:
    _launched(store)
    with watch:
        for _ in range(size):
            one()
    return size


def at_once(watch: Stopwatch, *, size: int, flight: int, store: str) -> int:
    _launched(store)
    with ThreadPoolExecutor(flight) as threads, watch:
        for _ in threads.map(lambda _: DBOS.start_workflow(one).get_result(), range(size)):
            pass
    return size


def steps(watch: Stopwatch, *, processes: int, size: int, body: str, store: str) -> int:
    _launched(store)
    if body == "sync":
        with watch:
            for handle in [DBOS.start_workflow(steps_of, size) for _ in range(processes)]:
                handle.get_result()
        return processes * size

    async def main():
        with watch:
            handles = [await DBOS.start_workflow_async(async_steps_of, size) for _ in range(processes)]
            for handle in handles:
                await handle.get_result()

    asyncio.run(main())
    return processes * size


def listed(watch: Stopwatch, *, size: int, processes: int, store: str) -> int:
    _filled(store, processes)
    with watch:
        for _ in range(size):
            assert len(DBOS.list_workflows(limit=100)) == min(100, processes)
    return size


@functools.cache
def _filled(store: str, processes: int) -> None:
    _launched(store)
    for _ in range(processes - 1):
        one()


# --- a worker, and somebody else -----------------------------------------------------------------------------


@functools.cache
def _worker(store: str):
    """Start a worker; get a client and the program."""
    url = _url(store)
    worker = subprocess.Popen(
        [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            "from theirs import dbos_engine as e; import sys, time; e.work(sys.argv[1])",
            url,
        ],
        cwd=Path(__file__).parents[1],
        stderr=subprocess.DEVNULL,
    )
    atexit.register(worker.wait)
    atexit.register(worker.kill)
    time.sleep(3)  # its tables are made by then
    client = DBOSClient(system_database_url=url)
    client.enqueue({"workflow_name": "one", "queue_name": QUEUE}).get_result()
    return client, worker


def work(url: str) -> None:
    """Be a worker."""
    launch(url)
    DBOS.register_queue(QUEUE)
    while True:
        time.sleep(60)


def through_worker(watch: Stopwatch, *, size: int, flight: int, store: str) -> int:
    client, _ = _worker(store)

    def submitted(_):
        return client.enqueue({"workflow_name": "one", "queue_name": QUEUE}).get_result()

    with ThreadPoolExecutor(flight) as threads, watch:
        for _ in threads.map(submitted, range(size)):
            pass
    return size


def started(watch: Stopwatch, *, size: int, store: str) -> int:
    client, _ = _worker(store)
    for _ in range(size):
        asked = time.time()
        watch.wall += client.enqueue({"workflow_name": "began", "queue_name": QUEUE}).get_result() - asked
    return size


def signalled(watch: Stopwatch, *, size: int, store: str) -> int:
    client, _ = _worker(store)
    handles = _waiting(client, size)
    with watch:
        for handle in handles:
            client.send(handle.workflow_id, 1, "go")
            handle.get_result()
    return size


def waiting(watch: Stopwatch, *, size: int, store: str) -> int:
    """Memory that a worker takes for workflows which wait for a message."""
    client, worker = _worker(store)
    before = memory.resident(worker.pid)
    handles = _waiting(client, size)
    watch.bytes = max(0, memory.resident(worker.pid) - before)
    for handle in handles:
        client.send(handle.workflow_id, 1, "go")
    for handle in handles:
        handle.get_result()
    return size


def _waiting(client, size: int):
    handles = [client.enqueue({"workflow_name": "waits", "queue_name": QUEUE}) for _ in range(size)]
    while any(handle.get_status().status != "PENDING" for handle in handles):
        time.sleep(0.1)
    time.sleep(1)  # begun is not yet waiting
    return handles


def idle(watch: Stopwatch, *, store: str) -> int:
    """Memory of a worker that has run one workflow."""
    watch.bytes = memory.resident(_worker(store)[1].pid)
    return 1
