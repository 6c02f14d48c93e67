"""Trying an excepted process again: a new one begins where the old one stood, with what has come of its children.

The pid of the new one follows from that of the old one, so that whoever asks twice gets one process, and so that a
child that was retried is found again. No class is needed: what a checkpoint holds is handed on as bytes, in which the
pid of a child that is retried stands in for that of the child (all of them are of one length).
"""

from collections.abc import AsyncIterator
from hashlib import blake2b
from typing import Final

import msgspec

from drupe.core.codec import CODEC
from drupe.core.lifecycle import State
from drupe.core.record import Birth, Query, Record
from drupe.core.snapshot import Past, Snapshot
from drupe.errors import InvalidStateError, UnknownProcessError
from drupe.interfaces.ambient import Clock
from drupe.interfaces.store import Store

_PAGE: Final = 500


class Retrying:
    """Makes new processes of excepted ones.

    Args:
        store: where they are; open.
        clock: time.
    """

    def __init__(self, store: Store, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def retry(self, pid: str) -> Record:
        """Create the process that tries again, with those of its children that have to, and get its row; nobody runs it yet.

        If it is there already, and lives, that is all.

        Raises:
            UnknownProcessError: there is no such process.
            InvalidStateError: it has not excepted, or what tried it again has ended.
            CorruptedError: its checkpoint is damaged.
            SnapshotError: its checkpoint cannot be read.
        """
        row = await self._store.record(pid)
        if row.state is not State.EXCEPTED:
            raise InvalidStateError(f"process {pid} is {row.state}: only what excepted or is quarantined is retried")
        there = await self._latest(row)
        if there is not row:
            if there.state in (State.EXCEPTED, State.KILLED, State.FINISHED):
                raise InvalidStateError(f"process {pid} was retried as {there.pid}, which is {there.state}")
            return there
        births: list[Birth] = []
        await self._again(row, row.parent, births)
        return (await self._store.create(births))[-1]

    async def _latest(self, row: Record) -> Record:
        """Get the last one of those that tried a process again; itself if there is none."""
        while True:
            try:
                row = await self._store.record(_successor(row.pid))
            except UnknownProcessError:
                return row

    async def _again(self, row: Record, parent: str | None, births: list[Birth]) -> str:
        """Add the birth of the process that tries ``row`` again behind those of its children; get its pid."""
        pid = _successor(row.pid)
        last = Snapshot.decode((await self._store.checkpoint(row.pid)).body)
        data = _decode(last.data)
        if "stood" not in data:
            raise InvalidStateError(f"the checkpoint of process {row.pid} does not say where it stood when it excepted")
        stood = _decode(data.pop("stood"))
        data["stage"] = stood["stage"]
        kept = _encode(data)
        stand_ins: dict[str, str] = {}
        async for child in self._wanted(row, last, kept):
            stand_ins[child.pid] = await self._stand_in(child, pid, births)
        for child_pid, stand_in in stand_ins.items():
            kept = kept.replace(child_pid.encode(), stand_in.encode())
        snapshot = msgspec.structs.replace(
            last,
            pid=pid,
            state=State(msgspec.msgpack.decode(stood["state"])),
            origin=1,
            created=self._clock.now(),
            parent=parent,
            generation=row.generation + 1,
            data=msgspec.Raw(kept),
            past=_past(row, last, stand_ins),
        )
        births.append(await self._birth(row, snapshot))
        return pid

    async def _stand_in(self, child: Record, parent: str, births: list[Birth]) -> str:
        """Get the pid of what a parent that tries again gets for a child: that child itself, unless it failed."""
        latest = await self._latest(child)
        if latest.state is State.EXCEPTED:
            return await self._again(latest, parent, births)
        if latest.state is not State.KILLED:
            return latest.pid
        last = Snapshot.decode((await self._store.checkpoint(latest.pid)).body)
        snapshot = Snapshot(
            pid=_successor(latest.pid),
            kind=last.kind,
            version=last.version,
            state=State.CREATED,
            origin=1,
            created=self._clock.now(),
            parent=parent,
            generation=latest.generation + 1,
            outline=last.outline,
            data=msgspec.Raw(CODEC.encode({"stage": {}})),
        )
        births.append(await self._birth(latest, snapshot))
        return snapshot.pid

    async def _birth(self, row: Record, snapshot: Snapshot) -> Birth:
        return Birth(
            pid=snapshot.pid,
            kind=snapshot.kind,
            version=snapshot.version,
            inputs=await self._store.inputs(row.pid),
            digest=row.digest,
            body=snapshot.encode(),
            created=snapshot.created,
            state=snapshot.state,
            parent=snapshot.parent,
            generation=snapshot.generation,
            retry_of=row.pid,
            queue=row.queue,
        )

    async def _begun(self, row: Record, last: Snapshot) -> float:
        """Get when the step began in which a process excepted: what it has made since, that step made."""
        events = await self._store.history(row.pid, after=last.origin - 1, limit=1)
        return events[0].at if events else row.created

    async def _wanted(self, row: Record, last: Snapshot, kept: bytes) -> AsyncIterator[Record]:
        """Get the children that the step that failed made, in any of the tries, and those that the checkpoint names."""
        earlier = set() if last.past is None else set(last.past.children.values())
        since = await self._begun(row, last)
        async for child in self._children(row.pid):
            if child.pid not in earlier and (child.created >= since or child.pid.encode() in kept):
                yield child
        for pid in earlier:
            yield await self._store.record(pid)

    async def _children(self, pid: str) -> AsyncIterator[Record]:
        query = Query(parent=pid, limit=_PAGE)
        while True:
            page = await self._store.list(query)
            for record in page.records:
                yield record
            if page.next is None:
                return
            query = msgspec.structs.replace(query, after=page.next)


def _successor(pid: str) -> str:
    return blake2b(f"{pid}/retry".encode(), digest_size=16).hexdigest()


def _past(row: Record, last: Snapshot, stand_ins: dict[str, str]) -> Past:
    """Get how the step that is repeated finds the children that it made before, also in earlier tries."""
    before = last.past or Past()
    return Past(
        steps=(f"{row.pid}/{last.origin}/{row.generation}", *before.steps),
        children={**{name: stand_ins.get(pid, pid) for name, pid in before.children.items()}, **stand_ins},
    )


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, msgspec.Raw]).decode
