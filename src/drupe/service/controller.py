"""The caller's side of control: from any program that can open the store, of any process, whoever runs it.

What is asked is in the store before anybody is told (see `ordering`). Whether it has happened is learnt from the owner's
answer, from the broadcast of the change, or by asking the store again: each alone is enough.
"""

import asyncio
import logging
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from drupe.core.attributes import FrozenAttributes
from drupe.core.lifecycle import TERMINAL
from drupe.core.message import (
    KillRequest,
    PauseRequest,
    PlayRequest,
    SignalRequest,
    StatusRequest,
    request_body,
)
from drupe.core.record import Query, Record, is_quarantined
from drupe.core.status import Lack, Progress, Status
from drupe.engine.process import Process
from drupe.engine.registry import ClassRegistry
from drupe.errors import CommunicationError, MessageError
from drupe.interfaces.ambient import Clock, Ids
from drupe.interfaces.communicator import DEADLINE, DEFAULT_QUEUE, Communicator
from drupe.interfaces.hints import Hints
from drupe.interfaces.store import Store
from drupe.runtime.clock import SystemClock, tick
from drupe.runtime.ids import RandomIds
from drupe.service.deadline import within
from drupe.service.lacking import idle, lack_of_queue, lacks
from drupe.service.launching import Launch, Launching
from drupe.service.news import News
from drupe.service.ordering import Handle, Ordering
from drupe.service.outcome import outcome_of
from drupe.service.presence import Presence
from drupe.service.queueing import Queueing
from drupe.service.retrying import Retrying
from drupe.service.status import stored_status, with_progress
from drupe.service.telling import Telling

_LOG: Final = logging.getLogger("drupe.service")

POLL: Final = 1.0
"""Seconds after which the store is asked again, at most."""
_OWNER: Final = 2.0
"""Seconds that an owner has to say how far a process is, and workers whether they could run it."""


class Controller:
    """Launches, pauses, plays, kills, signals and watches processes of a store; an async context manager, to be used on one loop.

    Every call takes a deadline in seconds and ends by it. What is asked is in the store when a verb returns,
    and a receipt says what became of it.

    Args:
        store: where the processes are; open.
        communicator: how their owners are told, how one hears of changes, and how workers are asked to run something; open.
            None leaves it to asking the store, and nothing can be launched.
        presence: how owners of this machine show that they live; None leaves it to leases.
        hints: tell what others have committed; None leaves that to the communicator.
        poll: seconds after which the store is asked again, at most; None leaves it to messages.
        clock: time.
        ids: names of orders.
    """

    def __init__(  # noqa: PLR0913 (each is a part of its own, with a default)
        self,
        store: Store,
        communicator: Communicator | None = None,
        *,
        presence: Presence | None = None,
        hints: Hints | None = None,
        poll: float | None = POLL,
        clock: Clock | None = None,
        ids: Ids | None = None,
    ) -> None:
        self._store = store
        self._communicator = communicator
        self._clock = clock or SystemClock()
        self._presence = presence
        is_dead = presence.is_dead if presence is not None else lambda _: False
        self._news = News(poll, hints)
        self._telling = Telling(communicator, self._news.stir)
        ids = ids or RandomIds()
        self._ordering = Ordering(store, self._news, self._telling, is_dead=is_dead, clock=self._clock, ids=ids)
        self._launching = Launching(
            communicator,
            store,
            registry=ClassRegistry(Process),
            ids=ids,
            queueing=Queueing(store, clock=self._clock, ids=ids),
            news=self._news,
            wait=self.wait,
        )

    async def __aenter__(self) -> Self:
        await self._news.open(self._communicator)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._telling.close()
        await self._news.close()

    # --- having workers run something -------------------------------------------------------------------------

    async def launch(
        self,
        process_class: type[Process] | str,
        inputs: Mapping[str, Any] | None = None,
        *,
        pid: str | None = None,
        queue: str = DEFAULT_QUEUE,
        deadline: float | None = DEADLINE,
    ) -> Launch:
        """Have a worker create a process and run it; see `drupe.service.launching.Launching.launch`."""
        async with within(deadline, "no worker was asked to create a process"):
            return await self._launching.launch(process_class, inputs, pid=pid, queue=queue)

    async def execute(
        self,
        process_class: type[Process] | str,
        inputs: Mapping[str, Any] | None = None,
        *,
        pid: str | None = None,
        queue: str = DEFAULT_QUEUE,
        deadline: float | None = DEADLINE,
    ) -> Any:
        """Have a worker create a process and run it, as one request, and get its outputs; see `Launching.execute`."""
        return await self._launching.execute(process_class, inputs, pid=pid, queue=queue, deadline=deadline)

    async def continue_(self, pid: str, *, queue: str = DEFAULT_QUEUE, deadline: float | None = DEADLINE) -> Launch:
        """Have a worker go on with a process, if nobody runs it; see `Launching.continue_`."""
        async with within(deadline, f"no worker was asked to go on with process {pid}"):
            return await self._launching.continue_(pid, queue=queue)

    # --- verbs -----------------------------------------------------------------------------------------------

    async def pause(
        self,
        pid: str,
        reason: str | None = None,
        *,
        cascade: bool = False,
        deadline: float | None = DEADLINE,
        id: str | None = None,
    ) -> Handle:
        """Have a process take no more steps until it is played.

        Args:
            pid: which.
            reason: why, for people.
            cascade: ask it of its descendants too.
            deadline: seconds for the asking.
            id: of the order: asking again with the same one is asking once. By default a new one.

        Raises:
            UnknownProcessError: there is no such process.
            DeadlineError: it could not be written in time.
        """
        request = PauseRequest(reason=reason, cascade=cascade)
        return await self._ordering.one(pid, request, cascade=cascade, deadline=deadline, id=id)

    async def play(
        self, pid: str, *, cascade: bool = False, deadline: float | None = DEADLINE, id: str | None = None
    ) -> Handle:
        """Have a process go on after a pause; what is taken and raised is as in `pause`."""
        return await self._ordering.one(pid, PlayRequest(cascade=cascade), cascade=cascade, deadline=deadline, id=id)

    async def kill(
        self,
        pid: str,
        reason: str | None = None,
        *,
        force: bool = False,
        cascade: bool = False,
        deadline: float | None = DEADLINE,
        id: str | None = None,
    ) -> Handle:
        """End a process as KILLED when its running step ends; what is taken and raised is as in `pause`.

        Args:
            pid: which.
            reason: why, for people.
            force: at once, whoever holds it. A step that awaits is cancelled, one that does not ends unobserved, and
                none of the process's hooks is called.
            cascade: ask it of its descendants too, after it.
            deadline: seconds for the asking.
            id: of the order.
        """
        request = KillRequest(reason=reason, force=force, cascade=cascade)
        return await self._ordering.one(pid, request, cascade=cascade, deadline=deadline, id=id)

    async def signal(
        self, pid: str, name: str, payload: Any = None, *, deadline: float | None = DEADLINE, id: str | None = None
    ) -> Handle:
        """Send a signal; a `Wait` for this name takes it, now or later. What is taken and raised is as in `pause`.

        Raises:
            UnsavableError: the payload could not be read again; nothing was sent.
            TooLargeError: it exceeds the limit for messages.
        """
        request = SignalRequest(name=name, payload=payload)
        return await self._ordering.one(pid, request, cascade=False, deadline=deadline, id=id)

    async def signal_all(
        self, name: str, payload: Any = None, query: Query | None = None, *, deadline: float | None = DEADLINE
    ) -> list[Handle]:
        """Send a signal to every living process that a query lists, by default all: those that wait for it, and those that may.

        The limit of the query is that of a page: so many get it in one commit.

        Raises:
            UnsavableError: the payload could not be read again; nothing was sent.
            TooLargeError: it exceeds the limit for messages.
            DeadlineError: not all were sent in time; those that were are.
        """
        return await self._ordering.all(query, SignalRequest(name=name, payload=payload), deadline)

    async def pause_all(
        self, query: Query | None = None, reason: str | None = None, *, deadline: float | None = DEADLINE
    ) -> list[Handle]:
        """Pause every living process that a query lists, by default all; the limit of the query is that of a page."""
        return await self._ordering.all(query, PauseRequest(reason=reason), deadline)

    async def play_all(self, query: Query | None = None, *, deadline: float | None = DEADLINE) -> list[Handle]:
        """Play every living process that a query lists, by default all."""
        return await self._ordering.all(query, PlayRequest(), deadline)

    async def kill_all(
        self,
        query: Query | None = None,
        reason: str | None = None,
        *,
        force: bool = False,
        deadline: float | None = DEADLINE,
    ) -> list[Handle]:
        """Kill every living process that a query lists, by default all."""
        return await self._ordering.all(query, KillRequest(reason=reason, force=force), deadline)

    async def retry(self, pid: str, *, deadline: float | None = DEADLINE) -> Record:
        """Have a process tried again, and get the row of the one that does; a worker goes on with it.

        For one that excepted that is a new one, which begins with its last checkpoint, has its finished children, and new
        ones for those that failed (`Record.retry_of`). One that is quarantined is played, with all its attempts.

        Raises:
            InvalidStateError: it is neither, or was retried already and that has ended, too.
            UnknownProcessError: there is no such process.
            DeadlineError: it could not be done in time.
        """
        async with within(deadline, f"process {pid} was not retried"):
            if is_quarantined(await self._store.record(pid)):
                await (await self.play(pid, deadline=None)).settled(deadline=None)
                return await self._store.record(pid)
            row = await Retrying(self._store, clock=self._clock).retry(pid)
            self._telling.go_on([row])
            return row

    # --- looking ---------------------------------------------------------------------------------------------

    async def status(self, pid: str, *, deadline: float | None = DEADLINE) -> Status:
        """Get where a process is: what the store says, and what its owner adds, if it answers soon.

        Of one that could go on and that nobody holds, it is asked whether any worker can run it (`Status.lack`).

        Raises:
            UnknownProcessError: there is no such process.
            DeadlineError: the store did not answer in time.
        """
        began = tick()
        async with within(deadline, f"the store has not said where process {pid} is"):
            status = await stored_status(self._store, pid)
        until = None if deadline is None else began + deadline
        if status.owner is not None and self._communicator is not None:
            try:
                request = request_body(StatusRequest(pid=pid))
                body = await self._communicator.rpc_send(status.owner, request, deadline=_rest(until))
                status = with_progress(status, Progress.of_body(body))
            except (CommunicationError, MessageError) as error:
                _LOG.debug("the owner of process %s did not say how far it is: %s", pid, error)
        return status if status.answered else await self._with_lack(status, _rest(until))

    async def _with_lack(self, status: Status, seconds: float) -> Status:
        try:
            async with asyncio.timeout(seconds):
                row, now = await self._store.record(status.pid), self._clock.now()
                found = await idle(self._store, [row], presence=self._presence, now=now)
                if not found.records:
                    return status
                lacking = await lacks(self._store, self._communicator, found, presence=self._presence, deadline=seconds)
        except TimeoutError:  # it is not known
            return status
        return msgspec.structs.replace(status, lack=lacking.get(status.pid))

    async def lack(self, queue: str = DEFAULT_QUEUE, *, deadline: float | None = DEADLINE) -> Lack | None:
        """Get why nobody takes what lies in a queue of tasks; None if a worker does, or one that does not answer may.

        Raises:
            DeadlineError: the store did not answer in time.
        """
        async with within(deadline, f"it was not learnt who takes tasks from the queue {queue}"):
            seconds = _OWNER if deadline is None else min(_OWNER, deadline)
            return await lack_of_queue(
                self._store, self._communicator, queue, presence=self._presence, deadline=seconds
            )

    async def wait(self, pid: str, *, deadline: float | None = None) -> FrozenAttributes:
        """Wait for the outputs of a process, whoever runs it.

        Args:
            pid: which.
            deadline: seconds; None: as long as it takes.

        Raises:
            KilledError: it was killed.
            ExceptedError: it ended by an exception.
            UnknownProcessError: there is no such process.
            DeadlineError: it has not ended in time; it goes on.
        """

        async def ended() -> bool | None:
            return (await self._store.record(pid)).state in TERMINAL or None

        async with within(deadline, f"process {pid} has not ended"):
            await self._news.until(pid, ended)
            return await outcome_of(self._store, pid)


def _rest(until: float | None) -> float:
    """Get for how long others may be waited for."""
    return _OWNER if until is None else max(0.0, min(_OWNER, until - tick()))
