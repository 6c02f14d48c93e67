"""The PostgreSQL store: its door, and the threads behind it.

Nothing is decided here. A method hands a kind of write, or a function that reads, with its argument to the thread that
may do it.
"""

import asyncio
import functools
import itertools
from asyncio import Future
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

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
from drupe.runtime.probe import quiet
from drupe.runtime.writer import Writer
from drupe.storage import rule
from drupe.storage.postgres import (
    address,
    claiming,
    connection,
    inbox,
    listing,
    notice,
    ownership,
    parking,
    read,
    write,
)
from drupe.storage.postgres.connection import Durability
from drupe.storage.postgres.ear import Ear
from drupe.storage.postgres.read import Read, Reader
from drupe.storage.postgres.row import Execute
from drupe.storage.postgres.session import Session
from drupe.storage.postgres.task_queue import PostgresTaskQueue
from drupe.storage.postgres.transaction import Committer, Request, Transaction, Write

A = TypeVar("A")
R = TypeVar("R")

_READERS: Final = 2
PATIENCE: Final = 60.0
"""Seconds that a database which is away is waited for, unless a store is told otherwise."""
_PARTING: Final = 3.0
"""Seconds that a server has to answer once the store is closed."""
_AGAIN: Final = 0.2
"""Seconds in which a renewal is tried again by itself: the connection may be of a server that was started anew meanwhile."""
_RENEWING: Final = 0.2, 5.0
"""Seconds that a server has to answer a renewal, at least and at most: a sixth of the lease."""


class PostgresStore:
    """A `Store` in a PostgreSQL database, for any number of programs of any number of machines at once.

    Args:
        url: where it is: ``postgresql://USER:PASSWORD@HOST/DATABASE``, with ``schema=NAME`` for another schema than ``drupe``.
        durability: ``full`` keeps what is committed through the end of the server in any way; ``process`` through the end of
            the program, is faster, and may lose the last commits when the server ends. Neither ever tears anything.
        clock: what tells the time of leases instead of the database; for tests.
        probe: passed at every place where something is written.
        retention: how many checkpoints of a process are kept.
        max_bytes: how large inputs or a checkpoint may be.
        patience: how many seconds a database that is away is waited for, once the store is open.
        telling: whether other programs are told of what is committed, for those who hear it by `hints`.

    Attributes:
        shown: the address without a password.
        hints: what other programs have committed, as far as they tell.

    Raises:
        SettingsError: the address cannot be, or leads to another machine without verified TLS.
    """

    dialect: str | None = "postgresql"

    def __init__(  # noqa: PLR0913 (each is a setting of its own, with a default)
        self,
        url: str,
        *,
        durability: Durability = "full",
        clock: Clock | None = None,
        probe: Probe = quiet,
        retention: Retention | None = None,
        max_bytes: int = rule.MAX_BYTES,
        patience: float = PATIENCE,
        telling: bool = False,
    ) -> None:
        where = address.parse(url)
        self.shown = where.shown
        self._probe = probe
        channel = notice.channel(where.schema)
        transaction = Transaction(
            clock, rule.check_retention(retention or Retention()), max_bytes, channel=channel if telling else None
        )
        self.hints = Ear(functools.partial(connection.reading, where), channel)
        new_session = functools.partial(Session, where=where.shown, patience=patience)
        self._times = transaction
        writing = new_session(functools.partial(connection.writing, where, durability=durability))
        committer = Committer(writing, transaction=transaction, probe=probe)
        self._writer: Writer[Request] = Writer(committer, name="drupe-store-writer", closed=self._closed, halving=True)
        # A commit may wait for a lock, for a disk, or behind many others. A lease must not.
        self._renewing = Session(
            functools.partial(connection.renewing, where),
            where=where.shown,
            patience=min(patience, _AGAIN),
            doubtful=False,
        )
        alone = Transaction(clock, Retention(), max_bytes)
        self._renewer: Writer[Request] = Writer(
            Committer(self._renewing, transaction=alone, probe=probe, eager=False),
            name="drupe-store-renewer",
            closed=self._closed,
        )
        sessions = [new_session(functools.partial(connection.reading, where)) for _ in range(_READERS)]
        # Few at a time: a short read must not wait until a row of long ones is answered.
        self._readers: list[Writer[tuple[Read, Any]]] = [
            Writer(Reader(session), name="drupe-store-reader", closed=self._closed, batch=8) for session in sessions
        ]
        self._turn = itertools.cycle(zip(self._readers, sessions, strict=True))
        self._writing, self._patience = writing, patience
        self._beside: tuple[Writer[Any], ...] = (self._renewer, *self._readers)
        self._sessions = [writing, self._renewing, *sessions]
        self.tasks = PostgresTaskQueue(self._write, self._read)

    async def open(self) -> None:
        try:
            for each in (self._writer, *self._beside):
                await each.start()
        except asyncio.CancelledError:  # nobody waits any more for a server that lets itself be waited for
            self._give_up()
            raise

    async def close(self) -> None:
        for session in self._sessions:
            session.hurry.set()
        loop = asyncio.get_running_loop()
        ending = asyncio.gather(*(each.close() for each in (self._writer, *self._beside)))
        giving_up = loop.call_later(_PARTING, self._give_up)
        self.hints.close()
        try:
            await ending
        except asyncio.CancelledError:  # who closes it does not wait either
            self._give_up()
            raise
        finally:
            giving_up.cancel()

    def _give_up(self) -> None:
        for session in self._sessions:
            session.give_up()

    # --- ownership ---------------------------------------------------------------------------------------

    async def join(self, owner: str, *, lease: float) -> None:
        await self._write("store.join", ownership.JOIN, (owner, lease))

    async def renew(self, owner: str, *, lease: float) -> None:
        self._probe("store.renew")
        limit = min(max(lease / 6, _RENEWING[0]), _RENEWING[1])
        try:
            async with asyncio.timeout(limit):
                await self._renewer.put((ownership.RENEW, (owner, lease)))
        except TimeoutError:
            self._renewing.cut()  # a server that is frozen, or behind a dead line, would be waited for without end
            raise StoreUnavailableError(f"store {self.shown}: the server has not answered for {limit:.3g} s") from None

    async def leave(self, owner: str) -> None:
        await self._write("store.leave", ownership.LEAVE, owner)

    async def claim(self, pid: str, *, owner: str, dead: Iterable[str] = ()) -> Record:
        record: Record = await self._write("store.claim", ownership.CLAIM, (pid, owner, frozenset(dead)))
        return record

    async def claim_many(self, pids: Sequence[str], *, owner: str, dead: Iterable[str] = ()) -> list[Claimed]:
        found: list[Claimed] = await self._write(
            "store.claim_many", claiming.CLAIM_MANY, (tuple(pids), owner, frozenset(dead))
        )
        return found

    async def release(self, fence: Fence) -> None:
        await self._write("store.release", ownership.RELEASE, fence)

    async def held(self, owner: str) -> dict[str, int]:
        return await self._read(read.held, owner)

    async def owners(self) -> list[Owner]:
        return await self._read(read.owners, self._times.time)

    # --- rest --------------------------------------------------------------------------------------------

    async def park(self, fence: Fence, rest: Rest) -> bool:
        parked: bool = await self._write("store.park", parking.PARK, (fence, rest))
        return parked

    async def free(self, *, queue: str | None = None, dead: Iterable[str] = (), limit: int = 100) -> list[Record]:
        asked = parking.Asked(self._times.time, self._times.now, sorted(dead), limit, queue)
        return await self._read(parking.free, asked)

    async def next_wake(self, *, queue: str | None = None) -> float | None:
        return await self._read(parking.next_wake, (self._times.now, queue))

    # --- writing -----------------------------------------------------------------------------------------

    def create(self, births: Sequence[Birth], *, fence: Fence | None = None) -> Future[list[Record]]:
        return self._write("store.create", write.CREATE, (births, fence))

    def save(self, change: Change) -> Future[None]:
        self._probe("store.save")
        return self._writer.put((write.SAVE, change))

    async def delete(self, pid: str, *, untouched: bool = False) -> None:
        await self._write("store.delete", write.DELETE, (pid, untouched))

    # --- orders ------------------------------------------------------------------------------------------

    async def ask(self, orders: Sequence[Order]) -> list[Receipt]:
        receipts: list[Receipt] = await self._write("store.ask", inbox.ASK, orders)
        return receipts

    async def orders(self, pid: str) -> list[Order]:
        return await self._read(inbox.orders, pid)

    async def first_signal(self, pid: str, name: str) -> Order | None:
        return await self._read(inbox.first_signal, (pid, name))

    async def asked(self, owner: str, *, limit: int = 1000) -> list[Order]:
        return await self._read(inbox.asked, (owner, limit))

    async def answer(self, fence: Fence, answers: Sequence[Answer]) -> None:
        await self._write("store.answer", inbox.ANSWER, (fence, answers))

    async def receipt(self, id: str) -> Receipt:
        return await self._read(inbox.receipt, id)

    async def overrule(self, change: Change, *, dead: Sequence[str] = (), force: bool = False) -> None:
        await self._write("store.overrule", write.OVERRULE, (change, frozenset(dead), force))

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

    # --- the threads -------------------------------------------------------------------------------------

    def _write(self, place: str, write: Write, argument: Any) -> "Future[Any]":
        self._probe(place)
        return self._limited(self._writer.put((write, argument)), self._writing)

    def _read(self, read: Callable[[Execute, A], R], argument: A) -> "Future[R]":
        reader, session = next(self._turn)
        return self._limited(reader.put((read, argument)), session)

    def _limited(self, asked: "Future[R]", session: Session) -> "Future[R]":
        """Have a server that says nothing count as one that is away; a `save`, of which there are many, has the lease for that."""
        cutting = asyncio.get_running_loop().call_later(self._patience, session.cut)
        asked.add_done_callback(lambda _: cutting.cancel())
        return asked

    def _closed(self) -> BaseException:
        return StoreUnavailableError(f"store {self.shown}: it is not open (any more)")
