"""Orders in memory: what a memory store does for its `Inbox`."""

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from drupe.core.lifecycle import State
from drupe.core.order import SIGNAL, Answer, Order, Receipt, last_word
from drupe.core.record import Record
from drupe.storage import rule

T = TypeVar("T")

Write = Generator[None, None, T]
"""Looks and may refuse, yields once, then changes things and cannot fail."""


@dataclass(slots=True)
class Letters:
    """Orders and what became of them, in the order in which they came."""

    receipts: dict[str, Receipt] = field(default_factory=dict)
    open: dict[str, Order] = field(default_factory=dict)
    """Those that are not answered, by id."""


def ask(
    letters: Letters, orders: Sequence[Order], row: Callable[[str], Record | None], wake: Callable[[str], None]
) -> Write[list[Receipt]]:
    """See `Inbox.ask`; ``row`` gets that of a process, if it is there, ``wake`` has it found."""
    rule.check_orders(orders)
    new: dict[str, tuple[Order, Receipt]] = {}
    for order in orders:
        if order.id not in letters.receipts and order.id not in new:
            new[order.id] = order, rule.first_receipt(order, row(order.pid))
    yield
    for id, (order, receipt) in new.items():
        letters.receipts[id] = receipt
        if not receipt.settled:
            letters.open[id] = order
            wake(order.pid)
    return [letters.receipts[order.id] for order in orders]


def is_asked(letters: Letters, pid: str, signal: str | None) -> bool:
    """Tell whether something is asked of a process and not answered: of signals, one of this name."""
    return any(order.verb != SIGNAL or order.name == signal for order in pending(letters, lambda found: found == pid))


def pending(letters: Letters, wanted: Callable[[str], bool]) -> list[Order]:
    """Get the orders that are not answered, to the processes that are wanted, oldest first."""
    return [order for order in letters.open.values() if wanted(order.pid)]


def first_signal(letters: Letters, pid: str, name: str) -> Order | None:
    """See `Inbox.first_signal`."""
    found = (order for order in letters.open.values() if (order.pid, order.verb, order.name) == (pid, SIGNAL, name))
    return next(found, None)


def asked(letters: Letters, wanted: Callable[[str], bool]) -> list[Order]:
    """Get the orders that are not answered, to the processes that are wanted, but of signals the first of each name."""
    found: dict[object, Order] = {}
    for order in pending(letters, wanted):
        found.setdefault((order.pid, order.name) if order.verb == SIGNAL else order.id, order)
    return list(found.values())


def receipt(letters: Letters, id: str) -> Receipt:
    """See `Inbox.receipt`."""
    found = letters.receipts.get(id)
    if found is None:
        raise rule.unknown_order(id)
    return found


def write_answers(letters: Letters, pid: str, answers: Iterable[Answer], at: float) -> None:
    """Answer orders of a process; one that was answered before is left as it is."""
    for answer in answers:
        order = letters.open.get(answer.id)
        if order is not None and order.pid == pid:
            del letters.open[answer.id]
            letters.receipts[answer.id] = msgspec.structs.replace(
                letters.receipts[answer.id], outcome=answer.outcome, detail=answer.detail, answered=at
            )


def answer_the_rest(letters: Letters, pid: str, state: State, at: float) -> None:
    """Answer what a process that has ended will never take."""
    for order in pending(letters, lambda found: found == pid):
        outcome, detail = last_word(order.verb, state)
        write_answers(letters, pid, [Answer(id=order.id, outcome=outcome, detail=detail)], at)


def drop(letters: Letters, pid: str) -> None:
    """Forget everything that was asked of a process that has ended."""
    for id in [id for id, receipt in letters.receipts.items() if receipt.pid == pid]:
        del letters.receipts[id]
