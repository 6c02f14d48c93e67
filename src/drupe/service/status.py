"""Where a process is, as the store tells it, and with what its owner knows better."""

from typing import Any

import msgspec

from drupe.core.lifecycle import TERMINAL
from drupe.core.record import Record, is_queued
from drupe.core.snapshot import Snapshot
from drupe.core.status import Progress, Status
from drupe.errors import CorruptedError, SnapshotError, UnknownProcessError
from drupe.interfaces.store import Store


async def stored_status(store: Store, pid: str) -> Status:
    """Get where a process is, from the store alone: no class is needed, and nobody is asked.

    Raises:
        UnknownProcessError: there is no such process.
    """
    row = await store.record(pid)
    return Status(
        pid=pid,
        kind=row.kind,
        state=row.state,
        paused=row.paused,
        status=row.status,
        step=await _step(store, row),
        since=row.updated,
        seq=row.seq,
        owner=row.owner,
        queued=is_queued(row),
        queue=row.queue,
        orders=len(await store.orders(pid)),
    )


def with_progress(status: Status, progress: Progress) -> Status:
    """Get the status with what the owner told."""
    step = progress.step if progress.here and progress.step is not None else status.step
    return msgspec.structs.replace(status, answered=progress.here, step=step, blocked=progress.blocked)


async def _step(store: Store, row: Record) -> str | None:
    if row.state in TERMINAL:
        return None
    try:
        snapshot = Snapshot.decode((await store.checkpoint(row.pid)).body)
        stage = _decode(snapshot.data).stage
    except (CorruptedError, SnapshotError, UnknownProcessError, msgspec.MsgspecError):
        return None  # what is damaged is told to who resumes it
    return _label(stage, follows=bool(snapshot.outline))


def _label(stage: dict[str, Any], *, follows: bool) -> str | None:
    """Get what a saved stage says it is; where in its outline a work chain is, only its class can tell."""
    if "awaited" in stage:
        return f"waiting for {', '.join(stage['awaited'])}"
    if stage.get("msg") is not None or "signal" in stage:
        return str(stage.get("msg") or f"signal {stage['signal']}")
    step = stage.get("fn", "run")
    return None if step is None or (follows and step == "run") else str(step)


class _Data(msgspec.Struct):
    """Of what a step can change, the stage: the rest is skipped, and no type has to be at hand."""

    stage: dict[str, Any]


_decode = msgspec.msgpack.Decoder(_Data).decode
