"""Claiming many at once: see `Store.claim_many`. All it takes to go on is read in the same few statements."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from drupe.core.lifecycle import LIVING
from drupe.core.record import Checkpoint, Claimed
from drupe.errors import CorruptedError
from drupe.storage import rule
from drupe.storage.digest import verified
from drupe.storage.sqlite import checkpoint, inbox, ownership, row
from drupe.storage.sqlite.transaction import Transaction

_LIVING: Final = ", ".join(f"'{state.value}'" for state in LIVING)
_GOING_ON: Final = f"""
    SELECT checkpoint.at, checkpoint.hash, checkpoint.body, inputs.hash, inputs.body,
        {", ".join(f"process.{name}" for name in row.FIELDS)}
    FROM json_each(?) CROSS JOIN process ON process.pid = value
        CROSS JOIN checkpoint ON checkpoint.pid = process.pid AND checkpoint.seq = process.seq
        CROSS JOIN inputs ON inputs.pid = process.pid
    WHERE process.paused = 0 AND process.state IN ({_LIVING})"""  # noqa: S608 (names of fields, and of states)
_CLAIM: Final = """
    UPDATE process SET owner = ?, epoch = epoch + 1, parked = 0, wake_at = NULL WHERE pid IN (SELECT value FROM json_each(?))"""


def claim_many(tx: Transaction, asked: tuple[Sequence[str], str, frozenset[str]]) -> list[Claimed]:
    """See `Store.claim_many`."""
    pids, owner, dead = asked
    ownership.check_joined(tx, owner)
    found = list(_going_on(tx, pids))
    before = rule.epochs(tx.lost)
    kept = [one for one in found if one.record.owner == owner and before.get(one.record.pid) == one.record.epoch]
    holders = {one.record.owner for one in found} - {None, owner}
    gone = {holder for holder in holders if holder and (holder in dead or not ownership.is_alive(tx, holder))}
    free = [one for one in found if one.record.owner is None or one.record.owner in gone]
    for holder in gone:
        ownership.bury(tx, holder)
    tx.execute(_CLAIM, (owner, _pids(free)))
    for one in free:
        checkpoint.trim(tx, one.record.pid, one.record.seq, tx.retention.living)  # who had it before may have kept more
    claimed = kept + [one._replace(record=rule.claimed(one.record, owner)) for one in free]
    orders = inbox.orders_to(tx.execute, _pids(claimed))
    return [one._replace(orders=tuple(orders.get(one.record.pid, ()))) for one in claimed]


def _going_on(tx: Transaction, pids: Iterable[str]) -> Iterator[Claimed]:
    """Get those of some processes that go on once somebody holds them, without what was asked of them."""
    for at, hashed, body, given, inputs, *columns in tx.execute(
        _GOING_ON, (json.dumps([*dict.fromkeys(pids)]),)
    ).fetchall():
        try:
            record = row.to_record(columns)
            pid, seq = record.pid, record.seq
            last = Checkpoint(pid=pid, seq=seq, at=at, body=verified(pid, f"checkpoint {seq}", hashed, body))
            yield Claimed(record, last, verified(pid, "inputs", given, inputs), ())
        except CorruptedError:  # whoever asks for it alone hears why
            continue


def _pids(claimed: Iterable[Claimed]) -> str:
    return json.dumps([one.record.pid for one in claimed])
