"""The host that keeps everything: each transition of a process is committed before anything else happens.

What is written follows one rule: a checkpoint lets the process go on with the next step as if nothing
had happened since. So the checkpoint of a process that waits for something that cannot be saved is
the one before (the step that made it runs again), and that of a process that failed is the one before,
with the error.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Sequence
from hashlib import blake2b
from typing import Any, Final

import msgspec

from drupe.core.asking import order_of
from drupe.core.lifecycle import TERMINAL, State
from drupe.core.message import SignalRequest
from drupe.core.order import Order, Outcome
from drupe.core.record import Birth, Change, Fence, Record
from drupe.core.snapshot import Snapshot
from drupe.engine import drive, saving
from drupe.engine.behaviour import Excepted
from drupe.errors import DrupeError, DuplicateProcessError, FencedError, KilledError, StoreError, StoreUnavailableError
from drupe.interfaces.ambient import Clock, Ids, Probe
from drupe.interfaces.host import Standing
from drupe.interfaces.store import Store
from drupe.service.collaborators import Announcing, Attending, Recovery
from drupe.service.pursuit import Pursuit, answers

_RUNNING, _FINISHED = State.RUNNING, State.FINISHED  # a member is looked up slowly, a global is not
_STANDING: Final = ("paused", "played")
"""Events that leave the process in its stage."""


class Tenure:
    """What a host knows of a process that it owns."""

    __slots__ = ("epoch", "last", "orders", "origin", "queue", "resumed", "seq")

    def __init__(
        self, epoch: int, seq: int, last: Snapshot, *, queue: str | None = None, resumed: bool = False
    ) -> None:
        self.epoch = epoch
        self.seq = seq
        """Number of the last checkpoint."""
        self.last = last
        """That checkpoint, without the inputs."""
        self.origin = last.origin
        """Number of the checkpoint from which the step that runs, or comes next, starts."""
        self.queue = queue
        """Whose workers the process is for; None: all."""
        self.resumed = resumed
        """Whether the step that comes next may have been begun before: its children may be there already."""
        self.orders: dict[str, Pursuit] = {}
        """Orders to it that were taken up, by id."""


class StoredHost:
    """Keeps the processes of one owner in a store."""

    durable: Final = True
    recovery: Recovery
    """Set by the recovery itself, which needs the host first."""
    attendant: Attending
    """Likewise."""
    announcer: Announcing | None = None
    """Set while somebody may be listening."""

    def __init__(self, store: Store, owner: str, *, clock: Clock, ids: Ids, probe: Probe) -> None:
        self.store = store
        self.owner = owner
        self.now = clock.now
        self.dialect = store.dialect
        self.live: dict[str, Any] = {}
        """Processes that are owned and at hand, by pid."""
        self.listeners: list[Any] = []
        self.stopping = False
        """Whether no new step is to be started."""
        self.queue: str | None = None
        """Whose workers a process is for that comes from no other."""
        self._ids = ids
        self._probe = probe

    # --- names -------------------------------------------------------------------------------------------

    def new_pid(self, parent: Any, key: str | None) -> str:
        """Get a new pid; that of a child follows from its parent, the step that makes it, and its place there."""
        tenure: Tenure | None = None if parent is None else parent._life.tenure
        if tenure is None:
            return self._ids.pid()
        life = parent._life
        if key is None:
            name, life.ordinal = f"#{life.ordinal}", life.ordinal + 1
        else:
            name = f"={key}"
        if (past := tenure.last.past) is not None and tenure.origin == 1:
            for step in past.steps:
                if (found := past.children.get(_child_pid(step, name))) is not None:
                    return found
        return _child_pid(f"{parent.pid}/{tenure.origin}/{life.generation}", name)

    def step_key(self, process: Any) -> str:
        """Get the name of the running step: it follows from the process and from where in its life it is."""
        tenure, life = process._life.tenure, process._life
        return f"{life.pid}/{0 if tenure is None else tenure.origin}/{life.generation}"

    def fencing_token(self, process: Any) -> int:
        """Get the epoch; 0 while the process is not ours, or not yet."""
        tenure = process._life.tenure
        return 0 if tenure is None else int(tenure.epoch)

    # --- writing -----------------------------------------------------------------------------------------

    async def create(self, process: Any) -> None:
        """Commit a new process and own it; one that is there already is brought to where it got.

        Raises:
            ChildMismatchError: its pid belongs to another class or other inputs.
            FencedError: its parent is not ours any more.
        """
        birth, snapshot = self.birth(process)
        parent = self.live.get(process.parent)
        fence = None if parent is None else Fence(parent.pid, parent._life.tenure.epoch)
        self._probe("host.create")
        (record,) = await self.store.create([birth], fence=fence)
        self._probe("host.created")
        if self._is_new(record) and process.pid not in self.live:
            self._tell_born(birth)
            self.take(process, Tenure(1, 1, snapshot, queue=birth.queue))
            return
        if process.parent is None:
            raise DuplicateProcessError(f"there is a process {process.pid} already; resume it, or choose another pid")
        twin = self.at_hand(process.pid)
        if twin is None and await self.recovery.adopt(process):
            return
        # It is run by another object, here or elsewhere; this one becomes what that one comes to.
        found = await self.recovery.ended(process.pid, twin)
        saving.restore(process, process._life, saving.snapshot_of(found))

    def commit(self, process: Any, stage: Any, standing: Standing, event: str) -> Awaitable[None]:
        """Write one transition.

        Raises:
            UnsavableError: something of the process cannot be saved; nothing was written.
            FencedError: the process is not ours any more.
        """
        life = process._life
        tenure: Tenure = life.tenure
        seq = tenure.seq + 1
        snapshot = self._snapshot(process, stage, standing, event, tenure)
        born = [(child, *self.birth(child)) for child in life.unborn] if life.unborn else ()
        due = answers(tenure.orders, life.stage, event)
        if event == _RUNNING and life.state is _RUNNING:
            event, detail = "step", life.stage.label()
        else:
            detail = standing.status if event == "paused" else stage.label()
            if detail is None and event == _FINISHED:
                detail = life.stage.label()
        change = Change(
            pid=life.pid,
            epoch=tenure.epoch,
            seq=seq,
            at=self.now(),
            was=life.state,
            state=stage.state,
            body=snapshot.encode(),
            event=event,
            detail=detail,
            paused=snapshot.paused,
            status=standing.status,
            births=tuple(birth for _, birth, _ in born) if born else (),
            answers=due,
            statements=_due(life.statements, stage, event) if life.statements else (),
        )
        self._probe("host.commit")
        return self._written(process, tenure, change, snapshot, born)

    async def _written(
        self,
        process: Any,
        tenure: Tenure,
        change: Change,
        snapshot: Snapshot,
        born: Sequence[tuple[Any, Birth, Snapshot]],
    ) -> None:
        cancelled: asyncio.CancelledError | None = None
        try:
            await self.store.save(change)
        except asyncio.CancelledError as error:  # it is on its way and cannot be taken back: wait for it nevertheless
            cancelled = error
            await self._saved(process, change)
        except FencedError:
            process._life.abandon(await self.loss(process))
            raise
        self._probe("host.committed")
        _note_answers(tenure, change)
        if change.statements:
            process._life.statements = ()
        if self.announcer is not None:
            self.announcer.changed(change, process.kind)
        tenure.seq, tenure.last, tenure.origin = change.seq, snapshot, snapshot.origin
        resumed, tenure.resumed = tenure.resumed, tenure.resumed and change.event in _STANDING
        for child, birth, first in born:
            await self._take_born(child, birth, Tenure(1, 1, first, queue=birth.queue), sure=not resumed)
        if change.event == "step":
            await self.attendant.heard(change.pid)
        if cancelled is not None:
            raise cancelled

    async def _saved(self, process: Any, change: Change) -> None:
        while (lost := process._life.lost) is None:
            with contextlib.suppress(asyncio.CancelledError):
                return await self.store.save(change)  # what was saved already is not saved twice
        # It was given up, so what became of this is for others to see: nobody here may be told that it has happened.
        if not isinstance(lost, StoreError):
            lost = StoreUnavailableError(f"nobody waits for checkpoint {change.seq} of {change.pid} any more")
        raise lost

    async def _take_born(self, child: Any, birth: Birth, tenure: Tenure, *, sure: bool) -> None:
        if sure or self._is_new(await self.store.record(child.pid)):
            self._tell_born(birth)
            self.take(child, tenure)
        elif child.pid not in self.live:
            await self.recovery.adopt(child)

    def _tell_born(self, birth: Birth) -> None:
        if self.announcer is not None:
            self.announcer.born(birth)

    def _snapshot(self, process: Any, stage: Any, standing: Standing, event: str, tenure: Tenure) -> Snapshot:
        if isinstance(stage, Excepted):
            return saving.excepted(tenure.last, process, stage)
        if stage.volatile:
            return msgspec.structs.replace(
                tenure.last, paused=standing.paused, status=standing.status, before=standing.before
            )
        entered = event not in _STANDING
        origin = tenure.seq + 1 if entered else tenure.origin
        snapshot = saving.snapshot_of(process, stage=stage, standing=standing, origin=origin, with_inputs=False)
        past = tenure.last.past
        return snapshot if past is None or entered else msgspec.structs.replace(snapshot, past=past)

    def birth(self, process: Any) -> tuple[Birth, Snapshot]:
        life = process._life
        snapshot = saving.snapshot_of(process, origin=1, with_inputs=False)
        inputs = bytes(saving.inputs_of(life))
        above = self.live.get(life.parent)
        birth = Birth(
            pid=life.pid,
            kind=process.kind,
            version=type(process).version,
            inputs=inputs,
            digest=blake2b(process.kind.encode() + b"\0" + inputs, digest_size=16).digest(),
            body=snapshot.encode(),
            created=life.created,
            parent=life.parent,
            generation=life.generation,
            owner=self.owner,
            queue=self.queue if above is None else above._life.tenure.queue,
        )
        return birth, snapshot

    async def loss(self, process: Any) -> DrupeError:
        """Get why a process that was fenced is not ours any more, as who waits for it is to hear it."""
        try:
            row = await self.store.record(process.pid)
            if row.state is State.KILLED:
                (last,) = await self.store.history(process.pid, after=row.seq - 1)
                return KilledError("killed by force" if last.detail is None else f"killed by force: {last.detail}")
        except StoreError as error:
            return error
        return FencedError(f"process {process.pid}: its owner is {row.owner or 'nobody'} now, epoch {row.epoch}")

    # --- orders ------------------------------------------------------------------------------------------

    def signal(self, process: Any, name: str, payload: Any) -> Awaitable[bool]:
        """Have the store keep a signal.

        Raises:
            UnsavableError: the payload could not be read again; nothing was sent.
            MessageError: the name is not one.
        """
        request = SignalRequest(name=name, payload=payload)
        return self._ask(process, order_of(request, id=self._ids.pid(), pid=process.pid, at=self.now()))

    async def _ask(self, process: Any, order: Order) -> bool:
        self._probe("host.ask")
        (receipt,) = await self.store.ask([order])
        self._probe("host.asked")
        self.listen(process, process.stage)
        return receipt.outcome is not Outcome.REFUSED

    def listen(self, process: Any, stage: Any) -> None:
        """Have the stage take the oldest signal that it waits for; the store is looked at in the background."""
        if stage.listening is not None and self._holds(process):
            self.attendant.listen(process)

    # --- running -----------------------------------------------------------------------------------------

    def take(self, process: Any, tenure: Tenure) -> None:
        """Own a process that is at hand."""
        process._life.tenure = tenure
        self.live[process.pid] = process
        process._life.born = True
        for listener in self.listeners:
            process.add_process_listener(listener)

    def start(self, process: Any) -> None:
        """Run the process in a task of the running loop, if it is ours."""
        if self._holds(process) and process.state not in TERMINAL:
            process._life.halted = process._life.halted or self.stopping
            drive.start(process._life, process)

    async def outcome(self, pid: str, process: Any | None) -> Any:
        """Get the outputs of a process that is ours, somebody else's, or long over.

        Raises:
            ExceptedError: it ended by an exception.
            KilledError: it was killed.
        """
        found = await self.recovery.ended(pid, self.at_hand(pid) or process)
        stage = found.stage
        if isinstance(stage, Excepted):
            # The same exception as a re-run would get, when only its text is left.
            raise stage.failure.error(pid) from stage.error
        return found._life.outcome()

    def reload(self, process: Any) -> None:
        """Bring a process back to its last checkpoint, as if it had just been loaded."""
        life = process._life
        last: Snapshot = life.tenure.last
        vars(process).clear()
        # Decoded from bytes, since what is in memory may have been changed by a step that did not get to its end.
        checkpoint = Snapshot.decode(last.encode())
        saving.restore(process, life, msgspec.structs.replace(checkpoint, inputs=saving.inputs_of(life)))

    def at_hand(self, pid: str) -> Any | None:
        """Get the process of this pid that is owned here; None if there is none, or it was given up."""
        process = self.live.get(pid)
        return None if process is None or process._life.lost is not None else process

    def forget(self, process: Any) -> None:
        """Let go of a process that ended or was closed."""
        if self._holds(process):
            del self.live[process.pid]

    def _holds(self, process: Any) -> bool:
        return self.live.get(process.pid) is process

    def _is_new(self, record: Record) -> bool:
        return record.owner == self.owner and record.epoch == 1 and record.seq == 1


def _due(statements: Sequence[Any], stage: Any, event: str) -> tuple[Any, ...]:
    """Get the statements that go with a change: none with one after which the step that gave them would run again."""
    return () if event in _STANDING or stage.volatile else tuple(statements)


def _child_pid(step: str, name: str) -> str:
    return blake2b(f"{step}/{name}".encode(), digest_size=16).hexdigest()


def _note_answers(tenure: Tenure, change: Change) -> None:
    for answer in change.answers:
        if (pursuit := tenure.orders.get(answer.id)) is not None:
            pursuit.answered = True
