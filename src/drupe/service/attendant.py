"""Carrying out the orders that lie in the store for the processes that are held here.

That there is one is learnt in three ways, each of which is enough: by a hint, by looking when a process is taken over
or begins to wait for a signal, and by asking the store once in a while. Two rules keep orders from being lost, done
twice or turned round:

1. What an order brings about answers it, in the same change. Only what changes nothing is answered beside it.
2. The next order to a process is taken up when the one before is answered, or kept until the running step ends.
"""

import asyncio
import contextlib
import enum
import logging
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, Final

from drupe.core.asking import Asked, request_of
from drupe.core.control import Verb
from drupe.core.failure import legible
from drupe.core.lifecycle import TERMINAL
from drupe.core.message import KillRequest, PauseRequest, SignalRequest
from drupe.core.order import SIGNAL, Answer, Order, Outcome
from drupe.core.record import Fence
from drupe.engine.action import ControlAction, settled
from drupe.errors import FencedError, MessageError, StoreError
from drupe.interfaces.ambient import Probe
from drupe.interfaces.hints import Hint, Hints
from drupe.interfaces.host import Signal
from drupe.runtime import bridge
from drupe.service.pursuit import Pursuit
from drupe.service.stored import StoredHost, Tenure

_LOG: Final = logging.getLogger("drupe.service")

POLL: Final = 1.0
"""Seconds after which an order is found that nobody told of."""


class Look(enum.Flag):
    """What there may be about a process."""

    SIGNAL = enum.auto()
    """One that it waits for."""
    ORDERS = enum.auto()
    """Others than signals."""
    OWNER = enum.auto()
    """Another one than we."""


class Attendant:
    """Attends to the processes of one host, on their loop.

    Args:
        host: who holds them.
        probe: passed at each place where something is written.
        interval: seconds between two looks into the store; None leaves it to hints.
        hints: tell what others have committed; None leaves that to those who call.
    """

    def __init__(
        self, host: StoredHost, *, probe: Probe, interval: float | None = POLL, hints: Hints | None = None
    ) -> None:
        self._host = host
        host.attendant = self
        self._store = host.store
        self._probe = probe
        self._interval = interval
        self._told_by = hints
        self._hearing = contextlib.ExitStack()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._polling: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._look_again = False
        self._rounds: dict[str, asyncio.Task[None]] = {}
        """The processes that are being attended to."""
        self._wanted: dict[str, Look] = {}
        """Those that are to be, and because of what."""
        self._hints: dict[Future[None], str | None] = {}
        """Those that it was given and has not looked for yet: the loop may be blocked."""

    def open(self) -> None:
        """Begin, on the running loop."""
        self._loop = asyncio.get_running_loop()
        if self._interval is not None:
            self._polling = self._loop.create_task(self._poll(self._interval))
        if self._told_by is not None:
            self._hearing.callback(self._told_by.hear(self._heed))

    async def close(self) -> None:
        """Take up no more orders; what was not answered is for whoever holds the process next."""
        self._loop = None
        self._hearing.close()
        tasks = [*self._rounds.values(), *filter(None, [self._polling, self._looking])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- who tells it that there is something ----------------------------------------------------------------

    def attend(self, pid: str | None) -> Future[None]:
        """Have it look for orders to a process, and whether it is still held here; from any thread.

        Args:
            pid: which; None: any of those that are held.

        Returns:
            A future of its having looked: each order was answered, or kept until the running step ends.
        """
        looked: Future[None] = Future()
        looked.set_running_or_notify_cancel()  # who waits for it may stop waiting

        def end(_: object = None) -> None:
            del self._hints[looked]
            looked.set_result(None)

        def look() -> None:
            task = self._look(pid, ~Look(0)) if pid is not None else self._look_at_all()
            if task is None:
                end()
            else:
                task.add_done_callback(end)

        self._hints[looked] = pid
        if self._loop is None or not bridge.hop(self._loop, look):
            end()
        return looked

    async def heard(self, pid: str) -> None:
        """Look for orders to a process first, if it was given a hint while a step ran, which may have blocked the loop."""
        if self._hints and any(hint in (pid, None) for hint in list(self._hints.values())):
            await self.attended(pid)

    def listen(self, process: Any) -> None:
        """The process begins to wait for a signal: one may be there already."""
        self._look(process.pid, Look.SIGNAL)

    async def attended(self, pid: str, look: Look = Look.ORDERS) -> None:
        """Look for orders to a process, and return when each was taken up: answered, or kept until the running step ends."""
        task = self._look(pid, look)
        if task is not None:
            await asyncio.shield(task)

    async def handed(self, process: Any, orders: Sequence[Order]) -> None:
        """Take up the orders that came with the claim of a process; returns as `attended` does."""
        if all(order.verb == SIGNAL for order in orders):  # the usual case: nothing more is to be read
            await self._hand_over(process, process._life.tenure, orders)
        else:
            await self.attended(process.pid)

    def _heed(self, hint: Hint) -> None:
        """Look for what a hint tells of; on a thread of whoever gives it."""
        if hint.more:
            self.attend(None)
        for pid in hint.asked:
            if self._host.at_hand(pid) is not None:
                self.attend(pid)

    async def _poll(self, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            await self._look_around()

    def _look_at_all(self) -> "asyncio.Task[None] | None":
        if self._loop is None:
            return None
        self._look_again = True
        if self._looking is None or self._looking.done():
            self._looking = self._loop.create_task(self._look_around_and_wait())
        return self._looking

    async def _look_around_and_wait(self) -> None:
        while self._look_again:
            self._look_again = False
            await self._look_around()
            if self._rounds:
                await asyncio.wait([*self._rounds.values()])

    async def _look_around(self) -> None:
        try:
            await self._find()
        except StoreError as error:
            _LOG.warning("the orders to the processes of %s could not be read: %s", self._host.owner, error)
        except Exception:  # noqa: BLE001 (whatever it was: who looks no more would not hear a kill)
            _LOG.exception("looking for orders to the processes of %s failed", self._host.owner)

    async def _find(self) -> None:
        epochs = {pid: process._life.tenure.epoch for pid, process in self._host.live.items()}
        if not epochs:
            return
        for order in await self._store.asked(self._host.owner):
            process = self._host.at_hand(order.pid)
            if process is not None:
                self._look(order.pid, _concern(process, order))
        held = await self._store.held(self._host.owner)
        for pid, epoch in epochs.items():
            if held.get(pid) != epoch:
                self._look(pid, Look.OWNER)

    def _look(self, pid: str, look: Look) -> "asyncio.Task[None] | None":
        if self._loop is None or not look:
            return None
        self._wanted[pid] = look | self._wanted.get(pid, Look(0))
        task = self._rounds.get(pid)
        if task is None:
            task = self._rounds[pid] = self._loop.create_task(self._go_round(pid))
        return task

    async def _go_round(self, pid: str) -> None:
        try:
            while look := self._wanted.pop(pid, None):
                process = self._host.at_hand(pid)
                if process is not None and process.state not in TERMINAL:
                    await self._attend(process, look)
        except StoreError as error:
            _LOG.warning("the orders to process %s could not be carried out now: %s", pid, error)
        finally:
            del self._rounds[pid]

    # --- one process -----------------------------------------------------------------------------------------

    async def _attend(self, process: Any, look: Look) -> None:
        tenure = process._life.tenure
        if Look.OWNER in look and (await self._store.record(process.pid)).epoch != tenure.epoch:
            await self._evict(process, tenure)
        stage = process.stage  # before the store is read: what is found then was not taken in a stage before
        listed = await self._carry_out(process, tenure) if Look.ORDERS in look else None
        await self._hand_over(process, tenure, listed if process.stage is stage else None)

    async def _carry_out(self, process: Any, tenure: Tenure) -> list[Order]:
        """Take up what was asked of a process, and get all that the store had for it."""
        await self._answer_settled(process, tenure)
        listed = await self._store.orders(process.pid)
        _forget_answered(tenure, listed)
        for order in listed:
            if order.verb != SIGNAL and order.id not in tenure.orders:
                await self._take_up(process, tenure, order)
        return listed

    async def _evict(self, process: Any, tenure: Tenure) -> None:
        loss = await self._host.loss(process)
        if self._ours(process, tenure):
            _LOG.warning("process %s was taken from %s: %s", process.pid, self._host.owner, loss)
            process._life.evict(loss)

    async def _take_up(self, process: Any, tenure: Tenure, order: Order) -> None:
        await _committed(process)  # what somebody else asked for comes first
        if not self._ours(process, tenure):
            return
        try:
            request = request_of(order)
        except MessageError as error:
            await self._refuse(process, tenure, order, str(error))
            return
        action = _ask(process, request)
        tenure.orders[order.id] = Pursuit(order, Verb(order.verb), action)
        await _committed(process)
        if action.done():
            await self._answer_settled(process, tenure)
        else:  # a step runs
            action.add_done_callback(lambda _: self._look(process.pid, Look.ORDERS))

    async def _hand_over(self, process: Any, tenure: Tenure, listed: Sequence[Order] | None) -> None:
        """Give a stage the signal that it waits for: of those that were just listed, or that the store has now."""
        stage = process.stage
        while self._ours(process, tenure) and (name := stage.listening) is not None:
            if listed is None:
                order = await self._store.first_signal(process.pid, name)
            else:
                order = next((order for order in listed if order.verb == SIGNAL and order.name == name), None)
            listed = None  # one that was refused must not be found again
            if order is None:
                return
            try:
                stage.take(Signal(name, _payload(order), order.id))
            except MessageError as error:
                await self._refuse(process, tenure, order, str(error))

    # --- answers ---------------------------------------------------------------------------------------------

    async def _answer_settled(self, process: Any, tenure: Tenure) -> None:
        due = []
        for id, pursuit in list(tenure.orders.items()):
            if pursuit.action.done() and not pursuit.answered:
                answer = pursuit.answer()
                if answer is None:
                    del tenure.orders[id]
                else:
                    due.append(answer)
        await self._answer(process, tenure, due)
        for answer in due:
            tenure.orders[answer.id].answered = True

    async def _refuse(self, process: Any, tenure: Tenure, order: Order, why: str) -> None:
        await self._answer(process, tenure, [Answer(id=order.id, outcome=Outcome.REFUSED, detail=legible(why))])

    async def _answer(self, process: Any, tenure: Tenure, answers: list[Answer]) -> None:
        if not answers:
            return
        self._probe("host.answer")
        try:
            await self._store.answer(Fence(process.pid, tenure.epoch), answers)
        except FencedError:
            await self._evict(process, tenure)
        self._probe("host.answered")

    def _ours(self, process: Any, tenure: Tenure) -> bool:
        """Whether the process is still at hand as it was, and lives."""
        life = process._life
        return life.tenure is tenure and life.lost is None and life.state not in TERMINAL


async def _committed(process: Any) -> None:
    """Wait until no pause, play or kill is on its way to the store."""
    while (settling := process._life.settling) is not None:
        await asyncio.wait([settling])


def _concern(process: Any, order: Order) -> Look:
    """Get what there is to do about an order that was found in the store."""
    if order.verb == SIGNAL:
        return Look.SIGNAL if order.name == process.stage.listening else Look(0)
    return Look(0) if order.id in process._life.tenure.orders else Look.ORDERS


def _payload(order: Order) -> Any:
    request = request_of(order)
    return request.payload if isinstance(request, SignalRequest) else None


def _forget_answered(tenure: Tenure, listed: list[Order]) -> None:
    """Forget what the store does not list any more. Until then it must be known that it was taken up: lists may be old."""
    still = {order.id for order in listed}
    for id in [id for id, pursuit in tenure.orders.items() if pursuit.answered and id not in still]:
        del tenure.orders[id]


def _ask(process: Any, request: Asked) -> ControlAction:
    """Ask a process as somebody would who has it in hand: its class may have a say."""
    answer: Any
    why: str | None = None
    try:
        if isinstance(request, PauseRequest):
            answer = process.pause(request.reason)
        elif isinstance(request, KillRequest):
            answer = process.kill(request.reason)
        else:
            answer = process.play()
    except Exception as error:  # noqa: BLE001 (goes to whoever asked)
        answer, why = False, legible(f"{type(error).__name__}: {error}")
    if isinstance(answer, ControlAction):
        return answer
    if not answer:
        why = why or f"{process.kind} does not do it"
    return settled(asyncio.get_running_loop(), happened=bool(answer), why=why)
