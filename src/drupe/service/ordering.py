"""The caller's side of orders: they are written, carried out here or told of, and waited for.

What is asked is written into the store first; that alone makes it happen. If nobody holds the process it is carried out
here and now, else its owner is told to look. A signal is never carried out here: whoever holds the process takes it.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from drupe.core.asking import Asked, order_of
from drupe.core.message import KillRequest, PlayRequest, SignalRequest
from drupe.core.order import KILL, SIGNAL, Order, Receipt
from drupe.core.record import Query, Record
from drupe.errors import DeadlineError
from drupe.interfaces.ambient import Clock, Ids
from drupe.interfaces.communicator import DEADLINE
from drupe.interfaces.store import Store
from drupe.runtime.clock import tick
from drupe.service.deadline import within
from drupe.service.descent import descendants, matching
from drupe.service.news import News
from drupe.service.overruling import Overruling
from drupe.service.telling import Telling

_DOUBTS: Final = 8
"""Of so many looks one asks the store whether the lease of the owner has run out."""
_PAGE: Final = 500
"""So many processes are asked together."""


class Handle:
    """An order that was given.

    Attributes:
        receipt: what is known of it; it has been written when the handle is there.
        below: the orders to its descendants, if they were asked for.
    """

    def __init__(self, ordering: "Ordering", receipt: Receipt) -> None:
        self._ordering = ordering
        self.receipt = receipt
        self.below: tuple[Handle, ...] = ()

    async def settled(self, *, deadline: float | None = DEADLINE) -> Receipt:
        """Wait for the final answer, and get the receipt: applied, or refused with the reason.

        Raises:
            DeadlineError: there is none so far; the order stays, and waiting again is allowed.
        """
        self.receipt = await self._ordering.settled(self.receipt, deadline=deadline)
        return self.receipt


class Ordering:
    """Gives orders to processes of a store.

    Args:
        store: where they are; open.
        news: tells when there is something new about one.
        telling: tells their owners, and workers.
        is_dead: tells whether an owner is known to be dead.
        clock: time.
        ids: names of orders.
    """

    def __init__(
        self, store: Store, news: News, telling: Telling, *, is_dead: Callable[[str], bool], clock: Clock, ids: Ids
    ) -> None:
        self._store = store
        self._news = news
        self._telling = telling
        self._overruling = Overruling(store, is_dead=is_dead, clock=clock, tell=telling.changed)
        self._clock = clock
        self._ids = ids

    async def one(self, pid: str, request: Asked, *, cascade: bool, deadline: float | None, id: str | None) -> Handle:
        """Ask one process, and on request its descendants; ``id`` is that of the order, by default a new one."""
        began = tick()
        async with within(deadline, f"nothing was asked of process {pid}"):
            (handle,) = await self._ask([self._order(pid, request, id)], request)
        if cascade:
            handle.below = tuple(await self._cascade(handle, request, None if deadline is None else began + deadline))
        return handle

    async def _cascade(self, top: Handle, request: Asked, until: float | None) -> list[Handle]:
        """Ask the descendants too, again until there are no more: a step that is still running may make some."""
        asked: dict[str, Handle] = {}

        async def ask_new() -> bool:
            new = [row.pid for row in await descendants(self._store, top.receipt.pid) if row.pid not in asked]
            for handle in await self._ask([self._order(pid, request, None) for pid in new], request):
                asked[handle.receipt.pid] = handle
            return bool(new)

        async with within(_left(until), f"not all descendants of process {top.receipt.pid} were asked"):
            while await ask_new():
                pass
        try:
            await top.settled(deadline=_left(until))
        except DeadlineError:
            return list(asked.values())
        async with within(_left(until), f"not all descendants of process {top.receipt.pid} were asked"):
            while await ask_new():
                pass
        return list(asked.values())

    async def all(self, query: Query | None, request: Asked, deadline: float | None) -> list[Handle]:
        """Ask every living process that a query lists, by default all."""
        handles: list[Handle] = []
        async with within(deadline, "not all processes were asked"):
            async for page in matching(self._store, query or Query(limit=_PAGE)):
                handles += await self._ask([self._order(row.pid, request, None) for row in page], request, page)
        return handles

    def _order(self, pid: str, request: Asked, id: str | None) -> Order:
        return order_of(request, id=id or self._ids.pid(), pid=pid, at=self._clock.now())

    async def _ask(self, orders: Sequence[Order], request: Asked, rows: Sequence[Record] | None = None) -> list[Handle]:
        """Write orders, carry out here what nobody holds, and tell the owners of the others.

        Args:
            orders: what to write.
            request: what all of them are.
            rows: the processes as they were a moment ago, if that was read: it is enough to know whom to tell of a signal.
        """
        if not orders:
            return []
        receipts = await self._store.ask(orders)
        if rows is not None and isinstance(request, SignalRequest):
            rows = [self._overruling.seen(row) for row in rows]
        else:
            rows = await asyncio.gather(*(self._begin(order, request) for order in orders))
        self._telling.look(rows)
        if isinstance(request, PlayRequest | SignalRequest):
            self._telling.go_on(rows)
        return [Handle(self, await self._seen(receipt, row)) for receipt, row in zip(receipts, rows, strict=True)]

    async def _seen(self, receipt: Receipt, row: Record) -> Receipt:
        """Get the receipt as it is after what was done here."""
        if receipt.settled or receipt.verb == SIGNAL or (row.owner is not None and receipt.verb != KILL):
            return receipt
        return await self._store.receipt(receipt.id)

    async def _begin(self, order: Order, request: Asked) -> Record:
        """Carry an order out if that is for us to do, and get the row of its process as it was before."""
        if isinstance(request, KillRequest) and request.force:
            return await self._overruling.kill(order)
        if isinstance(request, SignalRequest):
            return self._overruling.seen(await self._store.record(order.pid))
        return await self._overruling.carry_out(order.pid)

    async def settled(self, receipt: Receipt, *, deadline: float | None = DEADLINE) -> Receipt:
        """Wait for the final answer to an order; see `Handle.settled`."""
        looks = 0

        async def answered() -> Receipt | None:
            nonlocal looks
            looks += 1
            found = await self._store.receipt(receipt.id)
            if not found.settled:  # its owner may have died: what nobody holds is carried out here
                await self._overruling.carry_out(receipt.pid, doubt=looks % _DOUBTS == 0)
                found = await self._store.receipt(receipt.id)
            return found if found.settled else None

        if receipt.settled:
            return receipt
        async with within(deadline, f"the {receipt.verb} of process {receipt.pid} is not answered"):
            return await self._news.until(receipt.pid, answered)


def _left(until: float | None) -> float | None:
    return None if until is None else max(0.0, until - tick())
