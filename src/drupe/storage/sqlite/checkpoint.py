"""The checkpoints of a process, as many as are kept.

In the long run no row is added: the new checkpoint is written over the one that falls out of those kept (see `change`), which
is one statement less than one that comes and one that goes, and stays on the page where that one was.
"""

from typing import Final

from drupe.storage.digest import digest
from drupe.storage.sqlite.transaction import Transaction

_ADD: Final = "INSERT INTO checkpoint (seq, at, hash, body, pid) VALUES (?, ?, ?, ?, ?)"
_LET_GO: Final = "DELETE FROM checkpoint WHERE pid = ? AND seq <= ?"


def add(tx: Transaction, pid: str, seq: int, *, at: float, body: bytes) -> None:
    """Add a checkpoint."""
    tx.execute(_ADD, (seq, at, digest(body), body, pid))


def trim(tx: Transaction, pid: str, seq: int, keep: int | None) -> None:
    """Keep only so many up to number ``seq`` (None: all): whoever had the process before may have kept more."""
    if keep is not None and seq > keep:
        tx.execute(_LET_GO, (pid, seq - keep))
