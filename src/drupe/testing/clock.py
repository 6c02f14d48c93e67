"""Time and names that a test holds in its own hand: nothing here moves unless it is told to."""

import itertools
import threading


class ManualClock:
    """A clock that stands still until it is moved.

    Args:
        now: the time of day it starts with, seconds since 1970.
        steady: the steady time it starts with.
        boot: identifier of the boot it starts in.
    """

    def __init__(self, now: float = 1_000_000_000.0, *, steady: float = 0.0, boot: str = "boot-1") -> None:
        self._lock = threading.Lock()
        self._now = now
        self._steady = steady
        self._boot = boot

    def now(self) -> float:
        """Get the time of day."""
        return self._now

    def steady(self) -> float:
        """Get the steady time."""
        return self._steady

    def boot(self) -> str:
        """Get the identifier of the boot."""
        return self._boot

    def advance(self, seconds: float) -> None:
        """Let time pass, on both clocks.

        Raises:
            ValueError: steady time does not go back.
        """
        if seconds < 0:
            raise ValueError(f"steady time does not go back by {-seconds} s; set_now() turns the time of day alone")
        with self._lock:
            self._now += seconds
            self._steady += seconds

    def set_now(self, now: float) -> None:
        """Turn the time of day, as a person or a time server may; steady time does not notice."""
        self._now = now

    def reboot(self, *, steady: float = 0.0) -> None:
        """Begin another boot: steady time starts anew."""
        with self._lock:
            name, _, number = self._boot.rpartition("-")
            self._boot = f"{name}-{int(number) + 1}" if number.isdigit() else f"{self._boot}-2"
            self._steady = steady


class SequentialIds:
    """Names that are the same in every run: pids count up in their first half and are scattered in their end.

    Args:
        start: the first number.
    """

    def __init__(self, start: int = 1) -> None:
        self._pids = itertools.count(start)
        self._owners = itertools.count(start)

    def pid(self) -> str:
        """Get the next pid, 32 hexadecimal digits."""
        number = next(self._pids)
        # An odd factor maps the numbers below 2**64 one to one: no end comes twice, and neighbours do not look alike.
        return f"{number:016x}{number * 0x9E37_79B9_7F4A_7C15 % 2**64:016x}"

    def owner(self) -> str:
        """Get the next name of an owner."""
        return f"owner-{next(self._owners)}"
