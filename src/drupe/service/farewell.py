"""Ending in time although a step blocks the loop: then a thread of its own says goodbye for it.

What runs is given up, not decided upon. The owner is taken out of the store, so that others go on at once with what it
held, and the step that blocked is taken again by them.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from drupe.errors import StoreError
from drupe.runtime import bridge
from drupe.runtime.clock import tick
from drupe.runtime.pulse import Pulse
from drupe.service.runner import PARTING, Runner

_LOG: Final = logging.getLogger("drupe.service")

_MARGIN: Final = 1.0
"""Seconds more than the grace: a loop that is free ends by itself."""
_INTERVAL: Final = 0.2


class Farewell:
    """Ends an interpreter whose loop does not.

    Args:
        runner: who is to leave.
        grace: seconds that its steps have.
        end: ends the interpreter, after the runner has left; called on a thread of its own.
    """

    def __init__(self, runner: Runner, grace: float, end: Callable[[], object]) -> None:
        self._runner = runner
        self._grace = grace
        self._end = end
        self._begun: float | None = None
        self._pulse = Pulse(self._look, interval=_INTERVAL, name="drupe-farewell")

    def start(self) -> None:
        """Be ready."""
        self._pulse.start()

    def stop(self) -> None:
        """The loop has ended by itself."""
        self._pulse.stop()

    def begin(self) -> None:
        """From now on the grace runs. It only sets a mark, so that a signal handler may call it."""
        self._begun = self._begun or tick()

    def _look(self) -> bool:
        if self._begun is None or tick() - self._begun < self._grace + _MARGIN:
            return True
        try:
            bridge.run(asyncio.wait_for(self._runner.store.leave(self._runner.owner), PARTING))
        except (StoreError, TimeoutError) as error:  # those who find it dead see to the rest
            _LOG.warning("%s could not be taken out of the store: %s", self._runner.owner, error)
        self._end()
        return False
