"""The queue of tasks in the store's own file, written by the store's own thread: as durable as everything beside it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from drupe.core.message import Task, encode_message
from drupe.interfaces.task_queue import Taken
from drupe.storage.sqlite.read import Read
from drupe.storage.sqlite.row import Execute
from drupe.storage.sqlite.transaction import Transaction
from drupe.storage.tasks import read_task

A = TypeVar("A")
R = TypeVar("R")
Rows = list[tuple[str, bytes, int]]
"""Id, encoded task and attempt of tasks that were taken."""

_PUT: Final = "INSERT OR IGNORE INTO task (id, queue, body) VALUES (?, ?, ?)"
_FREE: Final = """
    SELECT id, body, attempt + 1 FROM task INDEXED BY task_free
    WHERE queue = ? AND holder IS NULL AND (boot IS NULL OR boot <> ? OR due <= ?) ORDER BY number LIMIT ?"""
_HOLD: Final = "UPDATE task SET holder = ?, attempt = ? WHERE id = ?"
_STILL: Final = "SELECT count(*) FROM task WHERE id = ? AND holder = ? AND attempt = ?"
_SETTLE: Final = "DELETE FROM task WHERE id = ? AND attempt = ? AND holder IS NOT NULL"
_RELEASE: Final = """
    UPDATE task SET holder = NULL, boot = ?, due = ? WHERE id = ? AND attempt = ? AND holder IS NOT NULL"""
_FORGET: Final = "UPDATE task SET holder = NULL, boot = NULL, due = NULL WHERE holder = ?"
_HOLDERS: Final = "SELECT DISTINCT holder FROM task INDEXED BY task_held WHERE holder IS NOT NULL ORDER BY holder"


class SqliteTaskQueue:
    """See `drupe.interfaces.task_queue.TaskQueue`.

    Args:
        write: has a write done by the store's writing thread.
        read: has a read done by the store's reading thread.
    """

    def __init__(
        self,
        write: Callable[[str, Callable[[Transaction, Any], Any], Any], Awaitable[Any]],
        read: Callable[[Read, Any], Awaitable[Any]],
    ) -> None:
        self._write = write
        self._read = read

    async def put(self, tasks: Sequence[Task]) -> None:
        await self._write("tasks.put", _put, [(task.id, task.queue, encode_message(task)) for task in tasks])

    async def take(self, queue: str, *, holder: str, limit: int) -> list[Taken]:
        rows: Rows = await self._write("tasks.take", _take, (queue, holder, limit))
        return [taken for found in rows if (taken := read_task(*found)) is not None]

    async def settle(self, taken: Taken) -> bool:
        done: bool = await self._write("tasks.settle", _settle, (taken.task.id, taken.attempt))
        return done

    async def release(self, taken: Taken, *, delay: float = 0.0) -> bool:
        done: bool = await self._write("tasks.release", _release, (taken.task.id, taken.attempt, delay))
        return done

    async def forget(self, holder: str) -> int:
        number: int = await self._write("tasks.forget", _forget, holder)
        return number

    async def holders(self) -> list[str]:
        found: list[str] = await self._read(_holders, None)
        return found


# --- on the threads ----------------------------------------------------------------------------------------


def _put(tx: Transaction, tasks: Sequence[tuple[str, str, bytes]]) -> None:
    for task in tasks:
        tx.execute(_PUT, task)


def _take(tx: Transaction, asked: tuple[str, str, int]) -> Rows:
    queue, holder, limit = asked
    if isinstance(tx.lost, list) and _has_all(tx, holder, tx.lost):
        return tx.lost
    free: Rows = tx.execute(_FREE, (queue, tx.clock.boot(), tx.clock.steady(), limit)).fetchall()
    for id, _, attempt in free:
        tx.execute(_HOLD, (holder, attempt, id))
    return free


def _has_all(tx: Transaction, holder: str, rows: Rows) -> bool:
    """Whether ``rows``, whose taking may or may not have been committed, are held so."""
    return bool(rows) and all(tx.execute(_STILL, (id, holder, attempt)).fetchone()[0] for id, _, attempt in rows)


def _settle(tx: Transaction, held: tuple[str, int]) -> bool:
    return tx.execute(_SETTLE, held).rowcount == 1 or tx.lost is True


def _release(tx: Transaction, held: tuple[str, int, float]) -> bool:
    id, attempt, delay = held
    boot, due = (tx.clock.boot(), tx.clock.steady() + delay) if delay > 0 else (None, None)
    return tx.execute(_RELEASE, (boot, due, id, attempt)).rowcount == 1 or tx.lost is True


def _forget(tx: Transaction, holder: str) -> int:
    number = tx.execute(_FORGET, (holder,)).rowcount
    return number or (tx.lost if isinstance(tx.lost, int) else 0)


def _holders(execute: Execute, _: None) -> list[str]:
    return [holder for (holder,) in execute(_HOLDERS).fetchall()]
