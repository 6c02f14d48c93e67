"""Futures: of asyncio for processes, of the standard library between threads, and the ways from one to the other."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import kiwipy

from plumpy import events

__all__ = ["CancelledError", "Future", "chain", "copy_future", "create_task", "gather"]

CancelledError = kiwipy.CancelledError
Future = asyncio.Future
copy_future = kiwipy.copy_future
chain = kiwipy.chain
gather = asyncio.gather


class InvalidStateError(Exception):
    """The future, or the action, is not in a state that allows this."""


class CancellableAction(asyncio.Future[Any]):
    """Something that will be done, unless it is cancelled before. It ends with what was returned or raised.

    Args:
        action: what is to be done.
        cookie: whatever tells this action from others.
    """

    def __init__(self, action: Callable[..., Any], cookie: Any = None) -> None:
        super().__init__()
        self._action: Callable[..., Any] | None = action
        self._cookie = cookie

    @property
    def cookie(self) -> Any:
        """What tells this action from others."""
        return self._cookie

    def run(self, *args: Any, **kwargs: Any) -> None:
        """Do it; raises `InvalidStateError` when it was done or cancelled."""
        if self.done():
            raise InvalidStateError("Action has already been ran")
        action, self._action = self._action, None
        assert action is not None
        with kiwipy.capture_exceptions(self):  # type: ignore[arg-type]  # any future has what it needs
            self.set_result(action(*args, **kwargs))


def create_task(
    coro: Callable[[], Awaitable[Any]], loop: asyncio.AbstractEventLoop | None = None
) -> "asyncio.Future[Any]":
    """Have ``coro()`` run by a loop, from any thread, and get a future of that loop that ends as it does."""
    loop = loop or events.get_or_create_event_loop()
    future = loop.create_future()

    async def run() -> None:
        with kiwipy.capture_exceptions(future):  # type: ignore[arg-type]
            future.set_result(await coro())

    asyncio.run_coroutine_threadsafe(run(), loop)
    return future


def unwrap_kiwi_future(future: "kiwipy.Future[Any]") -> "kiwipy.Future[Any]":
    """Get a future that ends with the value at the end of a chain of futures of futures, or with what ends the chain early."""
    unwrapped: kiwipy.Future[Any] = kiwipy.Future()

    def look(found: "kiwipy.Future[Any]") -> None:
        if found.cancelled():
            unwrapped.cancel()
            return
        with kiwipy.capture_exceptions(unwrapped):
            result = found.result()
            if isinstance(result, kiwipy.Future):
                result.add_done_callback(look)
            else:
                unwrapped.set_result(result)

    future.add_done_callback(look)
    return unwrapped
