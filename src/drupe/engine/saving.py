"""From a process to its snapshot and back: what is saved follows from declarations, never from lists of names.

Loading goes through the class's constructor, as creating does; `restore` is what the constructor
calls when it is given a snapshot.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from drupe.core.attributes import AttributeMap, Attributes, FrozenAttributes
from drupe.core.codec import CODEC
from drupe.core.control import Posture
from drupe.core.lifecycle import TERMINAL, State
from drupe.core.snapshot import NO_INPUTS, Snapshot
from drupe.core.upcast import migrate, upcasts_of
from drupe.engine.behaviour import Excepted
from drupe.engine.child import Child, Origin
from drupe.engine.ephemeral import EPHEMERAL
from drupe.engine.field import fields_of
from drupe.engine.life import Life
from drupe.errors import DrupeError, SnapshotError, UnsavableError
from drupe.interfaces.host import Signal, Standing
from drupe.interfaces.registry import Registry

CODEC.register("child", Child, lambda child: [child.pid, child.kind], lambda saved: Child(*saved))
CODEC.register("context", Attributes, dict, Attributes)
CODEC.register("attributes", FrozenAttributes, dict, FrozenAttributes)


def snapshot_of(
    process: Any, *, stage: Any = None, standing: Standing | None = None, origin: int = 0, with_inputs: bool = True
) -> Snapshot:
    """Get the saved form of a process, as it is or as it will be in ``stage``.

    Raises:
        UnsavableError: something of it could not be loaded again; names the path.
    """
    life = process._life
    stage = stage or life.stage
    standing = standing or life.standing
    state = stage.state
    data: dict[str, Any] = {"stage": stage.dump(process)}
    if life.outputs:
        data["outputs"] = life.outputs
    fields = _fields(process)
    if fields:
        data["fields"] = fields
    if life.ctx is not None:
        data["ctx"] = dict(life.ctx)
    signals = _signals(life, stage)
    if signals:
        data["signals"] = signals
    return Snapshot(
        pid=life.pid,
        kind=process.kind,
        version=type(process).version,
        state=state,
        origin=origin,
        created=life.created,
        parent=life.parent,
        generation=life.generation,
        paused=standing.paused and state not in TERMINAL,
        status=standing.status,
        before=standing.before,
        cursor=life.cursor,
        outline=process.outline_digest,
        inputs=inputs_of(life) if with_inputs else NO_INPUTS,
        data=msgspec.Raw(CODEC.encode(data)),
    )


def _signals(life: Life, stage: Any) -> list[list[Any]]:
    """Get what was sent and not taken; the one that ended the wait is taken with the stage that follows."""
    taken = getattr(stage, "taken", None)
    if taken is None and not life.signals:
        return []
    kept = life.signals if taken is None or taken.id is not None else [taken, *life.signals]
    return [[signal.name, signal.payload] for signal in kept]


def inputs_of(life: Life) -> msgspec.Raw:
    """Get the encoded inputs, encoded once: they never change."""
    if life.inputs_raw is None:
        life.inputs_raw = msgspec.Raw(CODEC.encode(plain(life.inputs), path="inputs"))
    raw: msgspec.Raw = life.inputs_raw
    return raw


def excepted(last: Snapshot, process: Any, stage: Excepted) -> Snapshot:
    """Get the snapshot of a process that ended by an exception: its last checkpoint, and the error.

    What the failed step left behind half-done is not kept. The stage it failed in is, under ``stood``, so
    that the process can be tried again from there.
    """
    data = last.contents()
    data["stood"] = {"state": str(last.state), "stage": data["stage"]}
    data["stage"] = stage.dump(process)
    return msgspec.structs.replace(
        last, state=State.EXCEPTED, paused=False, status=process.status, data=msgspec.Raw(CODEC.encode(data))
    )


def restore(process: Any, life: Life, snapshot: Snapshot) -> None:
    """Bring a process, just made, to where the snapshot says it is.

    Raises:
        SnapshotError: the snapshot does not fit the class.
        NewerVersionError: it is of a newer version than the class.
        UpcastError: it is of an older version and could not be brought up.
    """
    try:
        _restore(process, life, snapshot)
    except DrupeError:
        raise
    except Exception as error:
        raise SnapshotError(
            f"the checkpoint of {snapshot.pid} does not fit {process.kind}: {type(error).__name__}: {error}"
        ) from error


def _restore(process: Any, life: Life, snapshot: Snapshot) -> None:
    process_class = type(process)
    data = snapshot.contents()
    inputs = snapshot.given()
    cursor, outline = snapshot.cursor, snapshot.outline
    if snapshot.version != process_class.version:
        saved = {**data, "inputs": inputs, "cursor": cursor}
        data = migrate(
            saved, saved_version=snapshot.version, version=process_class.version, upcasts=upcasts_of(process_class)
        )
        inputs, cursor, outline = data["inputs"], data["cursor"], process.outline_digest
    else:
        life.inputs_raw = snapshot.inputs
    if outline != process.outline_digest and snapshot.state not in TERMINAL:
        raise SnapshotError(
            f"the outline of {process.kind} is not the one that the checkpoint of {snapshot.pid} stands in; "
            "bring it back, or raise `version` and add an upcast that sets the cursor"
        )
    life.inputs = process_class.spec().restore_inputs(inputs)
    life.outputs = data.get("outputs", Life.outputs)  # those of the class: none
    life.cursor, life.created, life.generation = cursor, snapshot.created, snapshot.generation
    life.standing = Standing(snapshot.paused, snapshot.status, snapshot.before)
    process._set_up()
    if "ctx" in data:
        life.ctx = Attributes(data["ctx"])
    if "signals" in data:
        life.signals = [Signal(name, payload) for name, payload in data["signals"]]
    _set_fields(process, data.get("fields", {}))
    life.state = snapshot.state
    life.stage = process.behaviours[snapshot.state].load(process, data["stage"])
    life.born = True
    if snapshot.state in TERMINAL:
        life.posture = Posture.KILLED if snapshot.state is State.KILLED else Posture.OVER
        life.closed = True
    elif snapshot.paused:
        life.posture = Posture.HELD


def _fields(process: Any) -> dict[str, Any]:
    present = vars(process)
    if not present:
        return {}
    declared = fields_of(type(process))
    undeclared = present.keys() - declared.keys()
    if undeclared:
        name = min(undeclared)
        raise UnsavableError(
            f"{name}: {type(process).__qualname__} sets this attribute but does not declare it; declare it in the class "
            f"body, `{name} = field()`, or keep it in memory only, `{name} = field(saved=False)`",
            path=name,
        )
    return {name: value for name, value in present.items() if declared[name].saved}


def _set_fields(process: Any, saved: Mapping[str, Any]) -> None:
    if not saved:  # the usual case, and looking for declarations costs more than all the rest of a load
        return
    declared = fields_of(type(process))
    unknown = saved.keys() - declared.keys()
    if unknown:
        raise SnapshotError(
            f"the checkpoint of {process.pid} has a field {min(unknown)!r} that {process.kind} does not declare (any more); "
            "bring it back, or raise `version` and add an upcast"
        )
    vars(process).update(saved)


def plain(values: Any) -> dict[str, Any]:
    """Get namespaces as plain dictionaries."""
    return {name: plain(value) if isinstance(value, AttributeMap) else value for name, value in values.items()}


def save(process: Any) -> bytes:
    """Get a process as bytes that `load` makes it from again, here or anywhere its class is at hand.

    Raises:
        UnsavableError: something of it could not be loaded again; names the path.
    """
    if process.stage.volatile:
        raise UnsavableError(
            f"stage: process {process.pid} waits for something that cannot be saved; only children can", path="stage"
        )
    return snapshot_of(process).encode()


def load(data: bytes, *, registry: Registry, loop: asyncio.AbstractEventLoop | None = None) -> Any:
    """Get the process that `save` made these bytes from, as it was then; it goes on where it stood, and nothing keeps it.

    Args:
        data: what `save` returned.
        registry: where its class comes from; nothing is imported because the data names it.
        loop: as in `Process`.

    Raises:
        UnknownClassError: its class is not at hand.
        SnapshotError: the bytes are something else or damaged, or do not fit the class.
        UpcastError: they are of an older version of the class and could not be brought up.
    """
    snapshot = Snapshot.decode(data)
    return registry.find(snapshot.kind)(origin=Origin(EPHEMERAL, snapshot=snapshot), loop=loop)


class SnapshotSaver:
    """The engine's saved form: snapshots, as bytes.

    Args:
        registry: where the classes come from.
        loop: as in `Process`.
    """

    def __init__(self, registry: Registry, *, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._registry = registry
        self._loop = loop

    def dump(self, process: Any) -> bytes:
        """Get the bytes; as `save`."""
        return save(process)

    def load(self, saved: bytes) -> Any:
        """Get the process; as `load`."""
        return load(saved, registry=self._registry, loop=self._loop)
