"""Parking, waking, and finding what can go on: see `Store.park` and `Store.free`."""

import json
from operator import itemgetter
from typing import Any, Final, NamedTuple

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
    WHERE {{of}} AND owner IS NULL AND parked = 0 AND paused = 0 AND state IN ({_LIVING})
    ORDER BY created, pid LIMIT :limit"""  # noqa: S608 (names of fields, and of states)
_DUE: Final = f"""
    SELECT {row.COLUMNS} FROM process INDEXED BY process_wakes
    WHERE {{of}} AND wake_at <= :now AND wake_at IS NOT NULL AND owner IS NULL AND paused = 0 AND epoch > 0
    ORDER BY wake_at LIMIT :limit"""  # noqa: S608 (names of fields)
_QUEUED: Final = _DUE.replace("process_wakes", "process_queued").replace("epoch > 0", "epoch = 0")
_NEXT: Final = """
    SELECT wake_at FROM process INDEXED BY process_wakes
    WHERE {of} AND wake_at > :now AND wake_at IS NOT NULL AND owner IS NULL AND paused = 0 AND epoch > 0 ORDER BY wake_at LIMIT 1"""
_OWNERS: Final = "SELECT name, boot, until FROM owner"
_LEFT: Final = f"""
    SELECT {row.COLUMNS} FROM process INDEXED BY process_by_owner
    WHERE owner = :owner AND (:queue IS NULL OR queue IS NULL OR queue = :queue) AND paused = 0 AND state IN ({_LIVING})
    LIMIT :limit"""  # noqa: S608 (names of fields, and of states)
# Of the few orders that are open, those to a process that is paused: whoever asked may have died before it was carried out.
_ASKED: Final = f"""
    SELECT {row.COLUMNS} FROM (
        SELECT DISTINCT pid AS asked FROM inbox INDEXED BY inbox_asked WHERE outcome = 'requested' AND verb <> 'signal'
    ) CROSS JOIN process ON pid = asked
    WHERE (owner IS NULL OR owner IN (SELECT value FROM json_each(?))) AND paused = 1 AND state IN ({_LIVING}) LIMIT ?"""  # noqa: S608
_LIVES: Final = f"SELECT 1 FROM process WHERE pid = ? AND parent = ? AND state IN ({_LIVING})"  # noqa: S608
_CREATED: Final = itemgetter(row.FIELDS.index("created"), row.FIELDS.index("pid"))
_WAKE_AT: Final = itemgetter(row.FIELDS.index("wake_at"))


class Asked(NamedTuple):
    """What `free` has to know."""

    boot: str
    steady: float
    now: float
    dead: frozenset[str]
    limit: int
    queue: str | None


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


def next_wake(execute: Execute, asked: tuple[float, str | None]) -> float | None:
    """See `Store.next_wake`."""
    now, queue = asked
    rows = _each(execute, _NEXT, queue, {"now": now})
    return min((float(at) - now for (at,) in rows), default=None)


def _each(execute: Execute, statement: str, queue: str | None, values: dict[str, Any]) -> list[Any]:
    """Get the rows of a queue and those of none, or of all; each range is in its order."""
    ranges = ("TRUE",) if queue is None else ("queue IS NULL", "queue = :queue")
    return [found for of in ranges for found in execute(statement.format(of=of), {**values, "queue": queue}).fetchall()]


def free(execute: Execute, asked: Asked) -> list[Record]:
    """See `Store.free`."""
    values = {"now": asked.now, "limit": asked.limit, "queue": asked.queue}
    found = sorted(_each(execute, _FREE, asked.queue, values), key=_CREATED)
    found += sorted(_each(execute, _DUE, asked.queue, values), key=_WAKE_AT)
    owners = execute(_OWNERS).fetchall()
    gone = [name for name, boot, until in owners if name in asked.dead or boot != asked.boot or asked.steady >= until]
    for name in gone:
        if len(found) >= asked.limit:
            break
        found += execute(_LEFT, {**values, "owner": name}).fetchall()
    found += execute(_ASKED, (json.dumps(gone), asked.limit)).fetchall()
    if len(found) < asked.limit:
        found += sorted(_each(execute, _QUEUED, asked.queue, values), key=_WAKE_AT)
    return readable(found[: asked.limit], row.to_record)
