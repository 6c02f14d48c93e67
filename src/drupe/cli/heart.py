"""A worker's signs of life, from a thread that no step can block: to its parent, or to whoever started it.

What a signal handler has to say is told by this thread, too: the handler only sets a mark.
"""

import signal
import threading
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

    def waiting(self) -> None:
        """It takes none for a while: it was cut off."""
        ...

    def stopping(self) -> None:
        """It takes none any more, and ends when running steps have ended."""
        ...

    def beat(self, ailment: str | None) -> bool:
        """It lives, and is well but for the ailment; False when nobody listens any more."""
        ...

    def give_up(self) -> None:
        """It ends because it cannot get to work, or has waited for long enough; another one would, too."""
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
        self._tell: Callable[[], None] | None = None
        """What is to be told, and below what was told last."""
        self._told: Callable[[], None] | None = None
        self._telling = threading.Lock()
        self._pulse = Pulse(self._beat, interval=ear.interval, name="drupe-heart")

    def start(self) -> None:
        """Begin."""
        self._pulse.start()

    def ready(self) -> None:
        """From now on tasks are taken, unless it is to end. It is told at once: the first step may let no thread run."""
        if self._tell != self._ear.stopping:
            self._tell = self._ear.ready
        self._catch_up()

    def wait(self) -> None:
        """From now on none are, until it is ready again; told with the next beat."""
        if self._tell == self._ear.ready:
            self._tell = self._ear.waiting

    def wind_down(self) -> None:
        """From now on none are; told with the next beat. It only sets a mark, so that a signal handler may call it."""
        self._tell = self._ear.stopping

    def stop(self) -> None:
        """Beat no more."""
        self._pulse.stop()
        self._ear.close()

    def _beat(self) -> bool:
        self._catch_up()
        return self._ear.beat(self._ailment())

    def _catch_up(self) -> None:
        with self._telling:
            tell = self._tell
            if tell is not None and tell != self._told:
                self._told = tell
                tell()


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

    def waiting(self) -> None:
        self._readiness.unready("cut off: it joins anew")

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

    def give_up(self) -> None:
        """The exit code says it."""

    def close(self) -> None:
        self._readiness.close()
