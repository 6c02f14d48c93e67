"""Time slices: processes of many short steps give the loop back, and share what it gives them.

All processes of one loop share one slice. When it is used up each of them takes at most one more
step before it yields, and the next slice starts in the next turn of the loop; so a thousand
busy processes keep another task waiting no longer than one of them does.
"""

import asyncio
import weakref
from typing import Final

from drupe.runtime.clock import tick

SLICE: Final = 0.004
"""Seconds after which the loop is given back: below the promised 5 ms, since the step that ends a slice runs to its end."""


class Turn:
    """The slice of one loop."""

    __slots__ = ("__weakref__", "_loop", "_renewing", "ends")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._renewing = False
        self.ends = tick() + SLICE

    def over(self) -> bool:
        """Tell whether the slice is used up. Whoever is told so has to yield to the loop."""
        if tick() < self.ends:
            return False
        loop = self._loop()
        if not self._renewing and loop is not None:
            self._renewing = True
            loop.call_soon(self._renew)
        return True

    def _renew(self) -> None:
        self._renewing = False
        self.ends = tick() + SLICE


_turns: Final[weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Turn]] = weakref.WeakKeyDictionary()


def turn_of(loop: asyncio.AbstractEventLoop) -> Turn:
    """Get the slice that the processes of ``loop`` share; one that was used up long ago starts anew."""
    turn = _turns.get(loop)
    if turn is None:
        turn = _turns[loop] = Turn(loop)
    return turn
