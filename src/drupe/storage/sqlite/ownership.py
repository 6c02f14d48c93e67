"""The writes of owners: join, renew, leave, claim, release.

A lease is one row for each owner, not one for each process, so renewing costs the same for any number of
processes. An owner is there and holds what it claimed, or it is gone and holds nothing: whoever takes
something from a dead one buries it, and what it held is free from then on.
"""

from typing import Final

from drupe.core.record import Fence, Record
from drupe.errors import DuplicateProcessError
from drupe.storage import rule
from drupe.storage.sqlite import checkpoint, row
from drupe.storage.sqlite.transaction import Transaction

_UNTIL: Final = "SELECT boot, until FROM owner WHERE name = ?"
_CLAIM: Final = "UPDATE process SET owner = ?, epoch = epoch + 1, parked = 0, wake_at = NULL WHERE pid = ?"
_RELEASE: Final = "UPDATE process SET owner = NULL WHERE pid = ?"
_RELEASE_ALL: Final = "UPDATE process SET owner = NULL WHERE owner = ?"
_BEREAVE_ALL: Final = """
    UPDATE process SET owner = NULL, attempts = attempts + (state IN ('created', 'running') AND NOT paused) WHERE owner = ?"""


def join(tx: Transaction, asked: tuple[str, float]) -> None:
    """See `Store.join`."""
    owner, lease = asked
    if tx.execute(_UNTIL, (owner,)).fetchone() is not None and not tx.again:
        raise DuplicateProcessError(f"an owner {owner} is there already: each worker needs a name of its own")
    tx.execute("INSERT OR REPLACE INTO owner (name, boot, until) VALUES (?, ?, ?)", _lease(tx, owner, lease))


def renew(tx: Transaction, asked: tuple[str, float]) -> None:
    """See `Store.renew`."""
    owner, lease = asked
    name, boot, until = _lease(tx, owner, lease)
    if not tx.execute("UPDATE owner SET boot = ?, until = ? WHERE name = ?", (boot, until, name)).rowcount:
        raise rule.not_joined(owner)


def leave(tx: Transaction, owner: str) -> None:
    """See `Store.leave`."""
    tx.execute(_RELEASE_ALL, (owner,))
    tx.execute("DELETE FROM owner WHERE name = ?", (owner,))


def bury(tx: Transaction, owner: str) -> None:
    """Forget an owner that died: what it held is free, and what it may have been in a step of counts an attempt more."""
    tx.execute(_BEREAVE_ALL, (owner,))
    tx.execute("DELETE FROM owner WHERE name = ?", (owner,))


def claim(tx: Transaction, asked: tuple[str, str, frozenset[str]]) -> Record:
    """See `Store.claim`."""
    pid, owner, dead = asked
    found = row.find(tx.execute, pid)
    if found is None:
        raise rule.unknown(pid)
    if isinstance(tx.lost, Record) and (found.owner, found.epoch) == (owner, tx.lost.epoch):
        return found
    rule.check_claimable(found)
    check_joined(tx, owner)
    holder = found.owner
    if holder is not None and holder != owner:
        if holder not in dead and is_alive(tx, holder):
            raise rule.owned(found)
        bury(tx, holder)
    tx.execute(_CLAIM, (owner, pid))
    checkpoint.trim(tx, pid, found.seq, tx.retention.living)  # who had it before may have kept more
    return rule.claimed(found, owner)


def release(tx: Transaction, fence: Fence) -> None:
    """See `Store.release`."""
    found = row.find(tx.execute, fence.pid)
    if found is None or found.epoch != fence.epoch:
        raise rule.fenced(fence, found)
    if found.owner is not None:
        tx.execute(_RELEASE, (fence.pid,))


def _lease(tx: Transaction, owner: str, lease: float) -> tuple[str, str, float]:
    return owner, tx.clock.boot(), tx.clock.steady() + lease


def check_joined(tx: Transaction, owner: str) -> None:
    """Pass if an owner is there.

    Raises:
        FencedError: it has not joined.
    """
    if tx.execute(_UNTIL, (owner,)).fetchone() is None:
        raise rule.not_joined(owner)


def is_alive(tx: Transaction, owner: str) -> bool:
    """Tell whether the lease of an owner runs."""
    found = tx.execute(_UNTIL, (owner,)).fetchone()
    if found is None:
        return False
    boot, until = found
    # Steady time begins anew with each boot: a lease of another one tells nothing, and its owner is gone.
    return bool(boot == tx.clock.boot() and tx.clock.steady() < until)
