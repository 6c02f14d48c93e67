"""Parking, waking, and finding what can go on: see `Store.park` and `Store.free`.

Whoever parks a process, or wakes it, holds its row before it looks for what speaks against it. So of two who do
both at once, the second one sees what the first has done.
"""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple

from drupe.core.lifecycle import LIVING, TERMINAL
from drupe.core.record import Fence, Record, Rest
from drupe.storage import rule
from drupe.storage.listing import readable
from drupe.storage.postgres import inbox, row
from drupe.storage.postgres.column import Texts
from drupe.storage.postgres.ownership import IS_ALIVE
from drupe.storage.postgres.row import Execute
from drupe.storage.postgres.transaction import Touched, Transaction, Write, one_by_one

_TODAY: Final = "(SELECT coalesce(%(now)s::float8, extract(epoch FROM clock_timestamp())::float8))"
"""The time of day, asked once: compared with a clock that is read for each row, an index is read to its end."""
_PARK: Final = "UPDATE process SET owner = NULL, parked = TRUE, wake_at = %s WHERE pid = %s"
_PARENTS: Final = """
    SELECT pid FROM process WHERE pid = ANY(ARRAY(SELECT parent FROM process WHERE pid = ANY(%s) AND parent IS NOT NULL))
    ORDER BY pid FOR NO KEY UPDATE"""
_WAKE: Final = "UPDATE process SET parked = FALSE, wake_at = NULL WHERE pid = ANY(%s) AND parked"
_LIVING: Final = ", ".join(f"'{state.value}'" for state in LIVING)
_FREE: Final = f"""
    SELECT {row.COLUMNS} FROM process
    WHERE {{of}} AND owner IS NULL AND NOT parked AND NOT paused AND state IN ({_LIVING})
    ORDER BY created, pid LIMIT %(limit)s"""  # noqa: S608 (names of fields, and of states)
_DUE: Final = f"""
    SELECT {row.COLUMNS} FROM process
    WHERE {{of}} AND wake_at <= {_TODAY} AND wake_at IS NOT NULL AND owner IS NULL AND NOT paused AND epoch > 0
    ORDER BY wake_at LIMIT %(limit)s"""  # noqa: S608 (names of fields)
_QUEUED: Final = _DUE.replace("epoch > 0", "epoch = 0")
_NEXT: Final = f"""
    SELECT wake_at - {_TODAY} FROM process
    WHERE {{of}} AND wake_at > {_TODAY} AND wake_at IS NOT NULL AND owner IS NULL AND NOT paused AND epoch > 0 ORDER BY wake_at LIMIT 1"""  # noqa: S608
_GONE: Final = f"owner = ANY(ARRAY(SELECT name FROM owner WHERE name = ANY(%(dead)s) OR NOT ({IS_ALIVE})))"  # noqa: S608
_LEFT: Final = f"""
    SELECT {row.COLUMNS} FROM process
    WHERE {_GONE}
        AND (%(queue)s::text IS NULL OR queue IS NULL OR queue = %(queue)s) AND NOT paused AND state IN ({_LIVING}) LIMIT %(limit)s"""  # noqa: S608 (names of fields, and of states)
# Of the few orders that are open, those to a process that is paused: whoever asked may have died before it was carried out.
_ASKED: Final = f"""
    SELECT {row.COLUMNS} FROM process
    WHERE pid = ANY(ARRAY(SELECT pid FROM inbox WHERE outcome = 'requested' AND verb <> 'signal'))
        AND (owner IS NULL OR {_GONE}) AND paused AND state IN ({_LIVING}) LIMIT %(limit)s"""  # noqa: S608
_COMES: Final = f"SELECT %(at)s::float8 - {_TODAY}"
_OF: Final = "coalesce(queue, '')"
_CREATED: Final = itemgetter(row.FIELDS.index("created"), row.FIELDS.index("pid"))
_WAKE_AT: Final = itemgetter(row.FIELDS.index("wake_at"))
_SOON: Final = 5.0
"""Seconds within which a time is told of at once. One that is further away is found by looking, before it comes."""
_LIVE: Final = "SELECT count(*) FROM process WHERE pid = ANY(%s) AND parent = %s AND NOT state = ANY(%s)"
_ENDS: Final = Texts(sorted(TERMINAL))


class Asked(NamedTuple):
    """What `free` has to know; the times are the database's own where they are None."""

    time: float | None
    now: float | None
    dead: Sequence[str]
    limit: int
    queue: str | None


def _park(tx: Transaction, asked: tuple[Fence, Rest]) -> bool:
    """See `Store.park`."""
    fence, rest = asked
    found = row.find_all(tx.execute, [fence.pid], "FOR NO KEY UPDATE").get(fence.pid)
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
    """Whether something has happened already; looked at now that the row is held, and what comes later finds it parked."""
    if rest.wake_at is not None and _comes(tx, rest.wake_at):
        return True
    if rest.children:  # what is not its living child would not wake it
        (living,) = tx.execute(_LIVE, (Texts(rest.children), pid, _ENDS)).fetchone() or (0,)
        if living < len(rest.children):
            return True
    return inbox.is_asked(tx.execute, pid, rest.signal)


def _comes(tx: Transaction, at: float) -> bool:
    """Whether a time has come. One that comes soon will be told of, also if then nobody is parked for it."""
    (found,) = tx.execute(_COMES, {"now": tx.now, "at": at}).fetchone() or (0.0,)
    left = float(found)
    tx.notice.timed |= 0.0 < left < _SOON
    return left <= 0.0


def wake_parents(tx: Transaction, pids: Sequence[str]) -> None:
    """Have the parents of processes found that have ended. One that is just about to be parked is waited for."""
    parents = [pid for (pid,) in tx.execute(_PARENTS, (Texts(pids),)).fetchall()]
    if parents:
        tx.notice.free |= tx.execute(_WAKE, (Texts(parents),)).rowcount > 0


def next_wake(execute: Execute, asked: tuple[float | None, str | None]) -> float | None:
    """See `Store.next_wake`; the time is None where the database's own clock counts."""
    now, queue = asked
    return min((float(left) for (left,) in _each(execute, _NEXT, queue, {"now": now})), default=None)


def _each(execute: Execute, statement: str, queue: str | None, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Get the rows of a queue and those of none, or of all; each range is in its order."""
    ranges = ("TRUE",) if queue is None else (f"{_OF} = ''", f"{_OF} = %(queue)s")
    return [found for of in ranges for found in execute(statement.format(of=of), {**values, "queue": queue}).fetchall()]


def free(execute: Execute, asked: Asked) -> list[Record]:
    """See `Store.free`."""
    values = {**asked._asdict(), "dead": Texts(asked.dead)}
    rows: list[tuple[Any, ...]] = sorted(_each(execute, _FREE, asked.queue, values), key=_CREATED)
    if len(rows) < asked.limit:
        rows += sorted(_each(execute, _DUE, asked.queue, values), key=_WAKE_AT)
    for statement in (_LEFT, _ASKED):
        if len(rows) < asked.limit:
            rows += execute(statement, values).fetchall()
    if len(rows) < asked.limit:
        rows += sorted(_each(execute, _QUEUED, asked.queue, values), key=_WAKE_AT)
    return readable(rows[: asked.limit], row.to_record)


PARK: Final = Write(one_by_one(_park), lambda asked: Touched((asked[0].pid,), asked[1].children))
