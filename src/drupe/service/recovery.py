"""Finding processes again that are in the store: loading, taking over, following to the end."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence, Set
from typing import Any, Final, NamedTuple
from weakref import WeakValueDictionary

import msgspec

from drupe.core.lifecycle import TERMINAL
from drupe.core.record import QUARANTINED, Change, Checkpoint, Claimed, Fence, Latest, Query, Record
from drupe.core.snapshot import NO_INPUTS, Snapshot
from drupe.engine import saving
from drupe.engine.child import Origin
from drupe.engine.progress import step_of
from drupe.errors import (
    CorruptedError,
    InvalidStateError,
    OwnedError,
    SnapshotError,
    StoreError,
    UnknownClassError,
    UpcastError,
)
from drupe.interfaces.registry import Registry
from drupe.service.stored import StoredHost, Tenure
from drupe.service.suspicion import Suspects

_LOG: Final = logging.getLogger("drupe.service")

ATTEMPTS: Final = 5
"""So many owners may die of a process without its getting on, before it is quarantined."""
_PARTING: Final = 1.0
"""Seconds that who leaves waits for what it was about to get."""
_POLL: Final = 0.05
_POLL_AT_MOST: Final = 1.0
_NOT_TO_BE_LOADED: Final = (CorruptedError, SnapshotError, UnknownClassError)


class Resumed(NamedTuple):
    """What became of many that were to be resumed."""

    processes: list[Any]
    """Those that are at hand now."""
    alone: list[Record]
    """Those that `StoredRecovery.resume` is for, which also tells what is wrong with one."""
    missed: list[Record]
    """Those that were not to be had: somebody else has them by now, or they are damaged."""


class StoredRecovery:
    """Brings processes of a store back to life in one host.

    Args:
        host: who will own them.
        registry: where their classes come from.
        is_dead: tells whether an owner is known to be dead.
        attempts: how many owners may die of a process without its getting on, before it is quarantined.
    """

    def __init__(
        self, host: StoredHost, registry: Registry, is_dead: Callable[[str], bool], attempts: int = ATTEMPTS
    ) -> None:
        self._host = host
        host.recovery = self
        self._store = host.store
        self._registry = registry
        self._is_dead = is_dead
        self._attempts = attempts
        self._suspects: Suspects | None = None
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def be_careful(self) -> None:
        """From now on run no two side by side that have one attempt left."""
        self._suspects = Suspects(self._host.live, self._attempts)

    def is_suspect(self, record: Record) -> bool:
        """Whether a process must not be taken over beside another such one: it has one attempt left."""
        return self._suspects is not None and self._suspects.suspects(record, self._host.owner)

    async def load(self, pid: str, seq: int | None = None) -> Any:
        """Get a process as it was at a checkpoint, by default the last; nothing is claimed, and it must not be run.

        Raises:
            UnknownProcessError: there is no such process or checkpoint.
            UnknownClassError: its class is not at hand.
            CorruptedError: its bytes are damaged.
            SnapshotError: the checkpoint does not fit the class.
        """
        process = await self._make(await self._snapshot(pid, seq))
        process._life.closed = True
        return process

    async def resume(self, pid: str, *, latest: Latest | None = None) -> Any:
        """Own a living process and have it at hand; one that has ended is loaded.

        Args:
            pid: which.
            latest: how it was a moment ago, if that was read already.

        Raises:
            OwnedError: somebody else runs it.
            UnknownProcessError: there is no such process.
            UnknownClassError: its class is not at hand.
            CorruptedError: its bytes are damaged.
            SnapshotError: the checkpoint does not fit the class; one of a newer version of it (`NewerVersionError`) is for
                programs that have that. One that could not be brought up to date
                (`UpcastError`) leaves the process paused, with the error as its status.
        """
        async with self.taking(pid):
            return self._host.at_hand(pid) or await self._take_over(pid, latest=latest)

    async def _take_over(self, pid: str, process: Any = None, *, latest: Latest | None = None) -> Any:
        latest = latest or await self._store.latest(pid)
        record, snapshot = latest.record, _snapshot_of(latest.checkpoint, latest.inputs)
        if record.state in TERMINAL:
            return await self._bring(process, snapshot, closed=True)
        if self._suspects is not None:
            self._suspects.refuse_two(record, self._host.owner)
        # Read and made before it is claimed: what cannot be loaded here is left to others as it was.
        try:
            found = await self._bring(process, snapshot)
        except UpcastError as error:
            await self._leave_paused(record, snapshot, str(error))
            raise
        try:
            claimed = await self._claim(record)
        except InvalidStateError:  # it ended between reading and claiming
            return await self._bring(found, await self._snapshot(pid, None), closed=True)
        if claimed.seq != record.seq:  # it went on between reading and claiming
            snapshot = await self._snapshot(pid, None)
            found = await self._bring(found, snapshot)
        seq = claimed.seq
        if claimed.attempts >= self._attempts:
            step = step_of(found)
            reason = (
                f"{QUARANTINED}: {claimed.attempts} programs in a row died while it was in {step or 'the same step'}; "
                "`drupe play` has it try again"
            )
            snapshot, seq = await self._pause(claimed, snapshot, reason, event=QUARANTINED), seq + 1
            found = await self._bring(found, snapshot)
            _LOG.warning("process %s (%s) is %s", pid, found.kind, reason)
        elif self._suspects is not None:
            self._suspects.note(claimed)
        self._host.take(found, Tenure(claimed.epoch, seq, _bare(snapshot), queue=claimed.queue, resumed=True))
        await self._host.attendant.attended(pid)  # before it takes a step: it may be meant to take none
        return found

    async def resume_many(self, records: Sequence[Record]) -> Resumed:
        """Own those of many living processes that can be had and run as they are, and have them at hand, by one write.

        The others are left to `resume`: what is paused, is of another version of its class, cannot be loaded, or may have taken
        programs down with it.
        """
        asked: dict[str, Record] = {}
        alone: list[Record] = []
        async with contextlib.AsyncExitStack() as taking:
            for record in records:
                lock = self.taking(record.pid)
                if not self._is_plain(record):
                    alone.append(record)
                elif not lock.locked() and self._host.at_hand(record.pid) is None:  # else it is being taken up, or was
                    await taking.enter_async_context(lock)
                    asked[record.pid] = record
            dead = {
                record.owner for record in asked.values() if record.owner is not None and self._is_dead(record.owner)
            }
            claimed = await self._claimed([*asked], dead) if asked else []
            held = {one.record.pid: await self._held(one) for one in claimed}
        alone += [asked[pid] for pid, process in held.items() if process is None]
        missed = [record for pid, record in asked.items() if pid not in held]
        return Resumed([process for process in held.values() if process is not None], alone, missed)

    async def _claimed(self, pids: list[str], dead: Set[str]) -> list[Claimed]:
        """Claim many. If nobody wants them any more, what was on its way is given back: the owner may be there for long."""
        claim = self._store.claim_many(pids, owner=self._host.owner, dead=dead)
        claiming = asyncio.get_running_loop().create_task(claim)
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:
            with contextlib.suppress(TimeoutError, StoreError):
                async with asyncio.timeout(_PARTING):
                    for one in await claiming:
                        await self._store.release(Fence(one.record.pid, one.record.epoch))
            raise

    def _is_plain(self, record: Record) -> bool:
        mine = record.owner == self._host.owner  # the store says so, and it is not at hand
        if mine or record.paused or self.is_suspect(record) or record.attempts + 1 >= self._attempts:
            return False
        try:
            return bool(self._registry.find(record.kind).version == record.version)
        except UnknownClassError:
            return False

    async def _held(self, claimed: Claimed) -> Any:
        """Have a process at hand that was just claimed; None: it is given back, since something is to be looked at first."""
        record = claimed.record
        try:
            if self._suspects is not None:
                self._suspects.refuse(record, self._host.owner)  # somebody may have died of it meanwhile
            snapshot = _snapshot_of(claimed.checkpoint, claimed.inputs)
            process = await self._make(snapshot)
        except Exception as error:  # noqa: BLE001 (a constructor may raise anything; `resume` meets it again, and tells)
            _LOG.debug("process %s is given back: %s", record.pid, error)
            await self._store.release(Fence(record.pid, record.epoch))
            return None
        tenure = Tenure(record.epoch, record.seq, _bare(snapshot), queue=record.queue, resumed=True)
        self._host.take(process, tenure)
        await self._host.attendant.handed(process, claimed.orders)
        return process

    async def resume_below(self, pid: str) -> list[Any]:
        """Resume every living descendant that nobody runs and that could go on, and start it; the oldest first."""
        found = []
        for record in await self._children(pid):
            if record.state not in TERMINAL and self._is_left(record):
                try:
                    process = await self.resume(record.pid)
                except OwnedError as error:
                    _LOG.info("%s", error)
                except _NOT_TO_BE_LOADED as error:  # whoever waits for it meets the same error; the others go on
                    _LOG.warning("child %s of %s is left as it is: %s", record.pid, pid, error)
                else:
                    self._host.start(process)
                    found.append(process)
            found.extend(await self.resume_below(record.pid))
        return found

    def _is_left(self, record: Record) -> bool:
        """Whether nobody runs it here. What this owner has in the store and not at hand was born a moment ago."""
        if record.parked:
            return False
        process = self._host.live.get(record.pid)
        return record.owner != self._host.owner if process is None else process._life.lost is not None

    async def _children(self, pid: str) -> list[Record]:
        found: list[Record] = []
        query = Query(parent=pid, limit=500)
        while True:
            page = await self._store.list(query)
            found.extend(page.records)
            if page.next is None:
                return found[::-1]
            query = msgspec.structs.replace(query, after=page.next)

    # --- what the host asks --------------------------------------------------------------------------------

    async def adopt(self, process: Any) -> bool:
        """Bring a new object to where its process in the store got, and own it; False if somebody else does."""
        async with self.taking(process.pid):
            if self._host.at_hand(process.pid) is not None:
                return False
            try:
                await self._take_over(process.pid, process)
            except OwnedError:
                return False
            return True

    async def ended(self, pid: str, process: Any | None) -> Any:
        """Get a process once it has ended; it is run here if nobody else does."""
        pause = _POLL
        while process is None or process.state not in TERMINAL:
            if process is not None and self._host.live.get(pid) is process:
                self._host.start(process)
                await _end_of(process)
                continue
            record = await self._store.record(pid)
            if record.state in TERMINAL:
                return await self.load(pid)
            try:
                process = None if record.parked else await self.resume(pid)
            except OwnedError:
                process = None
            if process is None:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _POLL_AT_MOST)
        return process

    # --- pieces --------------------------------------------------------------------------------------------

    def taking(self, pid: str) -> asyncio.Lock:
        """Get what lets only one at a time bring a process to life: two objects of it would fence each other."""
        return self._locks.setdefault(pid, asyncio.Lock())

    async def _snapshot(self, pid: str, seq: int | None) -> Snapshot:
        return _snapshot_of(await self._store.checkpoint(pid, seq), await self._store.inputs(pid))

    async def _make(self, snapshot: Snapshot) -> Any:
        found = self._registry.find(snapshot.kind)
        return found(origin=Origin(self._host, snapshot=snapshot))

    async def _bring(self, process: Any, snapshot: Snapshot, *, closed: bool = False) -> Any:
        if process is None:
            process = await self._make(snapshot)
        else:
            saving.restore(process, process._life, snapshot)
        process._life.closed = closed
        return process

    async def _claim(self, record: Record) -> Record:
        dead = () if record.owner is None or not self._is_dead(record.owner) else (record.owner,)
        return await self._store.claim(record.pid, owner=self._host.owner, dead=dead)

    async def _leave_paused(self, record: Record, snapshot: Snapshot, reason: str) -> None:
        if record.paused and record.status == reason:  # it was tried before
            return
        claimed = await self._claim(record)
        if claimed.seq == record.seq:
            await self._pause(claimed, snapshot, reason)
        await self._store.release(Fence(record.pid, claimed.epoch))

    async def _pause(self, row: Record, snapshot: Snapshot, reason: str, *, event: str = "paused") -> Snapshot:
        """Write that a process is paused that is ours and not run yet, and get the checkpoint."""
        before = snapshot.before if snapshot.paused else snapshot.status
        paused = msgspec.structs.replace(snapshot, paused=True, status=reason, before=before)
        change = Change(
            pid=row.pid,
            epoch=row.epoch,
            seq=row.seq + 1,
            at=self._host.now(),
            was=row.state,
            state=row.state,
            body=_bare(paused).encode(),
            event=event,
            detail=reason,
            paused=True,
            status=reason,
        )
        await self._store.save(change)
        if self._host.announcer is not None:
            self._host.announcer.changed(change, row.kind)
        return paused


def _snapshot_of(checkpoint: Checkpoint, inputs: bytes) -> Snapshot:
    return msgspec.structs.replace(Snapshot.decode(checkpoint.body), inputs=msgspec.Raw(inputs))


def _bare(snapshot: Snapshot) -> Snapshot:
    return msgspec.structs.replace(snapshot, inputs=NO_INPUTS)


async def _end_of(process: Any) -> None:
    """Wait until a process at hand has ended, in whichever way; one that was given up raises why."""
    future = process.future()
    await asyncio.wait([future])
    if process._life.lost is not None:
        raise process._life.lost
    if not future.cancelled():
        future.exception()
