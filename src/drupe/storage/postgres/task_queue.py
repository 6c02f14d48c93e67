"""The queue of tasks in the store's own database: as durable as everything beside it, and for all machines."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from drupe.core.message import Task, encode_message
from drupe.interfaces.task_queue import Taken
from drupe.runtime.clock import tick
from drupe.storage.postgres.column import Blobs, Numbers, Texts
from drupe.storage.postgres.read import Read
from drupe.storage.postgres.row import Execute
from drupe.storage.postgres.transaction import NOW, Touched, Transaction, Write, one_by_one
from drupe.storage.tasks import read_task

_LOOK: Final = 10.0
"""Seconds after which it is looked for holders that are gone."""
_LOG: Final = logging.getLogger("drupe.storage")

Rows = list[tuple[str, bytes, int]]
"""Id, encoded task and attempt of tasks that were taken."""
Put = Sequence[tuple[str, str, bytes]]
"""Id, queue and encoded task."""
Held = tuple[str, int, str, bool]
"""Id, attempt, queue, and whether somebody waits for its being done."""

_PUT: Final = """
    INSERT INTO task (id, queue, body)
    SELECT id, queue, body FROM unnest(%s::text[], %s::text[], %s::bytea[]) WITH ORDINALITY
        AS given (id, queue, body, number) ORDER BY given.number
    ON CONFLICT (id) DO NOTHING"""
# One statement, which needs no transaction around it.
_PUT_AND_TELL: Final = f"WITH kept AS ({_PUT}) SELECT pg_notify(%s, %s)"
# What others are taking at this moment is passed over, so that nobody waits for anybody.
_TAKE: Final = f"""
    WITH free AS MATERIALIZED (
        SELECT number FROM task
        WHERE queue = %(queue)s AND holder IS NULL AND (due IS NULL OR due <= {NOW})
        ORDER BY number LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ), held AS (
        UPDATE task SET holder = %(holder)s, attempt = attempt + 1 FROM free WHERE task.number = free.number
        RETURNING task.number, id, body, attempt
    )
    SELECT id, body, attempt FROM held ORDER BY number"""  # noqa: S608 (written out)
_STILL: Final = """
    SELECT count(*) FROM task JOIN unnest(%s::text[], %s::int8[]) AS given (id, attempt) USING (id, attempt)
    WHERE holder = %s"""
_SETTLE: Final = """
    DELETE FROM task USING unnest(%s::text[], %s::int8[]) AS given (id, attempt)
    WHERE task.id = given.id AND task.attempt = given.attempt AND holder IS NOT NULL RETURNING task.id"""
_RELEASE: Final = f"""
    UPDATE task SET holder = NULL, due = {NOW} + nullif(%(delay)s::float8, 0)
    WHERE id = %(id)s AND attempt = %(attempt)s AND holder IS NOT NULL"""  # noqa: S608 (written out)
_FORGET: Final = "UPDATE task SET holder = NULL, due = NULL WHERE holder = %s RETURNING queue"
# Who holds something shows by a lock of its connection that it lives.
_ABSENT: Final = """
    SELECT holder FROM (SELECT DISTINCT holder FROM task WHERE holder IS NOT NULL) AS holders
    WHERE hashtextextended('drupe.' || current_schema() || '.' || holder, 0) NOT IN (
        SELECT (classid::int8 << 32) | objid::int8 FROM pg_locks
        WHERE locktype = 'advisory' AND objsubid = 1 AND granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    )"""
_HOLDERS: Final = "SELECT DISTINCT holder FROM task WHERE holder IS NOT NULL ORDER BY holder"


class PostgresTaskQueue:
    """See `drupe.interfaces.task_queue.TaskQueue`.

    Args:
        write: has a write done by the store's writing thread.
        read: has a read done by one of the store's reading threads.
    """

    def __init__(
        self, write: Callable[[str, Write, Any], Awaitable[Any]], read: Callable[[Read, Any], Awaitable[Any]]
    ) -> None:
        self._write = write
        self._read = read

    async def put(self, tasks: Sequence[Task]) -> None:
        await self._write("tasks.put", PUT, [(task.id, task.queue, encode_message(task)) for task in tasks])

    async def take(self, queue: str, *, holder: str, limit: int) -> list[Taken]:
        rows: Rows = await self._write("tasks.take", TAKE, (queue, holder, limit))
        return [taken for found in rows if (taken := read_task(*found)) is not None]

    async def settle(self, taken: Taken) -> bool:
        done: bool = await self._write("tasks.settle", SETTLE, _held(taken))
        return done

    async def release(self, taken: Taken, *, delay: float = 0.0) -> bool:
        done: bool = await self._write("tasks.release", RELEASE, (_held(taken), delay))
        return done

    async def forget(self, holder: str) -> int:
        number: int = await self._write("tasks.forget", FORGET, holder)
        return number

    async def holders(self) -> list[str]:
        found: list[str] = await self._read(_holders, None)
        return found

    async def absent(self) -> list[str]:
        """Get who holds a task and has no connection to the database, on whichever machine."""
        found: list[str] = await self._read(_absent, None)
        return found


class SharedTaskQueue:
    """The queue as programs of several machines use it: of those who hold a task, others know only whether they are connected.

    It names those as holders who are not, and puts back what they have, once they were missing twice.

    Args:
        queue: the queue itself.
    """

    def __init__(self, queue: PostgresTaskQueue) -> None:
        self._queue = queue
        self._missing: set[str] = set()
        self._look_at = tick() + _LOOK
        self.put, self.settle = queue.put, queue.settle
        self.release, self.forget = queue.release, queue.forget

    async def take(self, queue: str, *, holder: str, limit: int) -> list[Taken]:
        if tick() >= self._look_at:
            self._look_at = tick() + _LOOK
            await self._look()
        return await self._queue.take(queue, holder=holder, limit=limit)

    async def holders(self) -> list[str]:
        return await self._queue.absent()

    async def _look(self) -> None:
        before, self._missing = self._missing, set(await self._queue.absent())
        for holder in sorted(before & self._missing):
            _LOG.warning("%d tasks of %s, which is gone, are put back", await self._queue.forget(holder), holder)


def _held(taken: Taken) -> Held:
    task = taken.task
    return task.id, taken.attempt, task.queue, not task.no_reply


# --- on the threads ----------------------------------------------------------------------------------------


def _put(tx: Transaction, asked: Sequence[Put]) -> Sequence[object]:
    tasks = [task for some in asked for task in some]
    if tasks:
        columns = Texts([id for id, _, _ in tasks]), Texts([queue for _, queue, _ in tasks])
        values = *columns, Blobs([body for _, _, body in tasks])
        tx.notice.queues.update(queue for _, queue, _ in tasks)
        if tx.channel is not None:
            tx.execute(_PUT_AND_TELL, (*values, tx.channel, tx.notice.text()))
        else:
            tx.execute(_PUT, values)
    return [None] * len(asked)


def _take(tx: Transaction, asked: tuple[str, str, int]) -> Rows:
    queue, holder, limit = asked
    tx.show(holder)
    if isinstance(tx.lost, list) and _has_all(tx, holder, tx.lost):
        return tx.lost
    return tx.execute(_TAKE, {"queue": queue, "holder": holder, "limit": limit, "time": tx.time}).fetchall()


def _has_all(tx: Transaction, holder: str, rows: Rows) -> bool:
    """Whether ``rows``, whose taking may or may not have been committed, are held so."""
    columns = Texts([id for id, _, _ in rows]), Numbers([attempt for _, _, attempt in rows])
    return bool(rows) and tx.execute(_STILL, (*columns, holder)).fetchone() == (len(rows),)


def _settle(tx: Transaction, asked: Sequence[Held]) -> Sequence[object]:
    columns = Texts([id for id, *_ in asked]), Numbers([attempt for _, attempt, *_ in asked])
    done = {id for (id,) in tx.execute(_SETTLE, columns).fetchall()}
    tx.notice.settled.update(id for id, _, _, awaited in asked if awaited and id in done)
    return [id in done or tx.lost is True for id, *_ in asked]


def _release(tx: Transaction, asked: tuple[Held, float]) -> bool:
    (id, attempt, queue, _), delay = asked
    values = {"id": id, "attempt": attempt, "delay": max(delay, 0.0), "time": tx.time}
    if tx.execute(_RELEASE, values).rowcount != 1:
        return tx.lost is True
    if delay <= 0:
        tx.notice.queues.add(queue)
    return True


def _forget(tx: Transaction, holder: str) -> int:
    queues = [queue for (queue,) in tx.execute(_FORGET, (holder,)).fetchall()]
    tx.notice.queues.update(queues)
    return len(queues) or (tx.lost if isinstance(tx.lost, int) else 0)


def _absent(execute: Execute, _: None) -> list[str]:
    return [holder for (holder,) in execute(_ABSENT).fetchall()]


def _holders(execute: Execute, _: None) -> list[str]:
    return [holder for (holder,) in execute(_HOLDERS).fetchall()]


def _put_touches(tasks: Put) -> Touched:
    return Touched(tuple({id: None for id, _, _ in tasks}), tuple({queue: None for _, queue, _ in tasks}))


PUT: Final = Write(_put, _put_touches, lambda asked: True)
TAKE: Final = Write(one_by_one(_take), lambda asked: Touched((asked[0],)))
SETTLE: Final = Write(_settle, lambda held: Touched((held[0],), (held[2],)))
RELEASE: Final = Write(one_by_one(_release), lambda asked: Touched((asked[0][0],), (asked[0][2],)))
FORGET: Final = Write(one_by_one(_forget), lambda holder: None)
