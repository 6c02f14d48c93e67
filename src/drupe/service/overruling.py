"""Carrying out orders to a process that nobody holds, on its checkpoint alone.

Nobody has its class in hand then, so none of its hooks is called: it is paused, played or killed by what the store
keeps of it. Orders are taken in their order here too.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from drupe.core.asking import request_of
from drupe.core.codec import CODEC
from drupe.core.failure import legible
from drupe.core.lifecycle import TERMINAL, State
from drupe.core.message import KillRequest, PauseRequest
from drupe.core.order import SIGNAL, Answer, Order, Outcome
from drupe.core.record import Change, Fence, Record
from drupe.core.snapshot import Snapshot
from drupe.errors import CorruptedError, FencedError, InvalidStateError, MessageError, OwnedError, SnapshotError
from drupe.interfaces.ambient import Clock
from drupe.interfaces.store import Store


class Overruling:
    """Changes processes of a store that nobody holds, or, by force, whoever holds them.

    Args:
        store: where they are; open.
        is_dead: tells whether an owner is known to be dead.
        clock: time.
        tell: is told each change that was made, and the class of its process.
    """

    def __init__(
        self,
        store: Store,
        *,
        is_dead: Callable[[str], bool],
        clock: Clock,
        tell: Callable[[Change, str], None] = lambda *_: None,
    ) -> None:
        self._store = store
        self._tell = tell
        self._is_dead = is_dead
        self._clock = clock

    def seen(self, row: Record) -> Record:
        """Get a row as it counts: without an owner that is dead."""
        if row.owner is None or not self._is_dead(row.owner):
            return row
        return msgspec.structs.replace(row, owner=None)

    async def carry_out(self, pid: str, *, doubt: bool = False) -> Record:
        """Carry out what was asked of a process as long as nobody holds it, and get its row: without an owner that is dead.

        Args:
            pid: which.
            doubt: try also if it has an owner that is not known to be dead: its lease may have run out.

        Raises:
            UnknownProcessError: there is no such process.
        """
        while True:
            found = await self._store.record(pid)
            row = self.seen(found)
            if row.state in TERMINAL or (row.owner is not None and not doubt):
                return row
            order = next((order for order in await self._store.orders(pid) if order.verb != SIGNAL), None)
            if order is None:
                return row
            try:
                dead = [found.owner] if found.owner is not None and row.owner is None else []
                await self._carry_out(row, order, dead=dead)
            except OwnedError:
                return row
            except (FencedError, InvalidStateError):  # somebody was faster; look again
                continue

    async def kill(self, order: Order) -> Record:
        """Kill a process at once, and get its row as it was before: whoever held it is fenced from then on.

        Raises:
            UnknownProcessError: there is no such process.
        """
        while True:
            row = await self._store.record(order.pid)
            if row.state in TERMINAL:
                return row
            try:
                change = await self._change(row, order)
                await self._store.overrule(change, force=True)
            except (FencedError, InvalidStateError):  # it went on meanwhile
                continue
            self._tell(change, row.kind)
            return row

    async def _carry_out(self, row: Record, order: Order, *, dead: list[str]) -> None:
        try:
            request = request_of(order)
            if not isinstance(request, KillRequest) and row.paused is isinstance(request, PauseRequest):
                await self._answer(row, Answer(id=order.id, outcome=Outcome.APPLIED))  # it is so already
                return
            change = await self._change(row, order)
        except (MessageError, CorruptedError, SnapshotError) as error:
            await self._answer(row, Answer(id=order.id, outcome=Outcome.REFUSED, detail=legible(str(error))))
            return
        await self._store.overrule(change, dead=dead)
        self._tell(change, row.kind)

    async def _answer(self, row: Record, answer: Answer) -> None:
        await self._store.answer(Fence(row.pid, row.epoch), [answer])

    # --- what is written -------------------------------------------------------------------------------------

    async def _change(self, row: Record, order: Order) -> Change:
        request = request_of(order)
        kills = isinstance(request, KillRequest)
        snapshot = await self._snapshot(row, kills=kills)
        reason = None
        if isinstance(request, KillRequest):
            reason = request.reason and legible(request.reason)
            snapshot = _killed(snapshot, row.seq + 1, reason)
        elif isinstance(request, PauseRequest):
            reason = request.reason and legible(request.reason)
            shown = snapshot.status
            status = shown if reason is None else reason
            snapshot = msgspec.structs.replace(snapshot, paused=True, status=status, before=shown)
        else:
            snapshot = msgspec.structs.replace(snapshot, paused=False, status=snapshot.before, before=None)
        return Change(
            pid=row.pid,
            epoch=row.epoch,
            seq=row.seq + 1,
            at=self._clock.now(),
            was=row.state,
            state=State.KILLED if kills else row.state,
            body=snapshot.encode(),
            event="killed" if kills else "paused" if snapshot.paused else "played",
            detail=snapshot.status if snapshot.paused else reason,
            paused=snapshot.paused,
            status=snapshot.status,
            answers=(Answer(id=order.id, outcome=Outcome.APPLIED),),
        )

    async def _snapshot(self, row: Record, *, kills: bool) -> Snapshot:
        try:
            checkpoint = await self._store.checkpoint(row.pid)
            if checkpoint.seq != row.seq:
                raise FencedError(f"process {row.pid} went on")
            return Snapshot.decode(checkpoint.body)
        except (CorruptedError, SnapshotError):
            if not kills:
                raise
        # Nothing can be read of it, and it can be killed nevertheless.
        return Snapshot(
            pid=row.pid,
            kind=row.kind,
            version=row.version,
            state=row.state,
            created=row.created,
            parent=row.parent,
            generation=row.generation,
            status=row.status,
            data=msgspec.Raw(CODEC.encode({})),
        )


def _killed(snapshot: Snapshot, seq: int, reason: str | None) -> Snapshot:
    data: dict[str, Any] = _decode(snapshot.data)
    data["stage"] = msgspec.Raw(CODEC.encode({"msg": reason}))
    return msgspec.structs.replace(
        snapshot, state=State.KILLED, origin=seq, paused=False, data=msgspec.Raw(_encode(data))
    )


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, msgspec.Raw]).decode
