"""What a store keeps of a process, and what it is asked to change: plain data.

Every value that crosses the door between the engine and a store is defined here, so that
neither has to know the other. Bytes in these records are opaque to a store.
"""

from typing import Any, Final, NamedTuple

import msgspec

from drupe.core.lifecycle import TERMINAL, State
from drupe.core.order import Answer, Order
from drupe.core.statement import Statement

PID_PATTERN: Final = r"[A-Za-z0-9_-]{1,64}"
"""What a pid may look like at every door: a file name, a key and a message may safely carry it."""


QUARANTINED: Final = "quarantined"
"""The event by which a process is paused that took too many programs down with it; its status begins with this word."""


class Birth(msgspec.Struct, frozen=True, kw_only=True):
    """A process that is to be created, with its first checkpoint (number 1)."""

    pid: str
    kind: str
    """Identifier of the class, ``module:QualName``."""
    version: int
    """Version of the class."""
    inputs: bytes
    """The encoded inputs; they never change and are kept once, beside the checkpoints."""
    digest: bytes
    """Hash of class and inputs: a birth of the same pid and another digest is another process."""
    body: bytes
    """The first checkpoint, without the inputs."""
    created: float
    """Seconds since 1970 (UTC)."""
    state: State = State.CREATED
    """Where it begins: one that tries another again begins where that one stood."""
    parent: str | None = None
    generation: int = 0
    """How often its line was retried."""
    retry_of: str | None = None
    owner: str | None = None
    """Who owns it from the start, with epoch 1; None leaves it to whoever claims it."""
    parked: bool = False
    """Whether nobody is to find it, because it lies in a queue: who takes its task claims it."""
    wake_at: float | None = None
    """When it is to be found nevertheless, seconds since 1970 (UTC): its task may be lost."""
    queue: str | None = None
    """Whose workers may have it; None: all."""


class Fence(msgspec.Struct, frozen=True):
    """Proof of ownership: a write with it changes nothing unless ``epoch`` is still the process's own."""

    pid: str
    epoch: int


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One transition of a process: its row, its checkpoint, a history event, new children; all or nothing."""

    pid: str
    epoch: int
    seq: int
    """Number of the checkpoint that is written; the stored one must be ``seq - 1``."""
    at: float
    """Seconds since 1970 (UTC)."""
    was: State
    state: State
    body: bytes
    event: str
    """What happened, one word: a state's name, ``step``, ``paused``, ``played``, ``quarantined``."""
    detail: str | None = None
    """What happened, in a few words for people: the step's name, a reason."""
    paused: bool = False
    status: str | None = None
    births: tuple[Birth, ...] = ()
    answers: tuple[Answer, ...] = ()
    """Orders that are answered by this change. When it ends the process, every other order to it is answered too."""
    statements: tuple[Statement, ...] = ()
    """What the step writes of its own in the same transaction, in this order, where the store is a database."""

    @property
    def terminal(self) -> bool:
        """Whether this ends the process."""
        return self.state in TERMINAL


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The row of a process as it is in the store."""

    pid: str
    kind: str
    version: int
    state: State
    paused: bool
    status: str | None
    seq: int
    epoch: int
    owner: str | None
    attempts: int
    """How often it lost an owner that may have been in a step of it, since it last made progress."""
    parent: str | None
    generation: int
    retry_of: str | None
    created: float
    updated: float
    digest: bytes
    parked: bool = False
    """Whether nobody needs to hold it before something happens that it waits for."""
    wake_at: float | None = None
    """When it is to be woken at the latest, seconds since 1970 (UTC), while it is parked."""
    queue: str | None = None
    """Whose workers look for it when nobody holds it; None: all. Who claims it by its pid is not asked."""


class Rest(msgspec.Struct, frozen=True, kw_only=True):
    """What a process that is parked is woken by, beside whatever is asked of it."""

    signal: str | None = None
    """The name of a signal."""
    children: tuple[str, ...] = ()
    """Pids of children whose ends it has not seen."""
    wake_at: float | None = None
    """A time, seconds since 1970 (UTC)."""


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who runs processes, as the store knows it."""

    name: str
    left: float | None
    """Seconds that its lease lasts, below zero once it has run out; None: its machine was started anew since."""
    held: int
    """How many processes it holds."""


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One checkpoint as it was written, its hash verified."""

    pid: str
    seq: int
    at: float
    body: bytes


class Latest(NamedTuple):
    """Where a process is, and all that it takes to go on from there."""

    record: Record
    checkpoint: Checkpoint
    """The last; of one that goes on meanwhile it may be newer than the record."""
    inputs: bytes


class Claimed(NamedTuple):
    """A process that was just claimed, and all that it takes to go on with it."""

    record: Record
    """As it is now that it is claimed."""
    checkpoint: Checkpoint
    """The last."""
    inputs: bytes
    orders: tuple[Order, ...]
    """Those to it that are not answered, the oldest first."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a process's history."""

    seq: int
    at: float
    event: str
    state: State
    detail: str | None = None


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which processes to list: newest first, page by page. An empty field does not filter."""

    states: tuple[State, ...] = ()
    kind: str | None = None
    parent: str | None = None
    roots: bool = False
    """Only processes without a parent."""
    paused: bool | None = None
    since: float | None = None
    """Created at or after, seconds since 1970 (UTC)."""
    before: float | None = None
    """Created before."""
    limit: int = 100
    after: tuple[float, str] | None = None
    """The key of the last row of the page before (`Page.next`)."""


class Page(msgspec.Struct, frozen=True):
    """Some processes, and the key with which the next page begins; None when this was the last."""

    records: tuple[Record, ...]
    next: tuple[float, str] | None = None


class Retention(msgspec.Struct, frozen=True):
    """How many checkpoints of a process are kept: the last ``living``, and the last ``ended`` once it is terminal.

    None keeps all.
    """

    living: int | None = 10
    ended: int | None = 1


def birth_record(birth: Birth) -> Record:
    """Get the row a new process starts with."""
    return Record(
        pid=birth.pid,
        kind=birth.kind,
        version=birth.version,
        state=birth.state,
        paused=False,
        status=None,
        seq=1,
        epoch=0 if birth.owner is None else 1,
        owner=birth.owner,
        attempts=0,
        parent=birth.parent,
        generation=birth.generation,
        retry_of=birth.retry_of,
        created=birth.created,
        updated=birth.created,
        digest=birth.digest,
        parked=birth.parked,
        wake_at=birth.wake_at,
        queue=birth.queue,
    )


def is_queued(record: Record) -> bool:
    """Tell whether a process was handed in and nobody has taken it, or asked anything of it, so far."""
    return record.parked and record.epoch == 0


def is_quarantined(record: Record) -> bool:
    """Tell whether a process is paused because too many programs died of it."""
    return record.paused and (record.status or "").startswith(f"{QUARANTINED}:")


def as_json(record: Record | Event | Checkpoint) -> dict[str, Any]:
    """Get a record for people: everything but its bytes."""
    found = msgspec.structs.asdict(record)
    return {name: value for name, value in found.items() if not isinstance(value, bytes)}
