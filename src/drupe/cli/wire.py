"""What a worker and its parent say to each other: a byte at a time, over a pair of sockets.

This module imports nearly nothing: the parent has it, too.
"""

import os
import signal
from collections.abc import Callable
from typing import Final

INTERVAL: Final = 0.2
"""Seconds between two signs of life."""

WIRE: Final = "DRUPE_PARENT"
"""The variable by which a parent tells its child the descriptor of their wire."""

READY: Final = b"r"
"""It takes tasks."""
STOPPING: Final = b"s"
"""It takes none any more, or for a while."""
GIVING_UP: Final = b"g"
"""It ends because it cannot get to work, or has waited for long enough; another one would, too."""
WELL: Final = b"."
"""It lives, and does what others rely on."""
UNWELL: Final = b"!"
"""It lives."""


class Wire:
    """The child's end.

    Args:
        descriptor: of this end.
        orphaned: called when there is no parent any more.
    """

    interval = INTERVAL
    then = signal.SIG_IGN  # one that is meant for the parent may come here, too, and the parent kills

    def __init__(self, descriptor: int, orphaned: Callable[[], object]) -> None:
        os.set_inheritable(descriptor, False)
        os.set_blocking(descriptor, False)
        self._wire = descriptor
        self._orphaned = orphaned

    def ready(self) -> None:
        self._say(READY)

    def waiting(self) -> None:
        self._say(STOPPING)

    def stopping(self) -> None:
        self._say(STOPPING)

    def beat(self, ailment: str | None) -> bool:
        return self._say(WELL if ailment is None else UNWELL)

    def give_up(self) -> None:
        self._say(GIVING_UP)

    def close(self) -> None:
        """Leave the end of the wire to the end of the program: the parent waits for that."""

    def _say(self, word: bytes) -> bool:
        try:
            os.write(self._wire, word)
        except BlockingIOError:  # the parent has not read for long
            return True
        except ConnectionError:
            self._orphaned()
            return False
        return True
