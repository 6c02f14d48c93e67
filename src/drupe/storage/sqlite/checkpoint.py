"""The checkpoints of a process, as many as are kept.

In the long run no row is added: the new checkpoint is written over the one that falls out of those kept, which
is one statement less than one that comes and one that goes, and stays on the page where that one was.
"""

from typing import Final

from drupe.storage.digest import digest
from drupe.storage.sqlite.transaction import Transaction

_ADD: Final = "INSERT INTO checkpoint (seq, at, hash, body, pid) VALUES (?, ?, ?, ?, ?)"
_WRITE_OVER: Final = "UPDATE checkpoint SET seq = ?, at = ?, hash = ?, body = ? WHERE pid = ? AND seq = ?"
_LET_GO: Final = "DELETE FROM checkpoint WHERE pid = ? AND seq <= ?"


def put(tx: Transaction, pid: str, seq: int, *, at: float, body: bytes, keep: int | None) -> None:
    """Add a checkpoint in the place of the one that falls out when ``keep`` are kept (None: all)."""
    values = (seq, at, digest(body), body, pid)
    if keep is None or seq <= keep or not tx.execute(_WRITE_OVER, (*values, seq - keep)).rowcount:
        tx.execute(_ADD, values)


def trim(tx: Transaction, pid: str, seq: int, keep: int | None) -> None:
    """Keep only so many up to number ``seq``: needed where ``keep`` may have become less since the last `put`."""
    if keep is not None and seq > keep:
        tx.execute(_LET_GO, (pid, seq - keep))
