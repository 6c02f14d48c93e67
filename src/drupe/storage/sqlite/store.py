"""The SQLite store: its door, and the two threads behind it.

Nothing is decided here. A method hands a function of `write`, `ownership`, `read` or `listing` with its
argument to the thread that may run it.
"""

import functools
from asyncio import Future
from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from drupe.core.order import Answer, Order, Receipt
from drupe.core.record import (
    Birth,
    Change,
    Checkpoint,
    Claimed,
    Event,
    Fence,
    Latest,
    Owner,
    Page,
    Query,
    Record,
    Rest,
    Retention,
)
from drupe.errors import StoreUnavailableError
from drupe.interfaces.ambient import Clock, Probe
from drupe.runtime.clock import SystemClock
from drupe.runtime.probe import quiet
from drupe.runtime.writer import Writer
from drupe.storage import rule
from drupe.storage.sqlite import claiming, connection, inbox, listing, ownership, parking, read, write
from drupe.storage.sqlite.connection import Durability
from drupe.storage.sqlite.read import Read, Reader
from drupe.storage.sqlite.row import Execute
from drupe.storage.sqlite.task_queue import SqliteTaskQueue
from drupe.storage.sqlite.transaction import Committer, Transaction, Write

A = TypeVar("A")
R = TypeVar("R")


class SqliteStore:
    """A `Store` in one file on a local disk, for any number of programs of this machine at once.

    Args:
        path: the file; it and its folder are made when the store is opened, for their owner only.
        durability: ``full`` keeps what is committed through a power cut; ``process`` through the end of the
            program in any way, is faster, and may lose the last commits in a power cut. Neither ever tears anything.
        clock: where lease times come from.
        probe: passed at every place where something is written.
        retention: how many checkpoints of a process are kept.
        max_bytes: how large inputs or a checkpoint may be.
        busy_timeout: how many seconds to wait for another program that is writing.
    """

    dialect: str | None = "sqlite"

    def __init__(  # noqa: PLR0913 (each is a setting of its own, with a default)
        self,
        path: str | PathLike[str],
        *,
        durability: Durability = "full",
        clock: Clock | None = None,
        probe: Probe = quiet,
        retention: Retention | None = None,
        max_bytes: int = rule.MAX_BYTES,
        busy_timeout: float = 10.0,
    ) -> None:
        self.path = Path(path)
        self._probe = probe
        self._clock = clock = clock or SystemClock()
        transaction = Transaction(clock, rule.check_retention(retention or Retention()), max_bytes)
        committer = Committer(
            functools.partial(connection.writing, self.path, durability=durability, busy_timeout=busy_timeout),
            path=self.path,
            transaction=transaction,
            many={write.save: write.save_many},
            probe=probe,
        )
        reader = Reader(functools.partial(connection.reading, self.path, busy_timeout=busy_timeout), path=self.path)
        self._writer: Writer[tuple[Write, Any]] = Writer(committer, name="drupe-store-writer", closed=self._closed)
        # Few at a time: a short read must not wait until a row of long ones is answered.
        self._reader: Writer[tuple[Read, Any]] = Writer(reader, name="drupe-store-reader", closed=self._closed, batch=8)
        self.tasks = SqliteTaskQueue(self._write, self._read)

    async def open(self) -> None:
        await self._writer.start()
        try:
            await self._reader.start()
        except BaseException:
            await self._writer.close()
            raise

    async def close(self) -> None:
        await self._reader.close()
        await self._writer.close()

    # --- ownership ---------------------------------------------------------------------------------------

    async def join(self, owner: str, *, lease: float) -> None:
        await self._write("store.join", ownership.join, (owner, lease))

    async def renew(self, owner: str, *, lease: float) -> None:
        # By the writer, behind what it is committing: a file has one writer at a time, so a connection of its own would wait for
        # the same lock, and try for it in turns with ours, which is slower than a turn in one queue.
        await self._write("store.renew", ownership.renew, (owner, lease))

    async def leave(self, owner: str) -> None:
        await self._write("store.leave", ownership.leave, owner)

    async def claim(self, pid: str, *, owner: str, dead: Iterable[str] = ()) -> Record:
        return await self._write("store.claim", ownership.claim, (pid, owner, frozenset(dead)))

    async def claim_many(self, pids: Sequence[str], *, owner: str, dead: Iterable[str] = ()) -> list[Claimed]:
        return await self._write("store.claim_many", claiming.claim_many, (pids, owner, frozenset(dead)))

    async def release(self, fence: Fence) -> None:
        await self._write("store.release", ownership.release, fence)

    async def held(self, owner: str) -> dict[str, int]:
        return await self._read(read.held, owner)

    async def owners(self) -> list[Owner]:
        return await self._read(read.owners, self._clock)

    # --- rest --------------------------------------------------------------------------------------------

    async def park(self, fence: Fence, rest: Rest) -> bool:
        return await self._write("store.park", parking.park, (fence, rest))

    async def free(self, *, queue: str | None = None, dead: Iterable[str] = (), limit: int = 100) -> list[Record]:
        clock = self._clock
        asked = parking.Asked(clock.boot(), clock.steady(), clock.now(), frozenset(dead), limit, queue)
        return await self._read(parking.free, asked)

    async def next_wake(self, *, queue: str | None = None) -> float | None:
        return await self._read(parking.next_wake, (self._clock.now(), queue))

    # --- writing -----------------------------------------------------------------------------------------

    def create(self, births: Sequence[Birth], *, fence: Fence | None = None) -> Future[list[Record]]:
        return self._write("store.create", write.create, (births, fence))

    def save(self, change: Change) -> Future[None]:
        self._probe("store.save")
        return self._writer.put((write.save, change))

    async def delete(self, pid: str, *, untouched: bool = False) -> None:
        await self._write("store.delete", write.delete, (pid, untouched))

    # --- orders ------------------------------------------------------------------------------------------

    async def ask(self, orders: Sequence[Order]) -> list[Receipt]:
        return await self._write("store.ask", inbox.ask, orders)

    async def orders(self, pid: str) -> list[Order]:
        return await self._read(inbox.orders, pid)

    async def first_signal(self, pid: str, name: str) -> Order | None:
        return await self._read(inbox.first_signal, (pid, name))

    async def asked(self, owner: str, *, limit: int = 1000) -> list[Order]:
        return await self._read(inbox.asked, (owner, limit))

    async def answer(self, fence: Fence, answers: Sequence[Answer]) -> None:
        await self._write("store.answer", inbox.answer, (fence, answers))

    async def receipt(self, id: str) -> Receipt:
        return await self._read(inbox.receipt, id)

    async def overrule(self, change: Change, *, dead: Sequence[str] = (), force: bool = False) -> None:
        await self._write("store.overrule", write.overrule, (change, frozenset(dead), force))

    # --- reading -----------------------------------------------------------------------------------------

    async def record(self, pid: str) -> Record:
        return await self._read(read.record, pid)

    async def inputs(self, pid: str) -> bytes:
        return await self._read(read.inputs, pid)

    async def checkpoint(self, pid: str, seq: int | None = None) -> Checkpoint:
        return await self._read(read.checkpoint, (pid, seq))

    async def latest(self, pid: str) -> Latest:
        return await self._read(read.latest, pid)

    async def checkpoints(self, pid: str) -> list[int]:
        return await self._read(read.checkpoints, pid)

    async def history(self, pid: str, *, after: int = 0, limit: int | None = None) -> list[Event]:
        return await self._read(read.history, (pid, after, limit))

    async def find(self, tail: str, *, limit: int = 10) -> list[str]:
        return await self._read(read.find, (tail, limit))

    async def list(self, query: Query) -> Page:
        return await self._read(listing.page, query)

    # --- the two threads ---------------------------------------------------------------------------------

    def _write(self, place: str, write: Callable[[Transaction, A], R], argument: A) -> Future[R]:
        self._probe(place)
        return self._writer.put((write, argument))

    def _read(self, read: Callable[[Execute, A], R], argument: A) -> Future[R]:
        return self._reader.put((read, argument))

    def _closed(self) -> BaseException:
        return StoreUnavailableError(f"store {self.path}: it is not open (any more)")
