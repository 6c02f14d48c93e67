"""The answer to a verb that cannot act at once: a future that can be awaited, and taken back."""

import asyncio
from collections.abc import Callable


class ControlAction(asyncio.Future[bool]):
    """Resolves to True when the pause, play or kill took effect, to False when it could not or was overtaken.

    Cancelling it takes the request back as long as it has not happened; afterwards it changes nothing.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, take_back: Callable[["ControlAction"], bool]) -> None:
        super().__init__(loop=loop)
        self._take_back = take_back

    def cancel(self, msg: object = None) -> bool:
        """Take the request back; False when it is too late."""
        if self.done() or not self._take_back(self):
            return False
        return super().cancel(msg)

    def settle(self, *, happened: bool) -> None:
        """Say how it ended; called by the engine."""
        if not self.done():
            self.set_result(happened)


def settled(loop: asyncio.AbstractEventLoop, *, happened: bool) -> ControlAction:
    """Get an action that is over already."""
    action = ControlAction(loop, lambda _: False)
    action.set_result(happened)
    return action
