"""Probes that do something: crash, fail, delay or hang at the n-th hit of a place, or only write down what they pass.

A place is a name such as ``store.save``. Probes are passed from several threads: each counts under a lock
and acts outside of it.
"""

import threading
from collections.abc import Callable
from typing import NoReturn


class CrashError(BaseException):
    """The interpreter would be gone now. No handler for exceptions hides it."""


class Recorder:
    """A probe that writes down every place, in order.

    Attributes:
        places: what was passed.
    """

    def __init__(self) -> None:
        self.places: list[str] = []

    def __call__(self, place: str, /) -> None:
        """Write ``place`` down."""
        self.places.append(place)  # one call of a list: needs no lock

    def count(self, place: str | None = None) -> int:
        """Get how often ``place``, by default any, was passed."""
        return len(self.places) if place is None else self.places.count(place)


class _At:
    """A probe that acts at the ``n``-th hit (from 1) of ``place``, by default of any place."""

    def __init__(self, n: int, place: str | None = None) -> None:
        if n < 1:
            raise ValueError(f"hits are counted from 1, not {n}")
        self._n = n
        self._place = place
        self._lock = threading.Lock()
        self._hits = 0
        self.hit: str | None = None
        """The place where it acted; None as long as it has not."""

    def _arrives(self, place: str) -> bool:
        if self._place not in (None, place):
            return False
        with self._lock:
            self._hits += 1
            if self._hits != self._n:
                return False
            self.hit = place
            return True


class CrashAt(_At):
    """A probe at which the interpreter "ends": from the ``n``-th hit on every place raises, because the dead write nothing.

    Args:
        n: the hit, from 1.
        place: which place's hits count; by default those of all.
    """

    def __call__(self, place: str, /) -> None:
        """Pass ``place``.

        Raises:
            CrashError: this is where it ends, or it has ended before.
        """
        if self.hit is None:
            self._arrives(place)
        if self.hit is not None:
            self._crash(place)

    def _crash(self, place: str) -> NoReturn:
        raise CrashError(f"crashed at {self.hit}, hit {self._n}" + (f" (now at {place})" if place != self.hit else ""))


class FailAt(_At):
    """A probe that raises ``error`` once, at the ``n``-th hit.

    Args:
        n: the hit, from 1.
        error: what is raised.
        place: which place's hits count; by default those of all.
    """

    def __init__(self, n: int, error: BaseException, place: str | None = None) -> None:
        super().__init__(n, place)
        self._error = error

    def __call__(self, place: str, /) -> None:
        """Pass ``place``.

        Raises:
            BaseException: the error that was given, if this is the hit.
        """
        if self._arrives(place):
            raise self._error


class HangAt(_At):
    """A probe that keeps the thread which passes it, at the ``n``-th hit, until `release`.

    Args:
        n: the hit, from 1.
        place: which place's hits count; by default those of all.
        limit: after so many seconds it goes on with an error, so that a wrong test does not hang.

    Attributes:
        reached: set when the hit was there.
    """

    def __init__(self, n: int, place: str | None = None, *, limit: float = 30.0) -> None:
        super().__init__(n, place)
        self._limit = limit
        self._released = threading.Event()
        self.reached = threading.Event()

    def __call__(self, place: str, /) -> None:
        """Pass ``place``.

        Raises:
            TimeoutError: nobody released it within the limit.
        """
        if self._arrives(place):
            self.reached.set()
            if not self._released.wait(self._limit):
                raise TimeoutError(f"hung at {place} for {self._limit} s; nobody called release()")

    def release(self) -> None:
        """Let it go on."""
        self._released.set()


class DelayAt(_At):
    """A probe that does something else first, at the ``n``-th hit: what would otherwise happen just in between.

    Args:
        n: the hit, from 1.
        meanwhile: called at the hit, in the thread that passes.
        place: which place's hits count; by default those of all.
    """

    def __init__(self, n: int, meanwhile: Callable[[], object], place: str | None = None) -> None:
        super().__init__(n, place)
        self._meanwhile = meanwhile

    def __call__(self, place: str, /) -> None:
        """Pass ``place``."""
        if self._arrives(place):
            self._meanwhile()
