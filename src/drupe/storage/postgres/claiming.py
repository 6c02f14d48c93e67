"""Claiming many at once: see `Store.claim_many`. Rows that somebody else is writing are skipped, so nobody waits for anybody."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from drupe.core.lifecycle import TERMINAL
from drupe.core.record import Claimed
from drupe.storage import rule
from drupe.storage.claiming import whole
from drupe.storage.postgres import inbox, ownership, row
from drupe.storage.postgres.column import Texts
from drupe.storage.postgres.transaction import Touched, Transaction, Write, one_by_one

Asked = tuple[Sequence[str], str, frozenset[str]]

_HOLDERS: Final = "SELECT DISTINCT owner FROM process WHERE pid = ANY(%s) AND owner <> %s ORDER BY owner"
_GOING_ON: Final = f"""
    SELECT checkpoint.at, checkpoint.hash, checkpoint.body, inputs.hash, inputs.body,
        {", ".join(f"process.{name}" for name in row.FIELDS)}
    FROM process JOIN checkpoint USING (pid, seq) JOIN inputs USING (pid)
    WHERE pid = ANY(%s) AND (owner IS NULL OR owner = %s) AND NOT paused AND state <> ALL(%s)
    ORDER BY pid FOR NO KEY UPDATE OF process SKIP LOCKED"""  # noqa: S608 (names of fields)
_CLAIM: Final = """
    UPDATE process SET owner = %s, epoch = epoch + 1, parked = FALSE, wake_at = NULL WHERE pid = ANY(%s)"""
_ENDS: Final = Texts(sorted(TERMINAL))


def _claim_many(tx: Transaction, asked: Asked) -> list[Claimed]:
    """See `Store.claim_many`."""
    pids, owner, dead = asked
    if not ownership.joined(tx, [owner]):
        raise rule.not_joined(owner)
    wanted = Texts(sorted({pid for pid in pids if rule.is_pid(pid)}))
    _bury_the_dead(tx, wanted, owner, dead)
    found = list(whole(tx.execute(_GOING_ON, (wanted, owner, _ENDS)).fetchall(), row.to_record))
    before = rule.epochs(tx.lost)
    kept = [one for one in found if one.record.owner == owner and before.get(one.record.pid) == one.record.epoch]
    free = [one for one in found if one.record.owner is None]
    claimed = kept + [one._replace(record=rule.claimed(one.record, owner)) for one in free]
    if not claimed:
        return []
    tx.execute(_CLAIM, (owner, _pids(free)))
    ownership.trim_living(tx, [one.record for one in free])
    orders = inbox.orders_to(tx.execute, _pids(claimed))
    return [one._replace(orders=tuple(orders.get(one.record.pid, ()))) for one in claimed]


def _bury_the_dead(tx: Transaction, wanted: Texts, owner: str, dead: Collection[str]) -> None:
    """Bury those who hold some processes and have died."""
    for (holder,) in tx.execute(_HOLDERS, (wanted, owner)).fetchall():
        if ownership.is_lost(tx, holder, dead):
            ownership.bury(tx, holder)


def _pids(claimed: Iterable[Claimed]) -> Texts:
    return Texts([one.record.pid for one in claimed])


CLAIM_MANY: Final = Write(one_by_one(_claim_many), lambda asked: Touched(asked[0], (asked[1],)))
