"""Warnings that whoever floods us cannot make into a flood of their own."""

import logging
from typing import Final

from drupe.interfaces.ambient import Clock
from drupe.runtime.clock import SystemClock

PAUSE: Final = 10.0
"""Seconds between two warnings of one kind."""


class Complaints:
    """Logs the first of a kind at once, and from then on one every few seconds, which tells how many there were.

    Args:
        log: where they go.
        clock: says when.
    """

    def __init__(self, log: logging.Logger, *, clock: Clock | None = None) -> None:
        self._log = log
        self._clock = clock or SystemClock()
        self._next: dict[str, float] = {}
        self._silent: dict[str, int] = {}

    def make(self, text: str, *arguments: object) -> None:
        """Warn of something; ``text``, before the arguments are put in, is its kind."""
        now = self._clock.steady()
        if now < self._next.get(text, now):
            self._silent[text] = self._silent.get(text, 0) + 1
            return
        self._next[text] = now + PAUSE
        if silent := self._silent.pop(text, 0):
            text = f"{text} (and {silent} more like it)"
        self._log.warning(text, *arguments)
