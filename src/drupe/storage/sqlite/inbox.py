"""The writes and reads of orders; like those of processes, each is refused before it changes anything.

An order that is not answered is in a small index of its own, so looking for new ones costs nothing when there are none.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from drupe.core.order import Answer, Order, Receipt, last_word
from drupe.core.record import Change, Fence
from drupe.errors import CorruptedError
from drupe.storage import rule
from drupe.storage.sqlite import row
from drupe.storage.sqlite.row import Execute
from drupe.storage.sqlite.transaction import Transaction

_ORDER: Final = Order.__struct_fields__
_RECEIPT: Final = Receipt.__struct_fields__

_INSERT: Final = """
    INSERT INTO inbox (id, pid, verb, name, body, at, outcome, detail, answered)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_FIND: Final = f"SELECT {', '.join(_RECEIPT)} FROM inbox WHERE id IN (SELECT value FROM json_each(?))"  # noqa: S608 (names of fields)
_OPEN: Final = f"""
    SELECT {", ".join(_ORDER)} FROM inbox INDEXED BY inbox_open
    WHERE pid = ? AND outcome = 'requested' ORDER BY number"""  # noqa: S608 (names of fields)
_OPEN_TO_MANY: Final = f"""
    SELECT {", ".join(_ORDER)} FROM inbox INDEXED BY inbox_open
    WHERE pid IN (SELECT value FROM json_each(?)) AND outcome = 'requested' ORDER BY number"""  # noqa: S608 (names of fields)
_FIRST_SIGNAL: Final = f"""
    SELECT {", ".join(_ORDER)} FROM inbox INDEXED BY inbox_signal
    WHERE pid = ? AND name = ? AND outcome = 'requested' AND verb = 'signal' ORDER BY number LIMIT 1"""  # noqa: S608
# The few that are open first, then the row of each: not every process of an owner that may have a hundred thousand.
_OPEN_FOR_OWNER: Final = f"""
    WITH found (number) AS (
        SELECT number FROM inbox INDEXED BY inbox_asked WHERE outcome = 'requested' AND verb <> 'signal'
        UNION ALL
        SELECT min(number) FROM inbox INDEXED BY inbox_signal WHERE outcome = 'requested' AND verb = 'signal'
        GROUP BY pid, name
    )
    SELECT {", ".join(f"inbox.{name}" for name in _ORDER)}
    FROM found CROSS JOIN inbox USING (number) CROSS JOIN process ON process.pid = inbox.pid
    WHERE owner = ? ORDER BY number LIMIT ?"""  # noqa: S608 (names of fields)
_LEFT: Final = """
    SELECT id, pid, verb FROM inbox INDEXED BY inbox_open
    WHERE pid IN (SELECT value FROM json_each(?)) AND outcome = 'requested'"""
_WANTED: Final = """
    SELECT EXISTS (SELECT 1 FROM inbox INDEXED BY inbox_asked WHERE pid = ? AND outcome = 'requested' AND verb <> 'signal')
    OR EXISTS (
        SELECT 1 FROM inbox INDEXED BY inbox_signal
        WHERE pid = ? AND name = ? AND outcome = 'requested' AND verb = 'signal'
    )"""
_ANSWER: Final = """
    UPDATE inbox SET outcome = ?, detail = ?, answered = ? WHERE id = ? AND pid = ? AND outcome = 'requested'"""
_WAKE: Final = """
    UPDATE process SET parked = 0, wake_at = NULL WHERE pid IN (SELECT value FROM json_each(?)) AND parked = 1"""
_STANDS: Final = "SELECT 1 FROM process WHERE pid = ? AND epoch = ?"


def ask(tx: Transaction, orders: Sequence[Order]) -> list[Receipt]:
    """See `Inbox.ask`. Many orders take no more statements than one, but to be written: others wait for the file meanwhile."""
    rule.check_orders(orders)
    receipts = _receipts(tx.execute, [order.id for order in orders])
    rows = row.find_many(tx.execute, [order.pid for order in orders])
    new: list[Order] = []
    for order in orders:
        if order.id not in receipts:
            receipts[order.id] = rule.first_receipt(order, rows.get(order.pid))
            new.append(order)
    tx.db.executemany(_INSERT, [_values(order, receipts[order.id]) for order in new])
    tx.execute(_WAKE, (json.dumps([order.pid for order in new]),))
    return [receipts[order.id] for order in orders]


def _values(order: Order, receipt: Receipt) -> tuple[Any, ...]:
    answered = (receipt.outcome, receipt.detail, receipt.answered)
    return order.id, order.pid, order.verb, order.name, order.body, order.at, *answered


def answer(tx: Transaction, asked: tuple[Fence, Sequence[Answer]]) -> None:
    """See `Inbox.answer`."""
    fence, answers = asked
    if tx.execute(_STANDS, (fence.pid, fence.epoch)).fetchone() is None:
        raise rule.fenced(fence, row.find(tx.execute, fence.pid))
    write_answers(tx, fence.pid, answers, tx.clock.now())


def write_answers(tx: Transaction, pid: str, answers: Iterable[Answer], at: float) -> None:
    """Answer orders of a process; one that was answered before is left as it is."""
    for one in answers:
        tx.execute(_ANSWER, (one.outcome, one.detail, at, one.id, pid))


def answer_the_rest(tx: Transaction, ended: Sequence[Change]) -> None:
    """Answer what processes that have ended will never take."""
    rest = tx.execute(_LEFT, (json.dumps([change.pid for change in ended]),)).fetchall()
    if rest:
        by_pid = {change.pid: change for change in ended}
        for id, pid, verb in rest:
            outcome, detail = last_word(verb, by_pid[pid].state)
            tx.execute(_ANSWER, (outcome, detail, by_pid[pid].at, id, pid))


def is_asked(execute: Execute, pid: str, signal: str | None) -> bool:
    """Tell whether something is asked of a process and not answered: of signals, one of this name."""
    (found,) = execute(_WANTED, (pid, pid, signal)).fetchone()
    return bool(found)


def orders(execute: Execute, pid: str) -> list[Order]:
    """See `Inbox.orders`."""
    return _orders(execute(_OPEN, (pid,)).fetchall())


def orders_to(execute: Execute, pids: str) -> dict[str, list[Order]]:
    """Get the orders to many processes that are not answered, by pid; ``pids`` are an array in JSON."""
    found: dict[str, list[Order]] = {}
    for order in _orders(execute(_OPEN_TO_MANY, (pids,)).fetchall()):
        found.setdefault(order.pid, []).append(order)
    return found


def first_signal(execute: Execute, wanted: tuple[str, str]) -> Order | None:
    """See `Inbox.first_signal`."""
    found = _orders(execute(_FIRST_SIGNAL, wanted).fetchall())
    return found[0] if found else None


def asked(execute: Execute, wanted: tuple[str, int]) -> list[Order]:
    """See `Inbox.asked`."""
    return _orders(execute(_OPEN_FOR_OWNER, wanted).fetchall())


def receipt(execute: Execute, id: str) -> Receipt:
    """See `Inbox.receipt`."""
    found = _receipts(execute, [id])
    if id not in found:
        raise rule.unknown_order(id)
    return found[id]


def _orders(rows: Sequence[Sequence[Any]]) -> list[Order]:
    return [Order(**dict(zip(_ORDER, found, strict=True))) for found in rows]


def _receipts(execute: Execute, ids: Sequence[str]) -> dict[str, Receipt]:
    """Get the receipts that are there, by their ids."""
    rows = execute(_FIND, (json.dumps(ids),)).fetchall()
    return {found[0]: _receipt(found) for found in rows}


def _receipt(found: Sequence[Any]) -> Receipt:
    try:
        return msgspec.convert(dict(zip(_RECEIPT, found, strict=True)), Receipt)
    except msgspec.ValidationError as error:
        raise CorruptedError(f"order {found[0]}: it is damaged in the store: {error}") from error
