"""Claiming many at once: see `Store.claim_many`. All it takes to go on is read in the same few statements."""

import json
from collections.abc import Iterable, Sequence
from typing import Final

from drupe.core.lifecycle import LIVING
from drupe.core.record import Claimed
from drupe.storage import rule
from drupe.storage.claiming import whole
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
    rows = tx.execute(_GOING_ON, (json.dumps([*dict.fromkeys(pids)]),)).fetchall()
    found = list(whole(rows, row.to_record))
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


def _pids(claimed: Iterable[Claimed]) -> str:
    return json.dumps([one.record.pid for one in claimed])
