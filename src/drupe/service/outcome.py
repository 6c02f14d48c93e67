"""How a process ended, read from the store: no class is needed."""

from typing import Any

import msgspec

from drupe.core.attributes import FrozenAttributes, freeze
from drupe.core.codec import CODEC
from drupe.core.failure import Failure
from drupe.core.lifecycle import State
from drupe.core.snapshot import Snapshot
from drupe.errors import KilledError, SnapshotError
from drupe.interfaces.store import Store


async def outcome_of(store: Store, pid: str) -> FrozenAttributes:
    """Get the outputs of a process that has ended.

    Raises:
        KilledError: it was killed; the text is the reason.
        ExceptedError: it ended by an exception.
        CodecError: an output is of a type that is not registered here.
        CorruptedError: its last checkpoint is damaged.
    """
    snapshot = Snapshot.decode((await store.checkpoint(pid)).body)
    try:
        saved = _decode(snapshot.data)
    except msgspec.MsgspecError as error:
        raise SnapshotError(f"the end of process {pid} cannot be read: {error}") from error
    stage: dict[str, Any] = CODEC.decode(bytes(saved["stage"]))
    if snapshot.state is State.KILLED:
        raise KilledError(stage["msg"] or "the process was killed")
    if snapshot.state is State.EXCEPTED:
        raise Failure(**stage["failure"]).error(pid)
    outputs = saved.get("outputs")
    return freeze({} if outputs is None else CODEC.decode(bytes(outputs)))


_decode = msgspec.msgpack.Decoder(dict[str, msgspec.Raw]).decode
