"""Parking and waking in memory: what a memory store does for `Store.park` and `Store.free`."""

from collections.abc import Callable, Set

import msgspec

from drupe.core.lifecycle import TERMINAL
from drupe.core.order import SIGNAL
from drupe.core.record import Fence, Record, Rest, is_queued
from drupe.storage import memory_inbox, rule
from drupe.storage.memory_inbox import Write
from drupe.storage.memory_state import MemoryState


def park(state: MemoryState, fence: Fence, rest: Rest, now: float) -> Write[bool]:
    """See `Store.park`."""
    kept = state.processes.get(fence.pid)
    if kept is None or kept.row.epoch != fence.epoch or not (kept.row.parked or kept.row.owner):
        raise rule.fenced(fence, None if kept is None else kept.row)
    wanted = (
        (rest.wake_at is not None and rest.wake_at <= now)
        or memory_inbox.is_asked(state.letters, fence.pid, rest.signal)
        or any(not _wakes(state, child, fence.pid) for child in rest.children)
    )
    yield
    if not wanted and not kept.row.parked:
        kept.row = msgspec.structs.replace(kept.row, owner=None, parked=True, wake_at=rest.wake_at)
    return kept.row.parked


def _wakes(state: MemoryState, child: str, pid: str) -> bool:
    """Whether the end of a process is still to come, and will wake this one."""
    kept = state.processes.get(child)
    return kept is not None and kept.row.parent == pid and kept.row.state not in TERMINAL


def wake(state: MemoryState, pid: str | None) -> None:
    """Have a process found that something happened to."""
    kept = None if pid is None else state.processes.get(pid)
    if kept is not None:
        kept.row = rule.woken(kept.row)


def next_wake(state: MemoryState, now: float, queue: str | None) -> float | None:
    """See `Store.next_wake`."""
    rows = [kept.row for kept in state.processes.values() if not (kept.row.paused or is_queued(kept.row))]
    times = [row.wake_at - now for row in rows if row.wake_at is not None and rule.is_for(row, queue)]
    return min((left for left in times if left > 0.0), default=None)


def free(state: MemoryState, now: float, is_left: Callable[[str], bool], queue: str | None) -> list[Record]:
    """See `Store.free`; ``is_left`` tells whether an owner is gone."""
    asked = {order.pid for order in memory_inbox.pending(state.letters, lambda _: True) if order.verb != SIGNAL}
    rows = [kept.row for kept in state.processes.values() if _is_found(kept.row, asked, queue, now)]
    found = [row for row in rows if row.state not in TERMINAL and (row.owner is None or is_left(row.owner))]
    return sorted(
        found, key=lambda row: (is_queued(row), row.paused, row.owner is not None, row.parked, row.created, row.pid)
    )


def _is_found(row: Record, asked: Set[str], queue: str | None, now: float) -> bool:
    if row.paused:
        return row.pid in asked
    return rule.is_for(row, queue) and rule.can_go_on(row, now)
