"""Files that are their owner's alone: changed by one at a time, and whole at any moment."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only one who changes what is in a folder, among those who ask like this."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def replace(path: Path, text: str) -> None:
    """Have a file hold ``text`` and nothing else, readable and writable by its owner only, or leave it as it is."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # for its owner only
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
