"""The loop that processes run on, and callbacks that are part of a process."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from drupe.runtime import bridge

if TYPE_CHECKING:
    from plumpy.processes import Process

__all__ = ["get_or_create_event_loop"]


def get_or_create_event_loop() -> asyncio.AbstractEventLoop:
    """Get the running loop, else the current one if it is not closed, else a new one, which is made current."""
    loop = bridge.current_loop()
    if loop is None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
    return loop


class ProcessCallback:
    """A callback that is part of a process: what it raises ends the process.

    Args:
        process: whose part it is.
        callback: called once, and awaited.
        args: its arguments.
        kwargs: its named arguments.
    """

    __slots__ = ("__weakref__", "_args", "_callback", "_cancelled", "_kwargs", "_process")

    def __init__(
        self, process: "Process", callback: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
    ) -> None:
        self._process: Process | None = process
        self._callback: Callable[..., Any] | None = callback
        self._args: Sequence[Any] = args
        self._kwargs: dict[str, Any] = kwargs
        self._cancelled = False

    def cancel(self) -> None:
        """Do not call it, if it was not called yet."""
        if not self._cancelled:
            self._cancelled = True
            self._done()

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._cancelled

    async def run(self) -> None:
        """Call it, unless it was cancelled."""
        if self._cancelled:
            return
        process, callback = self._process, self._callback
        assert process is not None, "a callback is called once"
        assert callback is not None
        try:
            await callback(*self._args, **self._kwargs)
        except Exception:
            _, error, trace = sys.exc_info()
            process.callback_excepted(callback, error, trace)
        finally:
            self._done()

    def _done(self) -> None:
        """Let go of all that it holds."""
        self._process = self._callback = None
        self._args, self._kwargs = (), {}
