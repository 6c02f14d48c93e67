"""Parking, waking, and finding what can go on: see `Store.park` and `Store.free`."""

import json
from typing import Final, NamedTuple

from drupe.core.lifecycle import LIVING
from drupe.core.record import Fence, Record, Rest
from drupe.storage import rule
from drupe.storage.listing import readable
from drupe.storage.sqlite import inbox, row
from drupe.storage.sqlite.row import Execute
from drupe.storage.sqlite.transaction import Transaction

_PARK: Final = "UPDATE process SET owner = NULL, parked = 1, wake_at = ? WHERE pid = ?"
_LIVING: Final = ", ".join(f"'{state.value}'" for state in LIVING)
_FREE: Final = f"""
    SELECT {row.COLUMNS} FROM process INDEXED BY process_free
    WHERE owner IS NULL AND parked = 0 AND paused = 0 AND state IN ({_LIVING}) ORDER BY created, pid LIMIT ?"""  # noqa: S608
_DUE: Final = f"""
    SELECT {row.COLUMNS} FROM process INDEXED BY process_wakes
    WHERE wake_at <= ? AND wake_at IS NOT NULL AND owner IS NULL AND paused = 0 ORDER BY wake_at LIMIT ?"""  # noqa: S608
_NEXT: Final = """
    SELECT wake_at FROM process INDEXED BY process_wakes
    WHERE wake_at > ? AND wake_at IS NOT NULL AND owner IS NULL AND paused = 0 ORDER BY wake_at LIMIT 1"""
_OWNERS: Final = "SELECT name, boot, until FROM owner"
_LEFT: Final = f"""
    SELECT {row.COLUMNS} FROM process INDEXED BY process_by_owner
    WHERE owner = ? AND paused = 0 AND state IN ({_LIVING}) LIMIT ?"""  # noqa: S608 (names of fields, and of states)
# Of the few orders that are open, those to a process that is paused: whoever asked may have died before it was carried out.
_ASKED: Final = f"""
    SELECT {row.COLUMNS} FROM (
        SELECT DISTINCT pid AS asked FROM inbox INDEXED BY inbox_asked WHERE outcome = 'requested' AND verb <> 'signal'
    ) CROSS JOIN process ON pid = asked
    WHERE (owner IS NULL OR owner IN (SELECT value FROM json_each(?))) AND paused = 1 AND state IN ({_LIVING}) LIMIT ?"""  # noqa: S608
_LIVES: Final = f"SELECT 1 FROM process WHERE pid = ? AND parent = ? AND state IN ({_LIVING})"  # noqa: S608


class Asked(NamedTuple):
    """What `free` has to know."""

    boot: str
    steady: float
    now: float
    dead: frozenset[str]
    limit: int


def park(tx: Transaction, asked: tuple[Fence, Rest]) -> bool:
    """See `Store.park`."""
    fence, rest = asked
    found = row.find(tx.execute, fence.pid)
    if found is None or found.epoch != fence.epoch:
        raise rule.fenced(fence, found)
    if found.parked:
        return True
    if found.owner is None:
        raise rule.fenced(fence, found)
    if _is_wanted(tx, fence.pid, rest):
        return False
    tx.execute(_PARK, (rest.wake_at, fence.pid))
    return True


def _is_wanted(tx: Transaction, pid: str, rest: Rest) -> bool:
    if rest.wake_at is not None and rest.wake_at <= tx.clock.now():
        return True
    return inbox.is_asked(tx.execute, pid, rest.signal) or any(
        tx.execute(_LIVES, (child, pid)).fetchone() is None for child in rest.children
    )


def next_wake(execute: Execute, now: float) -> float | None:
    """See `Store.next_wake`."""
    found = execute(_NEXT, (now,)).fetchone()
    return None if found is None else float(found[0]) - now


def free(execute: Execute, asked: Asked) -> list[Record]:
    """See `Store.free`."""
    found = execute(_FREE, (asked.limit,)).fetchall()
    found += execute(_DUE, (asked.now, asked.limit)).fetchall()
    owners = execute(_OWNERS).fetchall()
    gone = [name for name, boot, until in owners if name in asked.dead or boot != asked.boot or asked.steady >= until]
    for name in gone:
        if len(found) >= asked.limit:
            break
        found += execute(_LEFT, (name, asked.limit)).fetchall()
    found += execute(_ASKED, (json.dumps(gone), asked.limit)).fetchall()
    return readable(found[: asked.limit], row.to_record)
