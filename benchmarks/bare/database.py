"""Steps written by PostgreSQL alone: one thread, and whatever is ready together is one statement a table and one commit.

A step is what it is in `bare.durable`, and the unit too. Values go as arrays, as psycopg makes them of lists; all that a
commit takes is sent at once.
"""

import asyncio
import os
import secrets
import threading
import time
from hashlib import blake2b
from typing import Any, Final

import msgspec
import psycopg
import workload
from stopwatch import Stopwatch

from bare.durable import ByCondition, Written, _answer

ADDRESS: Final = "DRUPE_BENCH_POSTGRES"
TABLES: Final = """
    CREATE TABLE process (pid text PRIMARY KEY, seq int8, epoch int8, state text, updated float8) WITH (fillfactor = 60);
    CREATE TABLE checkpoint (pid text, seq int8, at float8, hash bytea, body bytea, PRIMARY KEY (pid, seq));
    CREATE TABLE event (pid text, seq int8, at float8, event text, PRIMARY KEY (pid, seq))"""
NEW: Final = """
    INSERT INTO process SELECT pid, 0, 1, 'created', %s FROM unnest(%s::text[]) AS given (pid)"""
MOVE: Final = """
    UPDATE process SET seq = given.seq, state = 'running', updated = %s
    FROM unnest(%s::text[], %s::int8[]) AS given (pid, seq)
    WHERE process.pid = given.pid AND epoch = 1 AND process.seq = given.seq - 1"""
CHECKPOINT: Final = """
    INSERT INTO checkpoint SELECT pid, seq, %s, hash, body
    FROM unnest(%s::text[], %s::int8[], %b::bytea[], %b::bytea[]) AS given (pid, seq, hash, body)"""
EVENT: Final = """
    INSERT INTO event SELECT pid, seq, %s, 'step' FROM unnest(%s::text[], %s::int8[]) AS given (pid, seq)"""


class GroupCommit:
    """The thread that writes, and the way to it."""

    def __init__(self, schema: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._asked = ByCondition()
        self._db = psycopg.connect(os.environ[ADDRESS], autocommit=True, prepare_threshold=1)
        self._db.execute(f"CREATE SCHEMA {schema}; SET search_path TO {schema}; {TABLES}")
        self._db.execute("SET plan_cache_mode TO force_generic_plan; SET enable_seqscan TO off; SET jit TO off")
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
        while True:
            batch = self._asked.take()
            writes = [written for written in batch if written is not None]
            if writes:
                self._commit(writes)
                self._loop.call_soon_threadsafe(_answer, writes)
            if len(writes) < len(batch):
                return

    def _commit(self, writes: list[Written]) -> None:
        now = time.time()
        new = [pid.hex() for _, pid, seq, _ in writes if seq == 0]
        pids = [pid.hex() for _, pid, seq, _ in writes if seq]
        seqs = [seq for _, _, seq, _ in writes if seq]
        bodies = [body for _, _, seq, body in writes if seq]
        with self._db.pipeline(), self._db.transaction():
            if new:
                self._db.execute(NEW, (now, new))
            if pids:
                moved = self._db.execute(MOVE, (now, pids, seqs))
                hashes = [blake2b(body, digest_size=16).digest() for body in bodies]
                self._db.execute(CHECKPOINT, (now, pids, seqs, hashes, bodies))
                self._db.execute(EVENT, (now, pids, seqs))
        if pids and moved.rowcount != len(pids):
            raise AssertionError("somebody else wrote")


async def _process(writer: GroupCommit, steps: int) -> None:
    pid, encode = secrets.token_bytes(16), msgspec.msgpack.Encoder().encode
    context: dict[str, Any] = {**workload.CONTEXT}
    await writer.write(pid, 0, b"")
    for seq in range(1, steps + 1):
        context["n"] += 1
        await writer.write(pid, seq, encode({"inputs": {"steps": steps}, "ctx": context, "cursor": seq}))


def steps(watch: Stopwatch, *, processes: int, size: int) -> int:
    async def main() -> None:
        writer = GroupCommit(f"bare_{secrets.token_hex(6)}")
        try:
            with watch:
                await asyncio.gather(*(_process(writer, size) for _ in range(processes)))
        finally:
            writer.close()

    asyncio.run(main())
    return processes * size
