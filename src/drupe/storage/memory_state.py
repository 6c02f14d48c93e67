"""What a memory store holds of each process, and how a change moves it on."""

import threading
from dataclasses import dataclass, field

import msgspec

from drupe.core.lifecycle import TERMINAL
from drupe.core.record import Birth, Change, Checkpoint, Event, Page, Query, Record, Retention, birth_record
from drupe.storage import rule
from drupe.storage.memory_inbox import Letters
from drupe.storage.memory_queue import QueueState


@dataclass(slots=True)
class Kept:
    """One process: its row and what belongs to it."""

    row: Record
    inputs: bytes
    checkpoints: dict[int, Checkpoint]
    history: list[Event]


@dataclass(slots=True)
class MemoryState:
    """What a memory store holds; given to another one, it is there again, as a file would be."""

    processes: dict[str, Kept] = field(default_factory=dict)
    owners: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Boot and steady time until which the lease of each owner lasts."""
    letters: Letters = field(default_factory=Letters)
    tasks: QueueState = field(default_factory=QueueState)
    lock: threading.Lock = field(default_factory=threading.Lock)


def has(kept: Kept, change: Change) -> bool:
    """Whether ``change`` is what led to the last checkpoint."""
    last = kept.history[-1]
    return (kept.checkpoints[change.seq].body, last.event, last.state) == (change.body, change.event, change.state)


def bear(state: MemoryState, birth: Birth) -> Record:
    """Keep a process that is new, and get its row."""
    row = birth_record(birth)
    first = Checkpoint(pid=row.pid, seq=1, at=row.created, body=birth.body)
    event = Event(seq=1, at=row.created, event=row.state, state=row.state)
    state.processes[row.pid] = Kept(row, birth.inputs, {1: first}, [event])
    return row


def advance(kept: Kept, change: Change, retention: Retention) -> None:
    """Move a process on by a change."""
    seq, ends = change.seq, change.state in TERMINAL
    kept.row = msgspec.structs.replace(
        kept.row,
        seq=seq,
        state=change.state,
        paused=change.paused,
        status=change.status,
        updated=change.at,
        attempts=0,
        owner=None if ends else kept.row.owner,
    )
    kept.checkpoints[seq] = Checkpoint(pid=change.pid, seq=seq, at=change.at, body=change.body)
    kept.history.append(Event(seq=seq, at=change.at, event=change.event, state=change.state, detail=change.detail))
    keep = retention.ended if ends else retention.living
    for number in [] if keep is None else [old for old in kept.checkpoints if old <= seq - keep]:
        del kept.checkpoints[number]


def find(state: MemoryState, tail: str, limit: int) -> list[str]:
    """See `Store.find`."""
    if tail in state.processes:
        return [tail]
    pids = state.processes if rule.is_pid(tail) else ()
    return sorted((pid for pid in pids if pid.endswith(tail)), key=lambda pid: pid[::-1])[:limit]


def page(state: MemoryState, query: Query) -> Page:
    """Get a page of a list, newest first."""
    rows = [kept.row for kept in state.processes.values() if _fits(kept.row, query)]
    rows.sort(key=lambda row: (row.created, row.pid), reverse=True)
    found = tuple(rows[: query.limit])
    return Page(found, (found[-1].created, found[-1].pid) if len(rows) > query.limit else None)


def _fits(row: Record, query: Query) -> bool:
    """Tell whether a list has this row."""
    return (
        (not query.states or row.state in query.states)
        and query.kind in (None, row.kind)
        and query.parent in (None, row.parent)
        and not (query.roots and row.parent is not None)
        and query.paused in (None, row.paused)
        and (query.since is None or row.created >= query.since)
        and (query.before is None or row.created < query.before)
        and (query.after is None or (row.created, row.pid) < query.after)
    )
