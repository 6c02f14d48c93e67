"""Any communicator on a thread and loop of its own, behind calls that block or give a `concurrent.futures.Future`.

Whatever the caller's threads do, the connection goes on. Callbacks of subscribers run on the communicator's thread;
`drupe.messaging.loop` brings them onto another loop.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, Self, TypeVar

from drupe.errors import CommunicationError, CommunicatorClosedError, LoopError
from drupe.interfaces.communicator import (
    DEADLINE,
    DEFAULT_QUEUE,
    Admits,
    BroadcastCallback,
    CloseCallback,
    Communicator,
    RpcCallback,
    TaskCallback,
)
from drupe.messaging.blocking import BlockingSubscription, BlockingTask
from drupe.runtime import bridge
from drupe.runtime.errand import Errands

T = TypeVar("T")

_NAME: Final = "drupe-communicator"


class ThreadCommunicator:
    """A communicator for plain code, usable from every thread but its own.

    Args:
        make: makes the communicator; called on the thread.
        name: name of the thread.
    """

    def __init__(self, make: Callable[[], Communicator], *, name: str = _NAME) -> None:
        self._make = make
        self._name = name
        self._thread: bridge.Thread | None = None
        self._communicator: Communicator | None = None
        self._errands: Errands | None = None
        self._ready: Future[None] = Future()
        self._ended: Future[None] = Future()
        self._end: Callable[[], object] = lambda: None
        self._lock = threading.Lock()

    # --- its life ----------------------------------------------------------------------------------------

    def open(self) -> Self:
        """Start the thread, and return when the communicator is open.

        Raises:
            CommunicationError: it was opened before.
            BaseException: what the communicator's `open` raised.
        """
        self.start().result()
        return self

    def close(self) -> None:
        """Close the communicator and end the thread. Twice does nothing."""
        self.stop().result()

    def start(self) -> "Future[None]":
        """Start the thread, and get a future of its being open.

        Raises:
            CommunicationError: it was started before.
        """
        with self._lock:
            if self._thread is not None or self._ended.done():
                raise CommunicationError("this communicator was opened before; make another one")
            self._thread = bridge.new_thread(self._run, name=self._name)
            self._thread.start()
        return self._ready

    def stop(self) -> "Future[None]":
        """Begin to close, and get a future of the end."""
        self._refuse_own_thread()
        with self._lock:
            if self._thread is None and not self._ended.done():
                self._ended.set_result(None)
        # Also one that is being opened: this waits its turn, and a failure to open is told to whoever opens.
        self._ready.add_done_callback(lambda _: self._end())
        return self._ended

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    def is_closed(self) -> bool:
        """Tell whether it is closed."""
        return self._ended.done() or (self._communicator is not None and self._communicator.is_closed())

    def add_close_callback(self, callback: CloseCallback) -> None:
        """Have ``callback`` called, on the communicator's thread, when it is closed."""

        async def add(communicator: Communicator) -> None:
            communicator.add_close_callback(callback)

        self.call(add).result()

    def call(self, work: Callable[[Communicator], Coroutine[Any, Any, T]]) -> "Future[T]":
        """Have ``work(communicator)`` run on the communicator's thread, and get a future of its result.

        Raises:
            LoopError: this is the communicator's own thread, which would wait for itself.
            CommunicatorClosedError: it is not open.
        """
        self._refuse_own_thread()
        communicator, errands = self._communicator, self._errands
        if communicator is None or errands is None or self._ended.done():
            raise _closed("closed" if self._ended.done() else "not open yet")
        return errands.send(lambda: work(communicator))

    # --- messages ----------------------------------------------------------------------------------------

    def task_send(
        self, body: Any = None, *, queue: str = DEFAULT_QUEUE, no_reply: bool = False, deadline: float | None = None
    ) -> "Future[Any]":
        """Put a task into a queue, and get a future of its result; with ``no_reply``, of None once the queue has it."""

        async def send(communicator: Communicator) -> Any:
            receipt = await communicator.task_send(body, queue=queue, no_reply=no_reply)
            return await receipt.result(deadline=deadline)

        return self.call(send)

    def rpc_send(self, recipient: str, body: Any = None, *, deadline: float | None = DEADLINE) -> "Future[Any]":
        """Call whoever subscribed as ``recipient``, and get a future of the answer."""
        return self.call(lambda communicator: communicator.rpc_send(recipient, body, deadline=deadline))

    def broadcast_send(
        self,
        body: Any = None,
        *,
        sender: str | None = None,
        subject: str | None = None,
        correlation_id: str | None = None,
    ) -> None:
        """Tell everybody who wants to hear it; returns when it is sent."""
        self.call(
            lambda communicator: communicator.broadcast_send(
                body, sender=sender, subject=subject, correlation_id=correlation_id
            )
        ).result()

    def subscribe_task(
        self, callback: TaskCallback, *, queue: str = DEFAULT_QUEUE, prefetch: int = 1
    ) -> BlockingSubscription:
        """Take tasks from a queue; the callback runs on the communicator's thread."""
        return self._subscribe(lambda one: one.subscribe_task(callback, queue=queue, prefetch=prefetch))

    def subscribe_rpc(self, callback: RpcCallback, identifier: str | None = None) -> BlockingSubscription:
        """Answer the RPCs to ``identifier``; the callback runs on the communicator's thread."""
        return self._subscribe(lambda one: one.subscribe_rpc(callback, identifier))

    def subscribe_broadcast(self, callback: BroadcastCallback, admits: Admits | None = None) -> BlockingSubscription:
        """Hear broadcasts; filter and callback run on the communicator's thread."""
        return self._subscribe(lambda one: one.subscribe_broadcast(callback, admits))

    @contextmanager
    def pull(self, queue: str = DEFAULT_QUEUE) -> Iterator[Iterator[BlockingTask]]:
        """Get, for the time of a block, the tasks that are in a queue now, one by one."""

        async def begin(communicator: Communicator) -> Any:
            block = communicator.pull(queue)
            return block, await block.__aenter__()

        block, tasks = self.call(begin).result()

        def iterate() -> Iterator[BlockingTask]:
            while (task := self.call(lambda _: _next_of(tasks)).result()) is not None:
                yield BlockingTask(task, self.call)

        try:
            yield iterate()
        finally:
            self.call(lambda _: block.__aexit__(None, None, None)).result()

    def _subscribe(self, subscribe: Callable[[Communicator], Coroutine[Any, Any, Any]]) -> BlockingSubscription:
        return BlockingSubscription(self.call(subscribe).result(), self.call)

    # --- the thread --------------------------------------------------------------------------------------

    def _run(self) -> None:
        failure: BaseException | None = None
        try:
            asyncio.run(self._live())
        except BaseException as error:  # noqa: BLE001 (goes to whoever opens it, or closes it)
            failure = error
        if self._errands is not None:
            self._errands.fail_all()
        if failure is None:
            self._ended.set_result(None)
        elif self._ready.done():
            self._ended.set_exception(failure)
        else:
            self._ended.set_result(None)
            self._ready.set_exception(failure)

    async def _live(self) -> None:
        self._communicator = communicator = self._make()
        over = asyncio.Event()
        await communicator.open()
        communicator.add_close_callback(lambda _: over.set())
        self._errands = Errands(
            asyncio.get_running_loop(), cancelled=lambda: _closed("closed"), gone=lambda: _closed("closed")
        )
        self._end = partial(bridge.hop, asyncio.get_running_loop(), over.set)
        self._ready.set_result(None)
        await over.wait()
        await communicator.close()

    def _refuse_own_thread(self) -> None:
        if threading.current_thread() is self._thread:
            raise LoopError(
                "this is the communicator's own thread, which would wait for itself; in a callback, make it async "
                "and await the communicator, or have callbacks run on another loop (LoopCommunicator)"
            )


async def _next_of(tasks: Any) -> Any:
    return await anext(tasks, None)


def _closed(how: str) -> CommunicatorClosedError:
    return CommunicatorClosedError(f"this communicator is {how}")
