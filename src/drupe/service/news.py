"""Waiting for something to become so in the store: by news of a process, and by looking again and again.

Either is enough. News come from a broadcast of the change, or from whoever else has heard something.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeVar

from drupe.interfaces.communicator import Communicator, IncomingBroadcast, Subscription
from drupe.interfaces.hints import Hint, Hints
from drupe.runtime import bridge

T = TypeVar("T")

_FIRST: Final = 0.02
"""Seconds after which is looked again for the first time."""


class News:
    """Who waits for news of which process, or of which task, on one loop.

    Args:
        poll: seconds after which is looked again, at most; None leaves it to news.
        hints: tell what others have committed; None leaves that to broadcasts.
    """

    def __init__(self, poll: float | None, hints: Hints | None = None) -> None:
        self._poll = poll
        self._hints = hints
        self._silence: Callable[[], None] | None = None
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._subscription: Subscription | None = None

    async def open(self, communicator: Communicator | None) -> None:
        """Hear the broadcasts about processes that somebody waits for."""
        if communicator is not None:
            self._subscription = await communicator.subscribe_broadcast(
                self._heard, lambda sender, _: sender in self._waiting
            )

    async def close(self) -> None:
        """Hear no more."""
        if self._silence is not None:
            self._silence()
        if self._subscription is not None:
            await self._subscription.unsubscribe()

    async def until(
        self, name: str, look: Callable[[], Awaitable[T | None]], *, also: Sequence[str] = (), answered: bool = False
    ) -> T:
        """Look until there is something, and get it.

        Args:
            name: of what there may be news: a pid, or the id of a task.
            look: gets what there is.
            also: other such names.
            answered: it is expected to be told elsewhere, so the first look is for what may have been missed, a little later.
        """
        self._listen()
        names = (name, *also)
        pause = _FIRST if self._hints is not None or not answered else self._poll or _FIRST
        looks = not answered
        while True:
            news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            for each in names:
                self._waiting.setdefault(each, []).append(news)  # before looking: what comes meanwhile is not missed
            try:
                if looks and (found := await look()) is not None:
                    return found
                await asyncio.wait([news], timeout=None if looks and self._poll is None else pause)
            finally:
                for each in names:
                    self._forget(each, news)
            if looks:
                pause = min(2 * pause, self._poll or pause)
            looks = True

    def stir(self, pid: str) -> None:
        """Have everybody look who waits for news of a process."""
        for news in self._waiting.get(pid, ()):
            if not news.done():
                news.set_result(None)

    def _listen(self) -> None:
        """Hear the hints from now on: that takes a connection, which who waits for nothing need not have."""
        if self._hints is not None and self._silence is None:
            loop = asyncio.get_running_loop()
            self._silence = self._hints.hear(lambda hint: _hand_on(loop, self._heed, hint))

    def _heard(self, broadcast: IncomingBroadcast) -> None:
        if broadcast.sender is not None:
            self.stir(broadcast.sender)

    def _heed(self, hint: Hint) -> None:
        pids: Iterable[str] = list(self._waiting) if hint.more else hint.settled
        for pid in pids:
            self.stir(pid)

    def _forget(self, pid: str, news: "asyncio.Future[None]") -> None:
        rest = [other for other in self._waiting[pid] if other is not news]
        if rest:
            self._waiting[pid] = rest
        else:
            del self._waiting[pid]


def _hand_on(loop: asyncio.AbstractEventLoop, heed: Callable[[Hint], None], hint: Hint) -> None:
    if hint.more or hint.settled:
        bridge.hop(loop, heed, hint)
