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
        self.why: str | None = None
        """Why it did not happen, in words; None also when that is not decided, since the step it waited for was given up."""

    def cancel(self, msg: object = None) -> bool:
        """Take the request back; False when it is too late."""
        if self.done() or not self._take_back(self):
            return False
        return super().cancel(msg)

    def follow(self, answer: "ControlAction") -> None:
        """End, and be taken back, as another action is; called by the engine."""
        self._take_back = lambda _: answer.cancel()
        self.echo(answer)

    def echo(self, answer: "asyncio.Future[bool]") -> None:
        """End as another future does; called by the engine."""

        def pass_on(_: object) -> None:
            if self.done():
                return
            if answer.cancelled():
                super(ControlAction, self).cancel()
            elif (error := answer.exception()) is not None:
                self.set_exception(error)
            else:
                self.why = getattr(answer, "why", None)
                self.set_result(answer.result())

        answer.add_done_callback(pass_on)

    def settle(self, *, happened: bool, why: str | None = None) -> None:
        """Say how it ended, and why if it did not happen; called by the engine."""
        if not self.done():
            self.why = why
            self.set_result(happened)


def settled(loop: asyncio.AbstractEventLoop, *, happened: bool, why: str | None = None) -> ControlAction:
    """Get an action that is over already."""
    action = ControlAction(loop, lambda _: False)
    action.settle(happened=happened, why=why)
    return action
