"""A communicator whose callbacks run on one loop while the connection lives on the thread of a `ThreadCommunicator`.

User code may block this loop as long as it likes. A filter of broadcasts is asked on the communicator's thread, before
the hop: what nobody wants here costs this loop nothing.
"""

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from drupe.errors import CommunicationError, CommunicatorClosedError, LoopError
from drupe.interfaces.communicator import (
    DEADLINE,
    DEFAULT_QUEUE,
    Admits,
    BroadcastCallback,
    CloseCallback,
    Communicator,
    IncomingTask,
    RpcCallback,
    TaskCallback,
    TaskReceipt,
)
from drupe.messaging.far import FarReceipt, FarTask
from drupe.messaging.subscription import Handle
from drupe.messaging.thread import ThreadCommunicator
from drupe.runtime import bridge
from drupe.runtime.errand import Errands

T = TypeVar("T")

_LOG: Final = logging.getLogger("drupe.messaging")


class LoopCommunicator:
    """A communicator for one loop; see `drupe.interfaces.communicator.Communicator`. Opens and closes ``communicator``.

    Args:
        communicator: where the connection lives; not yet open.
    """

    def __init__(self, communicator: ThreadCommunicator) -> None:
        self._thread = communicator
        self._errands: Errands | None = None

    # --- its life ----------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Make it ready; callbacks run on the running loop from here on."""
        if self._errands is not None:
            raise CommunicationError("this communicator was opened before; make another one")
        self._errands = Errands(
            asyncio.get_running_loop(),
            cancelled=asyncio.CancelledError,
            gone=lambda: LoopError("the loop of the subscriber is closed"),
        )
        await asyncio.shield(asyncio.wrap_future(self._thread.start()))

    async def close(self) -> None:
        """End everything, and wait for the callbacks that were cancelled."""
        own, working = asyncio.current_task(), []
        if self._errands is not None:
            self._errands.keep(own)  # a callback may close the communicator that called it
            working = [task for task in self._errands.tasks() if task is not own]
        await asyncio.shield(asyncio.wrap_future(self._thread.stop()))
        if working:
            await asyncio.wait(working)

    def is_closed(self) -> bool:
        """Tell whether it is closed."""
        return self._thread.is_closed()

    def add_close_callback(self, callback: CloseCallback) -> None:
        """Have ``callback`` called on this loop when it is closed."""
        loop = asyncio.get_running_loop()

        def tell(reason: BaseException | None) -> None:
            try:
                callback(reason)
            except Exception:  # noqa: BLE001 (logged; the others are told)
                _LOG.exception("a callback that was told of the end of a communicator failed")

        self._thread.add_close_callback(lambda reason: bridge.hop(loop, tell, reason))

    def call(self, work: Callable[[Communicator], Coroutine[Any, Any, T]]) -> Future[T]:
        """Have ``work(communicator)`` run on the communicator's thread, and get a future of its result."""
        return self._thread.call(work)

    # --- sending -----------------------------------------------------------------------------------------

    async def task_send(self, body: Any = None, *, queue: str = DEFAULT_QUEUE, no_reply: bool = False) -> TaskReceipt:
        """Put a task into a queue."""
        receipt = await self._far(lambda one: one.task_send(body, queue=queue, no_reply=no_reply))
        return FarReceipt(receipt, self._far)

    async def rpc_send(self, recipient: str, body: Any = None, *, deadline: float | None = DEADLINE) -> Any:
        """Call whoever subscribed as ``recipient``."""
        return await self._far(lambda one: one.rpc_send(recipient, body, deadline=deadline))

    async def broadcast_send(
        self,
        body: Any = None,
        *,
        sender: str | None = None,
        subject: str | None = None,
        correlation_id: str | None = None,
    ) -> None:
        """Tell everybody who wants to hear it."""
        await self._far(
            lambda one: one.broadcast_send(body, sender=sender, subject=subject, correlation_id=correlation_id)
        )

    # --- subscribing -------------------------------------------------------------------------------------

    async def subscribe_task(self, callback: TaskCallback, *, queue: str = DEFAULT_QUEUE, prefetch: int = 1) -> Handle:
        """Take tasks from a queue."""

        async def near(task: IncomingTask) -> Any:
            return await self._near(callback, FarTask(task, self._far))

        return await self._subscribe(lambda one: one.subscribe_task(near, queue=queue, prefetch=prefetch))

    async def subscribe_rpc(self, callback: RpcCallback, identifier: str | None = None) -> Handle:
        """Answer the RPCs to ``identifier``."""
        return await self._subscribe(lambda one: one.subscribe_rpc(lambda body: self._near(callback, body), identifier))

    async def subscribe_broadcast(self, callback: BroadcastCallback, admits: Admits | None = None) -> Handle:
        """Hear the broadcasts that ``admits`` lets pass; it is asked on the communicator's thread."""
        return await self._subscribe(
            lambda one: one.subscribe_broadcast(lambda broadcast: self._near(callback, broadcast), admits)
        )

    @asynccontextmanager
    async def pull(self, queue: str = DEFAULT_QUEUE) -> AsyncIterator[AsyncIterator[IncomingTask]]:
        """Get the tasks that are in a queue now."""

        async def begin(communicator: Communicator) -> Any:
            block = communicator.pull(queue)
            return block, await block.__aenter__()

        block, tasks = await self._far(begin)

        async def next_task(_: Communicator) -> IncomingTask | None:
            return await anext(tasks, None)

        async def iterate() -> AsyncIterator[IncomingTask]:
            while (task := await self._far(next_task)) is not None:
                yield FarTask(task, self._far)

        try:
            yield iterate()
        finally:
            await self._far(lambda _: block.__aexit__(None, None, None))

    async def _subscribe(self, subscribe: Callable[[Communicator], Coroutine[Any, Any, Any]]) -> Handle:
        subscription = await self._far(subscribe)

        async def end(_: str) -> None:
            try:
                await self._far(lambda _: subscription.unsubscribe())
            except CommunicatorClosedError:
                pass

        return Handle(subscription.identifier, end)

    # --- between the loops -------------------------------------------------------------------------------

    async def _far(self, work: Callable[[Communicator], Coroutine[Any, Any, T]]) -> T:
        """Run on the communicator's thread, and wait here."""
        return await asyncio.wrap_future(self.call(work))

    def _near(self, callback: Callable[[Any], Any], argument: Any) -> Awaitable[Any]:
        """Run on this loop, and wait on the communicator's thread."""

        async def run() -> Any:
            result = callback(argument)
            return await result if inspect.isawaitable(result) else result

        if self._errands is None:  # pragma: no cover (nothing is subscribed to before it is open)
            raise LoopError("this communicator is not open yet")
        return asyncio.wrap_future(self._errands.send(run))
