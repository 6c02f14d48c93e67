"""A communicator over any link: it joins who calls and who answers, and leaves the carrying to the link.

It runs on the loop that opened it, and every method belongs there. Tasks lie in a `TaskQueue` that is passed in: the
link carries hints of them, and their replies.
"""

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from itertools import chain
from typing import Any, Final

import msgspec

from drupe.core import entitlement
from drupe.core.message import Broadcast, Message, Reply, Rpc, Task, encode_message, open_message, size_of, unpack
from drupe.errors import (
    CommunicationError,
    CommunicatorClosedError,
    DeadlineError,
    DuplicateSubscriberError,
    MessageError,
    NotEntitledError,
    OverloadedError,
    UnroutableError,
)
from drupe.interfaces.ambient import Clock, Ids
from drupe.interfaces.communicator import (
    DEADLINE,
    DEFAULT_QUEUE,
    Admits,
    BroadcastCallback,
    CloseCallback,
    RpcCallback,
    TaskCallback,
)
from drupe.interfaces.task_queue import TaskQueue
from drupe.messaging.calls import Call, Calls, reply_of, reply_refused
from drupe.messaging.complaint import Complaints
from drupe.messaging.consumer import Consumer
from drupe.messaging.hearing import Hearing
from drupe.messaging.held_task import HeldTask
from drupe.messaging.link import Link
from drupe.messaging.load import Load
from drupe.messaging.origin import Origin
from drupe.messaging.pull import pulling
from drupe.messaging.source import QueueSource, Sources
from drupe.messaging.subscription import Handle, Receipt
from drupe.runtime.clock import SystemClock
from drupe.runtime.ids import RandomIds

_LOG: Final = logging.getLogger("drupe.messaging")

_BREATH: Final = 16
"""So many broadcasts are sent before the loop is given back: what goes in one turn goes together."""
PARTING: Final = 5.0
"""Seconds that what is done for others, and the queues of tasks, have to end when a participant is closed."""


class Participant:
    """A communicator; see `drupe.interfaces.communicator.Communicator`.

    Args:
        link: carries messages to the other participants.
        tasks: where tasks lie; all participants have the same.
        sources: opens where a subscriber's tasks come from; by default they are taken from ``tasks``.
        clock: says when an RPC is too late to be begun.
        ids: makes identifiers.
    """

    def __init__(
        self,
        link: Link,
        tasks: TaskQueue,
        *,
        sources: Sources | None = None,
        clock: Clock | None = None,
        ids: Ids | None = None,
    ) -> None:
        self._link = link
        self._open_source = sources or self._look_into
        self.tasks = tasks
        """The queues of tasks."""
        self._clock = clock or SystemClock()
        self._ids = ids or RandomIds()
        self._opened = self._closed = self._takes = False
        self._broadcasts = 0
        self._calls = Calls()
        self._load = Load()
        self._complaints = Complaints(_LOG, clock=clock)
        self._rpcs: dict[str, RpcCallback] = {}
        self._hearings: dict[str, Hearing] = {}
        self._consumers: dict[str, Consumer] = {}
        self._working: set[asyncio.Task[None]] = set()
        self._close_callbacks: list[CloseCallback] = []

    # --- its life ----------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Make it ready."""
        if self._opened:
            raise CommunicationError("this communicator was opened before; make another one")
        self._opened = True
        await self._link.open(self)
        for holder in await self.tasks.holders():  # in a durable queue, also of those who ended when nobody was here
            if not await self._link.knows(holder):
                await self._inherit(holder)

    async def close(self) -> None:
        """End everything."""
        await self._close(None)

    async def _close(self, failure: CommunicationError | None) -> None:
        if self._closed:
            return
        self._closed = True
        # Where tasks lie in a database, that may be frozen. What is held here is put back by who finds us gone, then.
        until = asyncio.get_running_loop().time() + PARTING
        try:
            async with asyncio.timeout_at(until):
                await self._end_work()
        except TimeoutError:
            _LOG.warning("what was being done for others has not ended within %g s, and is not waited for", PARTING)
        await self._link.close()
        try:
            async with asyncio.timeout_at(until):
                if self._takes:
                    await self.tasks.forget(self._link.address)
        except TimeoutError:
            _LOG.warning("the queues of tasks have not answered within %g s, and are not waited for", PARTING)
        finally:
            self._calls.close(self._closed_error())
            self._tell_closed(failure)

    async def _end_work(self) -> None:
        for consumer in self._consumers.values():
            await consumer.end()
        working = chain(
            self._working,
            *(consumer.running() for consumer in self._consumers.values()),
            *(hearing.end() for hearing in self._hearings.values()),
        )
        own = asyncio.current_task()  # a callback may close the communicator that called it, and ends by itself
        if others := [task for task in working if task is not own]:
            for task in others:
                task.cancel()
            await asyncio.wait(others)

    def is_closed(self) -> bool:
        """Tell whether it is closed."""
        return self._closed

    def add_close_callback(self, callback: CloseCallback) -> None:
        """Have ``callback`` called when it is closed."""
        self._check_open()
        self._close_callbacks.append(callback)

    # --- sending -----------------------------------------------------------------------------------------

    async def task_send(self, body: Any = None, *, queue: str = DEFAULT_QUEUE, no_reply: bool = False) -> Receipt:
        """Put a task into a queue."""
        self._check_open()
        reply_to = None if no_reply else self._link.address
        task = Task(id=self._ids.pid(), queue=queue, body=body, reply_to=reply_to, no_reply=no_reply)
        call = None if no_reply else self._calls.expect(task.id, entitlement.needed(task))
        await self.tasks.put([task])
        self.announce(queue)
        return Receipt(task.id, queue, self._calls, call)

    async def rpc_send(self, recipient: str, body: Any = None, *, deadline: float | None = DEADLINE) -> Any:
        """Call whoever subscribed as ``recipient``."""
        self._check_open()
        until = None if deadline is None else self._clock.now() + deadline
        request = Rpc(id=self._ids.pid(), recipient=recipient, body=body, deadline=until)
        data = encode_message(request)
        call: Call = self._calls.expect(request.id, entitlement.needed(request))
        if recipient in self._rpcs:
            call.address = self._link.address
            self._receive_own(data)
        else:
            await self._link.call(recipient, data, call)
        return await self._calls.wait(call, deadline, f"the RPC to {recipient!r}")

    async def broadcast_send(
        self,
        body: Any = None,
        *,
        sender: str | None = None,
        subject: str | None = None,
        correlation_id: str | None = None,
    ) -> None:
        """Tell everybody who wants to hear it."""
        self._check_open()
        message = Broadcast(body=body, sender=sender, subject=subject, correlation_id=correlation_id)
        data = encode_message(message)
        self._link.publish(data, role=entitlement.needed(message))
        if self._hearings:
            self.received(Origin(self._link.address), open_message(data))
        self._broadcasts = (self._broadcasts + 1) % _BREATH
        if not self._broadcasts:  # whoever sends without end lets the subscribers on this loop keep up
            await asyncio.sleep(0)

    # --- subscribing -------------------------------------------------------------------------------------

    async def subscribe_task(self, callback: TaskCallback, *, queue: str = DEFAULT_QUEUE, prefetch: int = 1) -> Handle:
        """Take tasks from a queue."""
        self._check_open()
        if prefetch < 1:
            raise ValueError(f"prefetch is how many tasks are done at a time: at least 1, not {prefetch}")
        self._takes = True
        handle = Handle(self._ids.pid(), self._end_consumer)
        awake = asyncio.Event()
        source = await self._open_source(queue, prefetch, awake.set)
        self._consumers[handle.identifier] = Consumer(
            callback, source, prefetch=prefetch, surroundings=self, awake=awake
        )
        return handle

    def pull(self, queue: str = DEFAULT_QUEUE) -> AbstractAsyncContextManager[AsyncIterator[HeldTask]]:
        """Get the tasks that are in a queue now."""
        self._check_open()
        self._takes = True
        return pulling(queue, surroundings=self, holder=self._link.address)

    async def subscribe_rpc(self, callback: RpcCallback, identifier: str | None = None) -> Handle:
        """Answer the RPCs to ``identifier``."""
        self._check_open()
        identifier = self._ids.pid() if identifier is None else identifier
        if identifier in self._rpcs:
            raise DuplicateSubscriberError(f"{identifier!r} is answered to by this communicator already")
        self._rpcs[identifier] = callback  # before others know the name: a call may come at once
        try:
            await self._link.register(identifier)
        except BaseException:
            del self._rpcs[identifier]
            raise
        return Handle(identifier, self._end_rpc)

    async def subscribe_broadcast(self, callback: BroadcastCallback, admits: Admits | None = None) -> Handle:
        """Hear the broadcasts that ``admits`` lets pass."""
        self._check_open()
        handle = Handle(self._ids.pid(), self._end_hearing)
        self._hearings[handle.identifier] = Hearing(callback, admits)
        return handle

    async def _look_into(self, queue: str, _prefetch: int, _wake: Callable[[], None]) -> QueueSource:
        return QueueSource(self.tasks, queue, holder=self._link.address)

    async def _end_consumer(self, identifier: str) -> None:
        if not self._closed:
            await self._consumers.pop(identifier).end()

    async def _end_rpc(self, identifier: str) -> None:
        if not self._closed:
            del self._rpcs[identifier]
            await self._link.unregister(identifier)

    async def _end_hearing(self, identifier: str) -> None:
        if not self._closed:
            self._hearings.pop(identifier).end()

    # --- what the link tells -----------------------------------------------------------------------------

    def received(self, origin: Origin, message: Message) -> None:
        """Take a message; see `drupe.messaging.link.Receiver`."""
        match message:
            case Broadcast():
                if origin.role < entitlement.needed(message):
                    self._complaints.make("a broadcast was dropped whose sender may not send it")
                    return
                for hearing in list(self._hearings.values()):
                    hearing.hear(message)
            case Reply():
                self._calls.answer(origin, message)
            case Rpc():
                if not self._closed:
                    self._begin(origin, message)
            case _:  # a task; they come from the queue alone
                self._complaints.make("a task that was sent as a message was dropped")

    def missed(self, number: int) -> None:
        """Note that broadcasts were dropped."""
        for hearing in self._hearings.values():
            hearing.miss(number)

    def woken(self, queue: str) -> None:
        """Look at a queue."""
        for consumer in self._consumers.values():
            if consumer.queue == queue:
                consumer.wake()

    def lost(self, address: str) -> None:
        """Fail what is expected of a participant that is gone, and put back the tasks it held."""
        self._calls.lose(address)
        if not self._closed:
            self._start(self._inherit(address))

    def closed(self, error: CommunicationError) -> None:
        """End everything, because nothing can be sent any more."""
        self._start(self._close(error))

    async def _inherit(self, address: str) -> None:
        try:
            if await self.tasks.forget(address):
                for consumer in self._consumers.values():
                    consumer.wake()
        except Exception:  # noqa: BLE001 (logged; the queue itself finds them later)
            _LOG.exception("the tasks of a participant that is gone could not be put back")

    def _begin(self, origin: Origin, request: Rpc) -> None:
        if self._load.begin(origin.address, size_of(request.body)):
            self._start(self._serve(origin, request))
        else:
            error = OverloadedError("too many calls from here are being answered over there already; try again later")
            self.answer(origin, encode_message(reply_refused(request.id, error)), answers=request.id)

    async def _serve(self, origin: Origin, packed: Rpc) -> None:
        try:
            answer = await self._answer_to(origin, packed)
        finally:
            self._load.end(origin.address, size_of(packed.body))
        self.answer(origin, answer, answers=packed.id)

    async def _answer_to(self, origin: Origin, packed: Rpc) -> bytes:
        try:
            callback, body = self._prepare(origin, packed)
        except (NotEntitledError, UnroutableError) as error:
            return encode_message(reply_refused(packed.id, error))
        except (DeadlineError, MessageError) as error:
            return encode_message(reply_of(packed.id, error))
        try:
            result = callback(body)
            if inspect.isawaitable(result):
                result = await result
            return encode_message(Reply(id=packed.id, result=result))
        except asyncio.CancelledError as error:
            if self._closed:
                raise
            return encode_message(reply_of(packed.id, error))  # the callback was cancelled, not this communicator
        except Exception as error:  # noqa: BLE001 (the caller gets it)
            return encode_message(reply_of(packed.id, error))

    def _prepare(self, origin: Origin, packed: Rpc) -> tuple[RpcCallback, Any]:
        if packed.deadline is not None and self._clock.now() >= packed.deadline:
            raise DeadlineError("it came after its deadline, and was not begun")
        callback = self._rpcs.get(packed.recipient)
        if callback is None:
            raise UnroutableError(f"nobody answers to {packed.recipient!r} any more")
        body = unpack(packed.body)
        entitlement.check(msgspec.structs.replace(packed, body=body), origin.role)
        return callback, body

    # --- what subscribers need ---------------------------------------------------------------------------

    def answer(self, origin: Origin, data: bytes, *, answers: str) -> None:
        """Send an encoded reply to what has the id ``answers``, if somebody is there."""
        try:
            if origin.address == self._link.address:
                self._receive_own(data)
            else:
                self._link.send(origin, data, answers=answers)
        except UnroutableError:
            pass  # nobody waits for it any more
        except OverloadedError:
            self._complaints.make("a reply was dropped: its receiver takes nothing any more")

    def announce(self, queue: str, delay: float = 0.0) -> None:
        """Tell everybody that there is a task in ``queue``, after ``delay`` seconds."""
        if delay > 0:
            asyncio.get_running_loop().call_later(delay, self.announce, queue)
        elif not self._closed:
            self.woken(queue)
            self._link.wake(queue)

    def _receive_own(self, data: bytes) -> None:
        asyncio.get_running_loop().call_soon(self.received, Origin(self._link.address), open_message(data))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    # --- being closed ------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._closed or not self._opened:
            raise self._closed_error()

    def _closed_error(self) -> CommunicatorClosedError:
        return CommunicatorClosedError(f"this communicator {'was closed' if self._closed else 'is not open yet'}")

    def _tell_closed(self, failure: CommunicationError | None) -> None:
        for callback in self._close_callbacks:
            try:
                callback(failure)
            except Exception:  # noqa: BLE001 (logged; the others are told)
                _LOG.exception("a callback that was told of the end of a communicator failed")
