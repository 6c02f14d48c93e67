"""What parts of drupe take from their surroundings, passed in so that tests can replace it."""

from typing import Protocol


class Clock(Protocol):
    """Time."""

    def now(self) -> float:
        """Get the time of day, in seconds since 1970 (UTC): for records people read, never for leases."""
        ...

    def steady(self) -> float:
        """Get seconds that only go forward, also while the machine sleeps, the same in every process of this boot."""
        ...

    def boot(self) -> str:
        """Get an identifier of this boot of the machine: steady times of another boot mean nothing."""
        ...


class Ids(Protocol):
    """Names that nobody else has."""

    def pid(self) -> str:
        """Get a new pid, 32 hexadecimal digits; its end is random, its start grows with time."""
        ...

    def owner(self) -> str:
        """Get a new name for an owner."""
        ...


class Probe(Protocol):
    """A named place where a write or a message happens.

    The engine and the stores call it before and after each; a test's probe may raise, block or end the
    interpreter at its n-th hit. The one used in earnest does nothing.
    """

    def __call__(self, place: str, /) -> None:
        """Pass ``place``, for example ``store.save.commit``."""
        ...
