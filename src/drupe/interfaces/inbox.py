"""What is asked of the place where orders to processes lie until they are answered.

It is part of a store: an order outlives whoever gave it, and is answered in the same transaction as the change that it
brings about. Like the store it is usable from any thread and loop, and tells nobody that an order came. The suite that
holds a backend to this is part of `drupe.testing.store_contract`.
"""

from collections.abc import Sequence
from typing import Protocol

from drupe.core.order import Answer, Order, Receipt
from drupe.core.record import Change, Fence


class Inbox(Protocol):
    """Orders to processes, and their receipts."""

    async def ask(self, orders: Sequence[Order]) -> list[Receipt]:
        """Keep orders, all or none, and get their receipts in order.

        One whose id is there already is left as it is, and its receipt is what became of it. One to a process that has ended
        is answered at once, by `drupe.core.order.last_word`.

        Raises:
            UnknownProcessError: there is no such process; nothing was kept.
            TooLargeError: a body exceeds the limit for messages; nothing was kept.
            StoreUnavailableError: the store cannot be written now.
        """
        ...

    async def orders(self, pid: str) -> list[Order]:
        """Get what was asked of a process and not answered yet, oldest first. Empty for one that is not there."""
        ...

    async def first_signal(self, pid: str, name: str) -> Order | None:
        """Get the oldest signal of a name to a process that is not answered yet; None if there is none. Index look-up."""
        ...

    async def asked(self, owner: str, *, limit: int = 1000) -> list[Order]:
        """Get what was asked of any process that ``owner`` holds and not answered yet, oldest first. Index look-up.

        Of the signals to a process it gets the oldest of each name: those that nobody waits for do not hide the rest.
        It costs nothing to speak of when there is nothing, so it can be asked often.
        """
        ...

    async def answer(self, fence: Fence, answers: Sequence[Answer]) -> None:
        """Answer orders whose answer changes nothing of the process. One that was answered before is left as it is.

        Answers that go with a change are in `Change.answers`. Those to a process that nobody holds are given by whoever
        looked at it last.

        Raises:
            FencedError: the process has another epoch by now; nothing was written.
        """
        ...

    async def receipt(self, id: str) -> Receipt:
        """Get what became of an order.

        Raises:
            UnknownOrderError: there is no such order (any more: receipts go with their process).
        """
        ...

    async def overrule(self, change: Change, *, dead: Sequence[str] = (), force: bool = False) -> None:
        """Commit a change of a process that the caller does not hold: its epoch goes up by one and nobody holds it then.

        The row must have the change's epoch and ``seq - 1``. Whoever held it is fenced from then on. The last one committed
        again (its answer was lost) does nothing and succeeds.

        Args:
            change: what is written; it has no births.
            dead: owners that the caller knows to be dead.
            force: also if a living owner holds it.

        Raises:
            OwnedError: somebody holds it whose lease runs and who is not among ``dead``, and ``force`` is not given.
            FencedError: the row is not where the change believes it is; read it again.
            InvalidStateError: it has ended.
            TooLargeError: as in `Store.save`.
            StoreUnavailableError: the store cannot be written now.
        """
        ...
