"""A loop on a thread of its own, used from other threads; what is awaited there is waited for here."""

import asyncio
import concurrent.futures
import contextlib
import inspect
import sys
import threading
from collections.abc import AsyncIterable, Callable, Iterator
from concurrent.futures import Future
from typing import Any

from drupe.runtime import bridge


def to_thread(source: "asyncio.Future[Any]") -> "Future[Any]":
    """Get a thread's future that ends as ``source`` does, in whose thread this is called; so do futures inside it."""
    target: Future[Any] = Future()

    def end(done: "asyncio.Future[Any]") -> None:
        if done.cancelled():
            target.cancel()
        if not target.set_running_or_notify_cancel():  # cancelled, or given up by who waited
            return
        if (error := done.exception()) is not None:
            target.set_exception(error)
        else:
            result = done.result()
            target.set_result(to_thread(result) if asyncio.isfuture(result) else result)

    source.add_done_callback(end)
    return target


def to_loop(source: "Future[Any]", loop: asyncio.AbstractEventLoop) -> "asyncio.Future[Any]":
    """Get a future of ``loop``, in whose thread this is called, that ends as ``source`` does; so do futures inside it."""
    target: asyncio.Future[Any] = loop.create_future()
    source.add_done_callback(lambda done: bridge.hop(loop, _end, target, done))
    return target


def _end(target: "asyncio.Future[Any]", done: "Future[Any]") -> None:
    if target.done():
        return
    if done.cancelled():
        target.cancel()
        return
    error = done.exception()
    if isinstance(error, concurrent.futures.CancelledError):
        target.cancel()
    elif error is not None:
        target.set_exception(error)
    else:
        result = done.result()
        target.set_result(to_loop(result, target.get_loop()) if isinstance(result, Future) else result)


class LoopThread:
    """A loop that runs on its own thread until it is closed.

    Args:
        loop: is closed with it.
        name: the thread's.
        timeout: how many seconds `await_` waits.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str, timeout: float) -> None:
        self.loop = loop
        self.timeout = timeout
        self._thread: threading.Thread = bridge.new_thread(self._work, name=name)
        self._thread.start()

    def _work(self) -> None:
        asyncio.set_event_loop(self.loop)  # callbacks that ask for the current loop have always found it
        try:
            self.loop.run_forever()
        finally:
            asyncio.set_event_loop(None)

    def await_(self, awaitable: Any) -> Any:
        """Await something on the loop, and wait for it here; a future that it returns becomes one of threads.

        Raises:
            concurrent.futures.TimeoutError: it takes longer than the time-out; it goes on.
            RuntimeError: this is the loop's own thread, which would wait for itself.
        """
        future = self.submit(awaitable)
        try:
            return future.result(self.timeout)
        except concurrent.futures.TimeoutError as error:
            if future.done():  # it is the awaited thing's own
                raise
            name = getattr(awaitable, "__name__", "Awaitable")
            raise concurrent.futures.TimeoutError(f"{name} after {self.timeout} seconds") from error

    def submit(self, awaitable: Any) -> "Future[Any]":
        """Await something on the loop; returns a future of its result."""
        if threading.current_thread() is self._thread:
            if inspect.iscoroutine(awaitable):
                awaitable.close()
            raise RuntimeError(
                "a communicator was called and waited for in its own thread, which would wait for itself: "
                "do it in another thread, or return first"
            )

        async def wait() -> Any:
            result = await awaitable
            return to_thread(result) if asyncio.isfuture(result) else result

        return asyncio.run_coroutine_threadsafe(wait(), self.loop)

    @contextlib.contextmanager
    def entered(self, context: Any) -> Iterator[Any]:
        """Be inside an asynchronous context; a future that it gives is one of threads here, which ends that one."""

        async def enter() -> Any:
            inner = await context.__aenter__()
            return self._leading(inner) if asyncio.isfuture(inner) else inner

        inner = self.submit(enter()).result()
        try:
            yield inner
        except BaseException:
            if not self.await_(context.__aexit__(*sys.exc_info())):
                raise
        else:
            self.await_(context.__aexit__(None, None, None))

    def leading(self, begin: Callable[[], "asyncio.Future[Any]"]) -> "Future[Any]":
        """Get a future of threads that ends the one which ``begin()`` makes on the loop, and forgets it when forgotten."""

        async def do() -> "Future[Any]":
            return self._leading(begin())

        outer: Future[Any] = self.await_(do())
        return outer

    def _leading(self, inner: "asyncio.Future[Any]") -> "Future[Any]":
        outer: Future[Any] = Future()
        outer.add_done_callback(lambda done: bridge.hop(self.loop, _end, inner, done))
        return outer

    def iterate(self, iterable: AsyncIterable[Any]) -> Iterator[Any]:
        """Iterate here over something asynchronous; it is closed when the iteration is given up."""
        iterator: Any = aiter(iterable)
        try:
            while True:
                try:
                    item = self.await_(anext(iterator))
                except StopAsyncIteration:
                    return
                yield item
        finally:
            self.await_(iterator.aclose())

    def close(self) -> None:
        """End the thread, and close the loop."""
        bridge.hop(self.loop, self.loop.stop)
        self._thread.join()
        self.loop.close()
