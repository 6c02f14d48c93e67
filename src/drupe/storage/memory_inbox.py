"""Orders in memory: what a memory store does for its `Inbox`."""

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from drupe.core.lifecycle import State
from drupe.core.order import Answer, Order, Receipt, last_word
from drupe.core.record import Record
from drupe.storage import rule

T = TypeVar("T")

Write = Generator[None, None, T]
"""Looks and may refuse, yields once, then changes things and cannot fail."""


@dataclass(slots=True)
class Letter:
    """An order, and what became of it."""

    order: Order
    receipt: Receipt


Letters = dict[str, Letter]
"""By id, in the order in which they came."""


def ask(letters: Letters, orders: Sequence[Order], row: Callable[[str], Record | None]) -> Write[list[Receipt]]:
    """See `Inbox.ask`; ``row`` gets that of a process, if it is there."""
    rule.check_orders(orders)
    new: Letters = {}
    for order in orders:
        if order.id not in letters and order.id not in new:
            new[order.id] = Letter(order, rule.first_receipt(order, row(order.pid)))
    yield
    letters.update(new)
    return [letters[order.id].receipt for order in orders]


def pending(letters: Letters, wanted: Callable[[str], bool]) -> list[Order]:
    """Get the orders that are not answered, to the processes that are wanted, oldest first."""
    return [one.order for one in letters.values() if not one.receipt.settled and wanted(one.order.pid)]


def receipt(letters: Letters, id: str) -> Receipt:
    """See `Inbox.receipt`."""
    found = letters.get(id)
    if found is None:
        raise rule.unknown_order(id)
    return found.receipt


def write_answers(letters: Letters, pid: str, answers: Iterable[Answer], at: float) -> None:
    """Answer orders of a process; one that was answered before is left as it is."""
    for answer in answers:
        letter = letters.get(answer.id)
        if letter is not None and letter.order.pid == pid and not letter.receipt.settled:
            letter.receipt = msgspec.structs.replace(
                letter.receipt, outcome=answer.outcome, detail=answer.detail, answered=at
            )


def answer_the_rest(letters: Letters, pid: str, state: State, at: float) -> None:
    """Answer what a process that has ended will never take."""
    for order in pending(letters, lambda found: found == pid):
        outcome, detail = last_word(order.verb, state)
        write_answers(letters, pid, [Answer(id=order.id, outcome=outcome, detail=detail)], at)


def drop(letters: Letters, pid: str) -> None:
    """Forget everything that was asked of a process."""
    for id in [id for id, letter in letters.items() if letter.order.pid == pid]:
        del letters[id]
