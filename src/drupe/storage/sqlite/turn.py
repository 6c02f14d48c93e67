"""Taking turns at writing a file: who waits for it is not passed over again and again.

SQLite lets have the file whoever asks at the right moment, and who finds it locked asks more and more rarely, up to ten times
a second. Of two programs that commit one batch after the other, one then waits for seconds. So before drupe begins it locks a
second, empty file beside the store, and while another program has that, it asks again some thousand times a second.

It is about who tries when, and nothing else: SQLite's own lock is what keeps writers apart. So a turn that does not come is
done without, and so is a file that cannot be had. The lock is one of POSIX: it ends with its process, and is not handed on to
what that forks.
"""

import contextlib
import fcntl
import os
import threading
from pathlib import Path
from typing import Final

from drupe.runtime.clock import tick

_PATIENCE: Final = 1.0
"""Seconds that a turn is waited for: who has it for so long is stopped, or writes very much."""
_NAP: Final = 0.0001
"""Seconds between two tries. What is committed at once takes a few of them."""


class Turn:
    """The turn of one writer; a context manager that waits for it.

    Args:
        store: the store's file. The one that is locked lies beside it, for its owner only.
    """

    def __init__(self, store: Path) -> None:
        self._store = store
        self._file: int | None = None
        self._nap = threading.Event()

    def open(self) -> None:
        """Get ready; the file is made if need be, and is then whose the store is: root may be the one who makes it."""
        path, how = self._store.with_name(f"{self._store.name}-turn"), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        with contextlib.suppress(OSError):
            try:
                self._file = os.open(path, how | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:  # it is not given away: nobody knows what lies there
                self._file = os.open(path, how)
            else:
                whose = self._store.stat()
                os.fchown(self._file, whose.st_uid, whose.st_gid)

    def close(self) -> None:
        """Let go of the file; it stays where it is, since others may have it open."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> None:
        if not self._taken():
            deadline = tick() + _PATIENCE
            while not self._taken() and tick() < deadline:
                self._nap.wait(_NAP)

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def _taken(self) -> bool:
        if self._file is None:
            return True
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # systems differ in how they say that somebody has it
            return False
        return True
