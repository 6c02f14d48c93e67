"""The store that lives as long as its interpreter: for tests, and for stored processes that need no file.

It keeps what any store keeps and refuses what any store refuses. A write is a generator that yields once:
before, it only looks, and may refuse; after, it changes things, and cannot fail. So each is all or nothing.
"""

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Awaitable, Iterable, Sequence
from functools import partial
from typing import TypeVar

import msgspec

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
    birth_record,
)
from drupe.errors import StoreUnavailableError
from drupe.interfaces.ambient import Clock, Probe
from drupe.runtime.clock import SystemClock
from drupe.runtime.probe import quiet
from drupe.storage import memory_inbox, memory_parking, rule
from drupe.storage.memory_inbox import Write
from drupe.storage.memory_ownership import Ownership
from drupe.storage.memory_queue import MemoryTaskQueue
from drupe.storage.memory_state import Kept, MemoryState, advance, bear, find, has, page

T = TypeVar("T")

Asked = list[tuple[Birth, Record | None]]
"""Births, each with the row that is there already."""


class MemoryStore:
    """A `Store` in memory.

    Args:
        state: what another memory store left behind; by default nothing.
        clock: where lease times come from.
        probe: passed at every place where something is written.
        retention: how many checkpoints of a process are kept.
        max_bytes: how large inputs or a checkpoint may be.
    """

    dialect: str | None = None

    def __init__(
        self,
        state: MemoryState | None = None,
        *,
        clock: Clock | None = None,
        probe: Probe = quiet,
        retention: Retention | None = None,
        max_bytes: int = rule.MAX_BYTES,
    ) -> None:
        self.state = state or MemoryState()
        self._clock = clock or SystemClock()
        self._probe = probe
        self._retention = rule.check_retention(retention or Retention())
        self._max_bytes = max_bytes
        self._open = False
        self._owners = Ownership(self.state, self._clock)
        self.tasks = MemoryTaskQueue(self.state.tasks, clock=self._clock, probe=probe)

    async def open(self) -> None:
        self._open = True

    async def close(self) -> None:
        self._open = False

    # --- ownership ---------------------------------------------------------------------------------------

    async def join(self, owner: str, *, lease: float) -> None:
        await self._commit("store.join", self._owners.join(owner, lease))

    async def renew(self, owner: str, *, lease: float) -> None:
        await self._commit("store.renew", self._owners.renew(owner, lease))

    async def leave(self, owner: str) -> None:
        await self._commit("store.leave", self._owners.leave(owner))

    async def claim(self, pid: str, *, owner: str, dead: Iterable[str] = ()) -> Record:
        return await self._commit("store.claim", self._owners.claim(pid, owner, frozenset(dead)))

    async def claim_many(self, pids: Sequence[str], *, owner: str, dead: Iterable[str] = ()) -> list[Claimed]:
        return await self._commit("store.claim_many", self._owners.claim_many(pids, owner, frozenset(dead)))

    async def release(self, fence: Fence) -> None:
        await self._commit("store.release", self._owners.release(fence))

    async def held(self, owner: str) -> dict[str, int]:
        with self._at_hand():
            rows = [kept.row for kept in self.state.processes.values()]
        return {row.pid: row.epoch for row in rows if row.owner == owner}

    async def owners(self) -> list[Owner]:
        with self._at_hand():
            found = sorted(self.state.owners.items())
            holders = Counter(kept.row.owner for kept in self.state.processes.values())
        return [Owner(name=name, left=rule.left(self._clock, *lease), held=holders[name]) for name, lease in found]

    # --- rest --------------------------------------------------------------------------------------------

    async def park(self, fence: Fence, rest: Rest) -> bool:
        return await self._commit("store.park", memory_parking.park(self.state, fence, rest, self._clock.now()))

    async def free(self, *, queue: str | None = None, dead: Iterable[str] = (), limit: int = 100) -> list[Record]:
        known = frozenset(dead)
        with self._at_hand():
            found = memory_parking.free(
                self.state, self._clock.now(), lambda owner: owner in known or not self._owners.is_alive(owner), queue
            )
            return found[:limit]

    async def next_wake(self, *, queue: str | None = None) -> float | None:
        with self._at_hand():
            return memory_parking.next_wake(self.state, self._clock.now(), queue)

    # --- writing -----------------------------------------------------------------------------------------

    def create(self, births: Sequence[Birth], *, fence: Fence | None = None) -> Awaitable[list[Record]]:
        return self._commit("store.create", self._create(births, fence))

    def save(self, change: Change) -> Awaitable[None]:
        return self._commit("store.save", self._save(change))

    async def delete(self, pid: str, *, untouched: bool = False) -> None:
        await self._commit("store.delete", self._delete(pid, untouched=untouched))

    def _create(self, births: Sequence[Birth], fence: Fence | None) -> Write[list[Record]]:
        if fence is not None:
            self._owners.check_held(fence)
        asked = self._asked_for(births)
        yield
        rows = [bear(self.state, birth) if row is None else row for birth, row in asked]
        if fence is not None and rule.any_lives(rows):
            parent = self.state.processes[fence.pid]
            parent.row = msgspec.structs.replace(parent.row, attempts=0)
        return rows

    def _save(self, change: Change) -> Write[None]:
        rule.check_body(change, self._max_bytes)
        asked = self._asked_for(change.births)
        kept = self.state.processes.get(change.pid)
        if kept is None or kept.row.epoch != change.epoch:
            raise rule.fenced(change, None if kept is None else kept.row)
        done = kept.row.seq == change.seq and has(kept, change)
        if not done and (kept.row.seq != change.seq - 1 or kept.row.owner is None):
            raise rule.fenced(change, kept.row)
        for statement in change.statements:
            raise rule.failed(change.pid, statement, "memory is no database")
        yield
        if not done:
            self._advance(kept, change)
            for birth, row in asked:
                if row is None:
                    bear(self.state, birth)

    def _delete(self, pid: str, *, untouched: bool) -> Write[None]:
        rule.check_deletable(self._kept(pid).row, untouched=untouched)
        yield
        del self.state.processes[pid]
        memory_inbox.drop(self.state.letters, pid)

    def _asked_for(self, births: Sequence[Birth]) -> Asked:
        rule.check_births(births, self._max_bytes)
        for birth in births:
            if birth.owner is not None:
                self._owners.check_joined(birth.owner)
        asked: Asked = []
        seen: dict[str, Record] = {}
        for birth in births:
            kept = self.state.processes.get(birth.pid)
            row = seen.get(birth.pid) if kept is None else kept.row
            asked.append((birth, None if row is None else rule.same_birth(birth, row)))
            seen[birth.pid] = row or birth_record(birth)
        return asked

    def _advance(self, kept: Kept, change: Change) -> None:
        advance(kept, change, self._retention)
        memory_inbox.write_answers(self.state.letters, change.pid, change.answers, change.at)
        if change.terminal:
            memory_inbox.answer_the_rest(self.state.letters, change.pid, change.state, change.at)
            memory_parking.wake(self.state, change.pid)
            memory_parking.wake(self.state, kept.row.parent)

    # --- orders ------------------------------------------------------------------------------------------

    async def ask(self, orders: Sequence[Order]) -> list[Receipt]:
        return await self._commit(
            "store.ask",
            memory_inbox.ask(self.state.letters, orders, self._row, partial(memory_parking.wake, self.state)),
        )

    async def orders(self, pid: str) -> list[Order]:
        with self._at_hand():
            return memory_inbox.pending(self.state.letters, lambda found: found == pid)

    async def first_signal(self, pid: str, name: str) -> Order | None:
        with self._at_hand():
            return memory_inbox.first_signal(self.state.letters, pid, name)

    async def asked(self, owner: str, *, limit: int = 1000) -> list[Order]:
        with self._at_hand():
            return memory_inbox.asked(self.state.letters, lambda pid: self._kept(pid).row.owner == owner)[:limit]

    async def answer(self, fence: Fence, answers: Sequence[Answer]) -> None:
        await self._commit("store.answer", self._answer(fence, answers))

    async def receipt(self, id: str) -> Receipt:
        with self._at_hand():
            return memory_inbox.receipt(self.state.letters, id)

    async def overrule(self, change: Change, *, dead: Sequence[str] = (), force: bool = False) -> None:
        await self._commit("store.overrule", self._overrule(change, frozenset(dead), force=force))

    def _answer(self, fence: Fence, answers: Sequence[Answer]) -> Write[None]:
        row = self._row(fence.pid)
        if row is None or row.epoch != fence.epoch:
            raise rule.fenced(fence, row)
        yield
        memory_inbox.write_answers(self.state.letters, fence.pid, answers, self._clock.now())

    def _overrule(self, change: Change, dead: frozenset[str], *, force: bool) -> Write[None]:
        rule.check_body(change, self._max_bytes)
        kept = self._kept(change.pid)
        holder = kept.row.owner
        done = (kept.row.epoch, kept.row.seq) == (change.epoch + 1, change.seq) and has(kept, change)
        gone = holder is not None and (holder in dead or not self._owners.is_alive(holder))
        if not done:
            rule.check_overrulable(kept.row, change)
            if holder is not None and not gone and not force:
                raise rule.owned(kept.row)
        yield
        if not done:
            if holder is not None and gone:
                self._owners.forget(holder, rule.bereaved)
            kept.row = msgspec.structs.replace(kept.row, owner=None, epoch=kept.row.epoch + 1)
            self._advance(kept, change)

    # --- reading -----------------------------------------------------------------------------------------

    async def record(self, pid: str) -> Record:
        with self._at_hand():
            return self._kept(pid).row

    async def inputs(self, pid: str) -> bytes:
        with self._at_hand():
            return self._kept(pid).inputs

    async def checkpoint(self, pid: str, seq: int | None = None) -> Checkpoint:
        with self._at_hand():
            kept = self._kept(pid)
            found = kept.checkpoints.get(kept.row.seq if seq is None else seq)
            if found is None:
                raise rule.unknown_checkpoint(pid, seq)
            return found

    async def latest(self, pid: str) -> Latest:
        return Latest(await self.record(pid), await self.checkpoint(pid), await self.inputs(pid))

    async def checkpoints(self, pid: str) -> list[int]:
        with self._at_hand():
            return sorted(self._kept(pid).checkpoints)

    async def history(self, pid: str, *, after: int = 0, limit: int | None = None) -> list[Event]:
        with self._at_hand():
            return [event for event in self._kept(pid).history if event.seq > after][:limit]

    async def find(self, tail: str, *, limit: int = 10) -> list[str]:
        with self._at_hand():
            return find(self.state, tail, limit)

    async def list(self, query: Query) -> Page:
        rule.check_query(query)
        with self._at_hand():
            return page(self.state, query)

    # --- inside ------------------------------------------------------------------------------------------

    def _commit(self, place: str, write: Write[T]) -> "asyncio.Future[T]":
        """Do a write, and give its answer as every store does: in a later turn of the loop, so that others get theirs."""
        self._probe(place)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        try:
            with self._at_hand():
                self._probe("store.begin")
                self._probe("store.apply")
                next(write)
                self._probe("store.commit")
                result = _returned(write)
            with contextlib.suppress(Exception):  # it is done, whatever happens now
                self._probe("store.committed")
        except Exception as error:  # noqa: BLE001 (given to whoever awaits)
            answer.set_exception(error)
        else:
            loop.call_soon(_resolve, answer, result)
        return answer

    def _at_hand(self) -> threading.Lock:
        if not self._open:
            raise StoreUnavailableError("the store in memory is not open (any more)")
        return self.state.lock

    def _row(self, pid: str) -> Record | None:
        kept = self.state.processes.get(pid)
        return None if kept is None else kept.row

    def _kept(self, pid: str) -> Kept:
        try:
            return self.state.processes[pid]
        except KeyError:
            raise rule.unknown(pid) from None


def _resolve(answer: "asyncio.Future[T]", result: T) -> None:
    if not answer.done():  # cancelled meanwhile; what was asked is done nevertheless
        answer.set_result(result)


def _returned(write: Write[T]) -> T:
    try:
        next(write)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("a write yields once")  # pragma: no cover
