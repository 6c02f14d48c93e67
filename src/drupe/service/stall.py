"""Noticing that a step keeps the loop of the processes to itself, and naming it.

A thread of its own asks the loop for a sign of life, again and again. What is noticed is only told: a step that blocks
is allowed to. While native code holds Python's global lock this thread does not run either, and nothing is noticed.
"""

import asyncio
import logging
import sys
import threading
import traceback
from types import FrameType
from typing import Final

import msgspec

from drupe.core.status import Blocked
from drupe.engine.progress import stepping
from drupe.runtime import bridge
from drupe.runtime.clock import tick
from drupe.runtime.pulse import Pulse

_LOG: Final = logging.getLogger("drupe.service")

AFTER: Final = 1.0
"""Seconds after which a loop that gives no sign of life is noticed."""
_FRAMES: Final = 30


class Stall:
    """Watches one loop.

    Args:
        after: seconds after which a blocked loop is noticed.
    """

    def __init__(self, *, after: float = AFTER) -> None:
        self._after = after
        self._pulse = Pulse(self._beat, interval=after / 2, name="drupe-stall")
        self._loop: asyncio.AbstractEventLoop
        self._thread: int
        self._asked: float | None = None
        """When the sign of life was asked for that has not come yet."""
        self._found: Blocked | None = None

    def start(self) -> None:
        """Begin to watch the running loop."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._pulse.start()

    def stop(self) -> None:
        """Watch no more."""
        self._pulse.stop()

    @property
    def blocked(self) -> Blocked | None:
        """What blocks the loop now, and for how long; from any thread. None as long as nothing was noticed."""
        found, asked = self._found, self._asked
        return None if found is None or asked is None else msgspec.structs.replace(found, seconds=tick() - asked)

    # --- on the watching thread ----------------------------------------------------------------------------

    def _beat(self) -> bool:
        asked = self._asked
        if asked is None:
            self._found, self._asked = None, tick()
            return bridge.hop(self._loop, self._live)
        if self._found is None and tick() - asked >= self._after:
            self._notice(tick() - asked)
        return True

    def _notice(self, seconds: float) -> None:
        frame = sys._current_frames().get(self._thread)
        step = stepping(frame)
        stack = _stack(frame, _FRAMES if step is None else step.depth)
        if step is None:
            found = Blocked(seconds=seconds, stack=stack)
            what = "something that is no step of a process"
        else:
            found = Blocked(seconds=seconds, pid=step.pid, kind=step.kind, step=step.step, stack=stack)
            what = f"step {step.step} of {step.kind} {step.pid or ''}".rstrip()
        self._found = found
        if self._asked is not None:  # it did not come to life just now
            _LOG.warning(
                "%s has blocked its loop for %.1f s; all processes of this program wait for it. Let it run in a thread: "
                "@step(thread=True)\\n%s",
                what,
                seconds,
                stack,
            )

    # --- on the loop -----------------------------------------------------------------------------------------

    def _live(self) -> None:
        asked, found = self._asked, self._found
        self._asked = self._found = None
        if found is not None and asked is not None:
            _LOG.warning("the loop goes on after %.1f s", tick() - asked)


def _stack(frame: FrameType | None, depth: int) -> str:
    """Get the innermost frames of a stack as text, the last call last."""
    if frame is None:
        return ""
    frames = list(traceback.walk_stack(frame))[: min(depth, _FRAMES)]
    return "".join(traceback.StackSummary.extract(reversed(frames)).format())
