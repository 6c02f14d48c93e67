"""What a store has of one process, decoded for people: a `Portrait`.

Nothing is claimed, made or imported by reading; a value whose type is not registered here is shown as what it is in
the store's own words.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from drupe.core.attributes import AttributeMap
from drupe.core.codec import CODEC
from drupe.core.failure import Failure
from drupe.core.lifecycle import State
from drupe.core.record import Query, Record, as_json
from drupe.core.snapshot import Snapshot
from drupe.engine import saving  # registers the types of the engine itself
from drupe.errors import StoreUnavailableError
from drupe.interfaces.store import Store
from drupe.service.profile import Settings
from drupe.service.wiring import open_store

CHILDREN = 50
"""So many children of one process are read at most."""
DEPTH = 20
"""So many generations are read at most."""


def refuse_missing(settings: Settings) -> None:
    """Refuse to make a file where there is none; a database, somebody has made already.

    Raises:
        StoreUnavailableError: there is none.
    """
    if isinstance(settings.store, Path) and not settings.store.exists():
        raise StoreUnavailableError(
            f"there is no store {settings.store} ({settings.origins['store']}); `drupe run` makes one, --store names another"
        )


@contextlib.asynccontextmanager
async def open_for_reading(settings: Settings) -> AsyncIterator[Store]:
    """Have the store of the settings open; one that is not there is not made.

    Raises:
        StoreError: there is none, or it cannot be read.
    """
    refuse_missing(settings)
    store = open_store(settings)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A process and its children, theirs, and so on.

    Attributes:
        record: the process.
        children: the oldest first.
        more: whether there are more children than were read.
    """

    record: Record
    children: "tuple[Family, ...]" = ()
    more: bool = False

    def as_json(self) -> dict[str, Any]:
        """Get it as plain data."""
        record = self.record
        told: dict[str, Any] = {"pid": record.pid, "kind": record.kind, "state": record.state, "paused": record.paused}
        if self.children:
            told["children"] = [child.as_json() for child in self.children]
        return {**told, "more": True} if self.more else told


@dataclass(frozen=True, slots=True, kw_only=True)
class Portrait:
    """A process as it was at one of its checkpoints.

    Attributes:
        record: its row, as it is now.
        snapshot: what it was at the checkpoint.
        seq: the number of that checkpoint.
        checkpoints: the numbers of those that are kept.
        inputs: by name.
        outputs: by name.
        stage: the saved form of what it does, or did last.
        ctx: the context of a work chain, else None.
        fields: the attributes that the class declares and that were set.
    """

    record: Record
    snapshot: Snapshot
    seq: int
    checkpoints: tuple[int, ...]
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    stage: Mapping[str, Any]
    ctx: Mapping[str, Any] | None
    fields: Mapping[str, Any]

    @property
    def state(self) -> State:
        """Where it was in its life."""
        return self.snapshot.state

    @property
    def failure(self) -> Failure | None:
        """The exception that it ended by."""
        found = self.stage.get("failure")
        return None if found is None else Failure(**found)

    @property
    def successful(self) -> bool:
        """Whether it finished and reached its aim."""
        return bool(self.stage.get("successful", False))

    @property
    def doing(self) -> str | None:
        """The step that it is in, or what it waits for."""
        if (awaited := self.stage.get("awaited")) is not None:
            return f"waiting for {', '.join(awaited)}"
        step = self.stage.get("msg") or self.stage.get("fn")
        return None if step is None else str(step)

    def as_json(self) -> dict[str, Any]:
        """Get it as plain data that JSON can hold."""
        told = as_json(self.record)
        told |= {
            "state": self.state,
            "paused": self.snapshot.paused,
            "status": self.snapshot.status,
            "seq": self.seq,
            "checkpoints": self.checkpoints,
            "inputs": jsonable(self.inputs),
            "outputs": jsonable(self.outputs),
        }
        if self.ctx is not None:
            told["ctx"] = jsonable(self.ctx)
        if self.fields:
            told["fields"] = jsonable(self.fields)
        match self.state:
            case State.FINISHED:
                told |= {"successful": self.successful, "result": jsonable(self.stage.get("result"))}
            case State.EXCEPTED if self.failure is not None:
                failure = self.failure
                told["error"] = {"kind": failure.kind, "message": failure.message, "traceback": failure.traceback}
            case State.KILLED:
                told["reason"] = self.stage.get("msg")
            case _:
                told["step"] = self.doing
        return told


async def portray(store: Store, pid: str, seq: int | None = None) -> Portrait:
    """Get a process as it was at a checkpoint, by default the last.

    Raises:
        UnknownProcessError: there is no such process or checkpoint.
        CorruptedError: its bytes are damaged.
        CodecError: a type that it holds is not registered here.
    """
    record = await store.record(pid)
    numbers = await store.checkpoints(pid)
    checkpoint = await store.checkpoint(pid, seq)
    snapshot = msgspec.structs.replace(Snapshot.decode(checkpoint.body), inputs=msgspec.Raw(await store.inputs(pid)))
    contents = snapshot.contents()
    return Portrait(
        record=record,
        snapshot=snapshot,
        seq=checkpoint.seq,
        checkpoints=tuple(numbers),
        inputs=saving.plain(snapshot.given()),
        outputs=saving.plain(contents.get("outputs", {})),
        stage=contents["stage"],
        ctx=contents.get("ctx"),
        fields=contents.get("fields", {}),
    )


async def family(store: Store, record: Record, depth: int = DEPTH) -> Family:
    """Get a process with what came from it, to so many generations."""
    page = await store.list(Query(parent=record.pid, limit=CHILDREN if depth else 1))
    if not depth:
        return Family(record=record, more=bool(page.records))
    children = [await family(store, child, depth - 1) for child in reversed(page.records)]
    return Family(record=record, children=tuple(children), more=page.next is not None)


def jsonable(value: Any) -> Any:
    """Get a value for JSON; what JSON has no word for is ``{"$type": content}``."""
    return msgspec.Raw(CODEC.to_json(saving.plain(value) if isinstance(value, AttributeMap) else value).encode())
