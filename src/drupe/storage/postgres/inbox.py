"""The writes and reads of orders; like those of processes, each is refused before it changes anything.

An order that is not answered is in a small index of its own, so looking for new ones costs nothing when there are none.
Who asks holds the row of the process: it cannot end in between, and leave the order unanswered.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from drupe.core.lifecycle import State
from drupe.core.order import Answer, Order, Receipt, last_word
from drupe.core.record import Fence, Record
from drupe.errors import CorruptedError, StoreError
from drupe.storage import rule
from drupe.storage.postgres import row
from drupe.storage.postgres.column import Blobs, Texts, Times
from drupe.storage.postgres.row import Execute
from drupe.storage.postgres.transaction import Touched, Transaction, Write

_ORDER: Final = Order.__struct_fields__
_RECEIPT: Final = Receipt.__struct_fields__

_INSERT: Final = """
    INSERT INTO inbox (id, pid, verb, name, body, at, outcome, detail, answered)
    SELECT id, pid, verb, name, body, at, outcome, detail, nullif(answered, 'NaN')
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bytea[], %s::float8[], %s::text[], %s::text[],
        %s::float8[]) WITH ORDINALITY
        AS given (id, pid, verb, name, body, at, outcome, detail, answered, number) ORDER BY given.number"""
_FIND: Final = f"SELECT {', '.join(_RECEIPT)} FROM inbox WHERE id = ANY(%s)"  # noqa: S608 (names of fields)
_OPEN: Final = f"""
    SELECT {", ".join(_ORDER)} FROM inbox WHERE pid = %s AND outcome = 'requested' ORDER BY number"""  # noqa: S608
_OPEN_TO_MANY: Final = f"""
    SELECT {", ".join(_ORDER)} FROM inbox WHERE pid = ANY(%s) AND outcome = 'requested' ORDER BY number"""  # noqa: S608
_FIRST_SIGNAL: Final = f"""
    SELECT {", ".join(_ORDER)} FROM inbox
    WHERE pid = %s AND name = %s AND outcome = 'requested' AND verb = 'signal' ORDER BY number LIMIT 1"""  # noqa: S608
# The few that are open first, then the row of each: not every process of an owner that may have a hundred thousand.
_OPEN_FOR_OWNER: Final = f"""
    WITH found (number) AS MATERIALIZED (
        SELECT number FROM inbox WHERE outcome = 'requested' AND verb <> 'signal'
        UNION ALL
        SELECT min(number) FROM inbox WHERE outcome = 'requested' AND verb = 'signal' GROUP BY pid, name
    )
    SELECT {", ".join(f"inbox.{name}" for name in _ORDER)}
    FROM found JOIN inbox USING (number) JOIN process ON process.pid = inbox.pid
    WHERE owner = %s ORDER BY number LIMIT %s"""  # noqa: S608 (names of fields)
_LEFT: Final = "SELECT id, pid, verb FROM inbox WHERE pid = ANY(%s) AND outcome = 'requested'"
_ANSWER: Final = """
    UPDATE inbox SET outcome = given.outcome, detail = given.detail, answered = given.at
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::float8[]) AS given (id, pid, outcome, detail, at)
    WHERE inbox.id = given.id AND inbox.pid = given.pid AND inbox.outcome = 'requested'"""
_WAKE: Final = "UPDATE process SET parked = FALSE, wake_at = NULL WHERE pid = ANY(%s) AND parked"
_WANTED: Final = """
    SELECT EXISTS (SELECT 1 FROM inbox WHERE pid = %s AND outcome = 'requested' AND verb <> 'signal')
    OR EXISTS (SELECT 1 FROM inbox WHERE pid = %s AND name = %s AND outcome = 'requested' AND verb = 'signal')"""
_CLOCK: Final = "SELECT extract(epoch FROM clock_timestamp())::float8"
_NAN: Final = float("nan")


def _ask(tx: Transaction, asked: Sequence[Sequence[Order]]) -> Sequence[object]:
    """See `Inbox.ask`."""
    found = _receipts(tx.execute, [order.id for orders in asked for order in orders])
    rows = row.find_all(tx.execute, [order.pid for orders in asked for order in orders], "FOR NO KEY UPDATE")
    answers: list[object] = []
    new: list[tuple[Order, Receipt]] = []
    for orders in asked:
        try:
            receipts, added = _received(orders, found, rows)
        except StoreError as refusal:
            answers.append(refusal)
        else:
            answers.append([receipts[order.id] for order in orders])
            new += added
    if new:
        _insert(tx, new)
    return answers


def _received(
    orders: Sequence[Order], found: dict[str, Receipt], rows: dict[str, Record]
) -> tuple[dict[str, Receipt], list[tuple[Order, Receipt]]]:
    """Get the receipts of orders by their ids, and those orders that are new."""
    rule.check_orders(orders)
    receipts: dict[str, Receipt] = {}
    new: list[tuple[Order, Receipt]] = []
    for order in orders:
        if order.id in receipts:
            continue
        receipt = found.get(order.id)
        if receipt is None:
            receipt = rule.first_receipt(order, rows.get(order.pid))
            new.append((order, receipt))
        receipts[order.id] = receipt
    return receipts, new


def _insert(tx: Transaction, new: Sequence[tuple[Order, Receipt]]) -> None:
    tx.execute(
        _INSERT,
        (
            Texts([order.id for order, _ in new]),
            Texts([order.pid for order, _ in new]),
            Texts([order.verb for order, _ in new]),
            Texts([order.name for order, _ in new]),
            Blobs([order.body for order, _ in new]),
            Times([order.at for order, _ in new]),
            Texts([receipt.outcome for _, receipt in new]),
            Texts([receipt.detail for _, receipt in new]),
            Times([_NAN if receipt.answered is None else receipt.answered for _, receipt in new]),
        ),
    )
    tx.notice.asked.update(order.pid for order, receipt in new if not receipt.settled)
    tx.notice.free |= tx.execute(_WAKE, (Texts([order.pid for order, _ in new]),)).rowcount > 0


def is_asked(execute: Execute, pid: str, signal: str | None) -> bool:
    """Tell whether something is asked of a process and not answered: of signals, one of this name."""
    return execute(_WANTED, (pid, pid, signal)).fetchone() == (True,)


def _answer(tx: Transaction, asked: Sequence[tuple[Fence, Sequence[Answer]]]) -> Sequence[object]:
    """See `Inbox.answer`."""
    rows = row.find_all(tx.execute, [fence.pid for fence, _ in asked], "FOR SHARE")
    (at,) = tx.execute(_CLOCK).fetchall()[0] if tx.clock is None else (tx.clock.now(),)
    refusals: list[object] = []
    given: list[tuple[str, Answer, float]] = []
    for fence, answers in asked:
        found = rows.get(fence.pid)
        if found is None or found.epoch != fence.epoch:
            refusals.append(rule.fenced(fence, found))
        else:
            refusals.append(None)
            given += [(fence.pid, answer, at) for answer in answers]
    tx.notice.settled.update(pid for pid, _, _ in given)
    write_answers(tx, given)
    return refusals


def write_answers(tx: Transaction, given: Sequence[tuple[str, Answer, float]]) -> None:
    """Answer orders of processes; one that was answered before is left as it is."""
    if given:
        answers = [answer for _, answer, _ in given]
        columns = Texts([answer.id for answer in answers]), Texts([pid for pid, _, _ in given])
        said = Texts([answer.outcome for answer in answers]), Texts([answer.detail for answer in answers])
        tx.execute(_ANSWER, (*columns, *said, Times([at for _, _, at in given])))


def answer_the_rest(tx: Transaction, ended: Sequence[tuple[str, State, float]]) -> None:
    """Answer what processes that have ended will never take."""
    rest = tx.execute(_LEFT, (Texts([pid for pid, _, _ in ended]),)).fetchall()
    if rest:
        how = {pid: (state, at) for pid, state, at in ended}
        answers = []
        for id, pid, verb in rest:
            state, at = how[pid]
            outcome, detail = last_word(verb, state)
            answers.append((pid, Answer(id=id, outcome=outcome, detail=detail), at))
        write_answers(tx, answers)


# --- reading -----------------------------------------------------------------------------------------------


def orders(execute: Execute, pid: str) -> list[Order]:
    """See `Inbox.orders`."""
    return _orders(execute(_OPEN, (pid,)).fetchall()) if rule.is_pid(pid) else []


def orders_to(execute: Execute, pids: Texts) -> dict[str, list[Order]]:
    """Get the orders to many processes that are not answered, by pid."""
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
    found = _receipts(execute, [id]).get(id)
    if found is None:
        raise rule.unknown_order(id)
    return found


def _orders(rows: Sequence[Sequence[Any]]) -> list[Order]:
    return [Order(**dict(zip(_ORDER, found, strict=True))) for found in rows]


def _receipts(execute: Execute, ids: Sequence[str]) -> dict[str, Receipt]:
    found = {}
    for columns in execute(_FIND, (Texts(sorted(set(ids))),)).fetchall():
        try:
            found[columns[0]] = msgspec.convert(dict(zip(_RECEIPT, columns, strict=True)), Receipt)
        except msgspec.ValidationError as error:
            raise CorruptedError(f"order {columns[0]}: it is damaged in the store: {error}") from error
    return found


def _ask_touches(orders: Sequence[Order]) -> Touched:
    return Touched(tuple({order.id: None for order in orders}), tuple({order.pid: None for order in orders}))


def _answer_touches(asked: tuple[Fence, Sequence[Answer]]) -> Touched:
    return Touched(tuple({answer.id: None for answer in asked[1]}), (asked[0].pid,))


ASK: Final = Write(_ask, _ask_touches)
ANSWER: Final = Write(_answer, _answer_touches)
