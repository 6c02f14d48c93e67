"""Futures that can be saved in any of their states and made again on any loop."""

import asyncio
from collections.abc import Callable
from typing import Any

from drupe.core.failure import Failure


class SavableFuture(asyncio.Future[Any]):
    """An asyncio future with a saved form: pending, result, exception or cancelled.

    An exception is saved by type name, text and traceback text; loaded, it is an `ExceptedError`.
    """

    def save(self) -> dict[str, Any]:
        """Get the future's state as plain data; a result has to be something the codec can encode."""
        if not self.done():
            return {"state": "pending"}
        if self.cancelled():
            return {"state": "cancelled"}
        error = self.exception()
        if error is not None:
            return {"state": "exception", "exception": Failure.of(error).as_dict()}
        return {"state": "result", "result": self.result()}

    @classmethod
    def load(cls, saved: dict[str, Any], loop: asyncio.AbstractEventLoop) -> "SavableFuture":
        """Make a future in the saved state on ``loop``."""
        future = cls(loop=loop)
        match saved["state"]:
            case "result":
                future.set_result(saved["result"])
            case "exception":
                future.set_exception(Failure(**saved["exception"]).error())
                future.exception()  # it was seen when it was saved: no warning that nobody asked for it
            case "cancelled":
                future.cancel()
            case _:  # pending
                pass
        return future


class ProcessFuture(SavableFuture):
    """The future of a process: its outputs, or why there are none. Cancelling it kills the process."""

    on_cancel: Callable[[], object] | None = None
    killing: object = None
    """What `Process.kill` answered when the future was cancelled."""

    def cancel(self, msg: object = None) -> bool:
        """Cancel the future and kill the process."""
        done = super().cancel(msg)
        if done and self.on_cancel is not None:
            self.killing = self.on_cancel()
        return done
