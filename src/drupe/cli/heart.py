"""A worker's signs of life, from a thread that no step can block: to its parent, or to whoever started it.

All is told on this one thread; others only set marks, so that a signal handler may.
"""

import signal
from collections.abc import Callable
from typing import Protocol

from drupe.cli.readiness import Readiness
from drupe.cli.wire import INTERVAL
from drupe.runtime.pulse import Pulse


class Ear(Protocol):
    """Who is told."""

    interval: float
    """Seconds between two beats."""
    then: signal.Handlers
    """What a second signal does, after the one that asks for a stop."""

    def ready(self) -> None:
        """It takes tasks."""
        ...

    def stopping(self) -> None:
        """It takes none any more, and ends when running steps have ended."""
        ...

    def beat(self, ailment: str | None) -> bool:
        """It lives, and is well but for the ailment; False when nobody listens any more."""
        ...

    def close(self) -> None:
        """It ends."""
        ...


class Heart:
    """Beats as long as the worker lives.

    Args:
        ear: who is told.
        ailment: gets what is wrong, in words; None if nothing is.
    """

    def __init__(self, ear: Ear, ailment: Callable[[], str | None]) -> None:
        self._ear = ear
        self._ailment = ailment
        self._stops = self._told = False
        self._pulse = Pulse(self._beat, interval=ear.interval, name="drupe-heart")

    def start(self) -> None:
        """Begin: from now on tasks are taken."""
        self._ear.ready()
        self._pulse.start()

    def wind_down(self) -> None:
        """From now on none are. It only sets a mark, so that a signal handler may call it."""
        self._stops = True

    def stop(self) -> None:
        """Beat no more."""
        self._pulse.stop()
        self._ear.close()

    def _beat(self) -> bool:
        if self._stops and not self._told:
            self._told = True
            self._ear.stopping()
        return self._ear.beat(self._ailment())


class Alone:
    """To whoever started a worker that has no parent.

    Args:
        readiness: how it is told.
        status: what it says of itself when all is well.
    """

    then = signal.SIG_DFL

    def __init__(self, readiness: Readiness, status: str) -> None:
        self.interval = INTERVAL if readiness.watchdog is None else min(INTERVAL, readiness.watchdog / 4)
        self._readiness = readiness
        self._status = status
        self._stops = False
        self._ails = False

    def ready(self) -> None:
        self._readiness.ready(self._status)
        self._readiness.alive()

    def stopping(self) -> None:
        self._stops = True
        self._readiness.stopping("running steps have time to end")

    def beat(self, ailment: str | None) -> bool:
        if ailment is None:
            self._readiness.alive()
        if not self._stops and (ailment is not None) != self._ails:
            self._ails = ailment is not None
            self._readiness.say(ailment or self._status)
        return True

    def close(self) -> None:
        self._readiness.close()
