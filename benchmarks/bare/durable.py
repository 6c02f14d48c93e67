"""Steps written by SQLite alone: one thread, and whatever is ready together is committed together.

A step is an update of the process's row that succeeds only for its owner and in order, a checkpoint with
its hash, and an event: what a durable engine cannot do without. The unit is a step. The thread is handed
its work in one of two ways: a list under a condition is the usual one, and what drupe is held against; a queue
that is written in C wakes the thread sooner.
"""

import asyncio
import secrets
import sqlite3
import tempfile
import threading
import time
from hashlib import blake2b
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

import msgspec
import workload
from stopwatch import Stopwatch

SYNCHRONOUS: Final = {"full": "FULL", "process": "NORMAL"}

TABLES: Final = (
    "CREATE TABLE process (pid BLOB PRIMARY KEY, seq INT, epoch INT, state TEXT, updated REAL) WITHOUT ROWID",
    "CREATE TABLE checkpoint (pid BLOB, seq INT, at REAL, hash BLOB, body BLOB, PRIMARY KEY (pid, seq)) WITHOUT ROWID",
    "CREATE TABLE event (id INTEGER PRIMARY KEY, pid BLOB, seq INT, at REAL, event TEXT)",
)
NEW: Final = "INSERT INTO process VALUES (?, 0, 1, 'created', ?)"
MOVE: Final = "UPDATE process SET seq = ?, state = ?, updated = ? WHERE pid = ? AND epoch = 1 AND seq = ?"
CHECKPOINT: Final = "INSERT INTO checkpoint VALUES (?, ?, ?, ?, ?)"
EVENT: Final = "INSERT INTO event (pid, seq, at, event) VALUES (?, ?, ?, 'step')"

Written = tuple["asyncio.Future[None]", bytes, int, bytes]


class ByCondition:
    """Hands over through a list, under a condition."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._asked: list[Written | None] = []

    def put(self, written: Written | None) -> None:
        with self._changed:
            self._asked.append(written)
            self._changed.notify()

    def take(self) -> list[Written | None]:
        """Wait until there is something, and get all of it."""
        with self._changed:
            while not self._asked:
                self._changed.wait()
            batch, self._asked = self._asked, []
        return batch


class ByQueue:
    """Hands over through a queue without a lock of its own."""

    def __init__(self) -> None:
        self._asked: SimpleQueue[Written | None] = SimpleQueue()
        self.put = self._asked.put

    def take(self) -> list[Written | None]:
        """Wait until there is something, and get all of it."""
        batch = [self._asked.get()]
        while not self._asked.empty():
            batch.append(self._asked.get())
        return batch


HANDOVERS: Final = {"condition": ByCondition, "queue": ByQueue}


class GroupCommit:
    """The thread that writes, and the way to it."""

    def __init__(self, path: Path, durability: str, handover: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._asked = HANDOVERS[handover]()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(f"PRAGMA synchronous = {SYNCHRONOUS[durability]}")
        for table in TABLES:
            self._db.execute(table)
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def write(self, pid: bytes, seq: int, body: bytes) -> "asyncio.Future[None]":
        """Write the step number ``seq`` of a process; 0 makes the process."""
        future = self._loop.create_future()
        self._asked.put((future, pid, seq, body))
        return future

    def close(self) -> None:
        self._asked.put(None)
        self._thread.join()
        self._db.close()

    def _work(self) -> None:
        execute = self._db.execute
        while True:
            batch = self._asked.take()
            writes = [written for written in batch if written is not None]
            if writes:
                execute("BEGIN IMMEDIATE")
                for _, pid, seq, body in writes:
                    self._one(pid, seq, body)
                execute("COMMIT")
                self._loop.call_soon_threadsafe(_answer, writes)
            if len(writes) < len(batch):
                return

    def _one(self, pid: bytes, seq: int, body: bytes) -> None:
        execute, now = self._db.execute, time.time()
        if seq == 0:
            execute(NEW, (pid, now))
        elif execute(MOVE, (seq, "running", now, pid, seq - 1)).rowcount == 1:
            execute(CHECKPOINT, (pid, seq, now, blake2b(body, digest_size=16).digest(), body))
            execute(EVENT, (pid, seq, now))
        else:
            raise AssertionError("somebody else wrote")


def _answer(writes: list[Written]) -> None:
    for future, *_ in writes:
        future.set_result(None)


async def _process(writer: GroupCommit, steps: int) -> None:
    pid, encode = secrets.token_bytes(16), msgspec.msgpack.Encoder().encode
    context: dict[str, Any] = {**workload.CONTEXT}
    await writer.write(pid, 0, b"")
    for seq in range(1, steps + 1):
        context["n"] += 1
        await writer.write(pid, seq, encode({"inputs": {"steps": steps}, "ctx": context, "cursor": seq}))


def steps(watch: Stopwatch, *, processes: int, size: int, durability: str, handover: str, beside: bool = False) -> int:
    async def main(path: Path) -> None:
        writer = GroupCommit(path, durability, handover)
        try:
            with workload.computing(wanted=beside), watch:
                await asyncio.gather(*(_process(writer, size) for _ in range(processes)))
        finally:
            writer.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder, "floor.db")))
    return processes * size
