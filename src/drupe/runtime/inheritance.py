"""What a program that is forked must not keep of its parent: files by which that one shows that it lives, and is reached.

A step may fork (`os.fork`, `multiprocessing`). The child inherits every open file, and a lock or a connection ends only when
nobody has its file any more: those of a parent that was killed would live as long as the child does. So the child gives
them up at once, which takes nothing from its parent.
"""

import contextlib
import os
from typing import Final, Protocol
from weakref import WeakSet


class Open(Protocol):
    """Something that has a file."""

    def fileno(self) -> int:
        """Get its number; -1, an `OSError` or a `ValueError` if it is closed."""
        ...


_OPEN: Final[WeakSet[Open]] = WeakSet()


def keep_from_children(file: Open) -> None:
    """Have every program that is forked from now on give this file up, as long as the object lives."""
    _OPEN.add(file)


def _give_up() -> None:
    # They lead to nowhere then. They must not be closed: their objects would close whatever has their numbers later.
    nowhere = os.open(os.devnull, os.O_RDWR)
    for file in list(_OPEN):
        with contextlib.suppress(OSError, ValueError):  # it is closed
            os.dup2(nowhere, file.fileno(), inheritable=False)
    os.close(nowhere)


os.register_at_fork(after_in_child=_give_up)
