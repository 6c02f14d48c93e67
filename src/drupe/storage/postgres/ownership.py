"""The writes of owners: join, renew, leave, claim, release.

A lease is one row for each owner, not one for each process, so renewing costs the same for any number of
processes. An owner is there and holds what it claimed, or it is gone and holds nothing: whoever takes
something from a dead one buries it, and what it held is free from then on. Rows of owners are locked before those of
processes, by everybody.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from drupe.core.lifecycle import TERMINAL
from drupe.core.record import Fence, Record
from drupe.errors import DuplicateProcessError, StoreError
from drupe.storage import rule
from drupe.storage.postgres import row
from drupe.storage.postgres.column import Numbers, Texts, Times
from drupe.storage.postgres.failure import RacedError
from drupe.storage.postgres.transaction import NOW, Touched, Transaction, Write

Claim = tuple[str, str, frozenset[str]]

# While the server was away nobody could renew: after its start, every lease lasts once more.
IS_ALIVE: Final = f"""{NOW} < CASE WHEN %(time)s::float8 IS NOT NULL THEN until
        ELSE greatest(until, extract(epoch FROM pg_postmaster_start_time())::float8 + lease) END"""
"""Whether the lease of an owner runs, in a statement that gets `Transaction.time` by the name ``time``."""
LEFT: Final = f"""CASE WHEN %(time)s::float8 IS NOT NULL THEN until
        ELSE greatest(until, extract(epoch FROM pg_postmaster_start_time())::float8 + lease) END - {NOW}"""
"""The seconds that a lease lasts."""
_ALIVE: Final = f"SELECT {IS_ALIVE} FROM owner WHERE name = %(name)s"  # noqa: S608 (written out)
_JOINED: Final = "SELECT name FROM owner WHERE name = ANY(%s) ORDER BY name FOR KEY SHARE"
_LEASES: Final = f"""
    SELECT name, lease, {NOW} + lease FROM unnest(%(names)s::text[], %(leases)s::float8[]) AS given (name, lease)"""  # noqa: S608
_JOIN: Final = f"""
    INSERT INTO owner (name, lease, until) {_LEASES} ON CONFLICT (name) DO NOTHING RETURNING name"""
_RENEW: Final = f"""
    UPDATE owner SET lease = given.lease, until = {NOW} + given.lease
    FROM unnest(%(names)s::text[], %(leases)s::float8[]) AS given (name, lease)
    WHERE owner.name = given.name RETURNING owner.name"""  # noqa: S608 (written out)
_FORGET: Final = "DELETE FROM owner WHERE name = ANY(%s)"
_LOCK_ALL: Final = "SELECT pid FROM process WHERE owner = ANY(%s) ORDER BY pid FOR NO KEY UPDATE"
_RELEASE_ALL: Final = "UPDATE process SET owner = NULL WHERE owner = ANY(%s)"
_BEREAVE: Final = """
    UPDATE process SET owner = NULL, attempts = attempts + (state IN ('created', 'running') AND NOT paused)::int
    WHERE owner = %s"""
_RELEASE: Final = """
    UPDATE process SET owner = NULL FROM unnest(%s::text[], %s::int8[]) AS given (pid, epoch)
    WHERE process.pid = given.pid AND process.epoch = given.epoch RETURNING process.pid"""
_CLAIM_FREE: Final = f"""
    UPDATE process SET owner = given.owner, epoch = process.epoch + 1, parked = FALSE, wake_at = NULL
    FROM unnest(%s::text[], %s::text[]) AS given (pid, owner)
    WHERE process.pid = given.pid AND (process.owner IS NULL OR process.owner = given.owner) AND state <> ALL(%s)
    RETURNING {", ".join(f"process.{name}" for name in row.FIELDS)}"""  # noqa: S608 (names of fields)
_CLAIM: Final = "UPDATE process SET owner = %s, epoch = epoch + 1, parked = FALSE, wake_at = NULL WHERE pid = %s"
_TRIM: Final = """
    DELETE FROM checkpoint USING unnest(%s::text[], %s::int8[]) AS given (pid, seq)
    WHERE checkpoint.pid = given.pid AND checkpoint.seq <= given.seq"""
_TERMINAL: Final = Texts(sorted(TERMINAL))


# --- owners ------------------------------------------------------------------------------------------------


def _join(tx: Transaction, asked: Sequence[tuple[str, float]]) -> Sequence[object]:
    """See `Store.join`."""
    new = _names(tx, _JOIN, asked)
    left = [(name, lease) for name, lease in asked if name not in new]
    if tx.again and left:
        _names(tx, _RENEW, left)
        left = []
    twice = {name for name, _ in left}
    return [_joined_twice(name) if name in twice else None for name, _ in asked]


def _joined_twice(owner: str) -> StoreError:
    return DuplicateProcessError(f"an owner {owner} is there already: each worker needs a name of its own")


def _renew(tx: Transaction, asked: Sequence[tuple[str, float]]) -> Sequence[object]:
    """See `Store.renew`."""
    there = _names(tx, _RENEW, asked)
    return [None if name in there else rule.not_joined(name) for name, _ in asked]


def _names(tx: Transaction, statement: str, asked: Sequence[tuple[str, float]]) -> set[str]:
    asked = sorted(asked)
    columns = {"names": Texts([name for name, _ in asked]), "leases": Times([lease for _, lease in asked])}
    return {name for (name,) in tx.execute(statement, {"time": tx.time, **columns}).fetchall()}


def _leave(tx: Transaction, owners: Sequence[str]) -> Sequence[object]:
    """See `Store.leave`."""
    names = _forget(tx, owners)
    tx.notice.free |= tx.execute(_RELEASE_ALL, (names,)).rowcount > 0
    return [None] * len(owners)


def bury(tx: Transaction, owner: str) -> None:
    """Forget an owner that died: what it held is free, and what it may have been in a step of counts an attempt more."""
    _forget(tx, [owner])
    tx.notice.free |= tx.execute(_BEREAVE, (owner,)).rowcount > 0


def _forget(tx: Transaction, owners: Collection[str]) -> Texts:
    names = Texts(sorted(owners))
    tx.execute(_FORGET, (names,))
    tx.execute(_LOCK_ALL, (names,))
    return names


def joined(tx: Transaction, owners: Collection[str]) -> set[str]:
    """Get those owners that are there, and will be until the transaction ends."""
    if not owners:
        return set()
    return {name for (name,) in tx.execute(_JOINED, (Texts(sorted(owners)),)).fetchall()}


def is_alive(tx: Transaction, owner: str, *, locking: bool = False) -> bool:
    """Tell whether the lease of an owner runs."""
    found = tx.execute(_ALIVE + (" FOR UPDATE" if locking else ""), {"time": tx.time, "name": owner}).fetchone()
    return found is not None and bool(found[0])


def is_lost(tx: Transaction, owner: str, dead: Collection[str]) -> bool:
    """Tell whether an owner is to lose what it holds. It is locked before: nobody can renew its lease any more."""
    if owner not in dead and is_alive(tx, owner):
        return False
    return not is_alive(tx, owner, locking=True) or owner in dead


# --- claims ------------------------------------------------------------------------------------------------


def _claim(tx: Transaction, claims: Sequence[Claim]) -> Sequence[object]:
    """See `Store.claim`. What nobody holds is claimed in one statement; the rest is looked at one by one."""
    there = joined(tx, {owner for _, owner, _ in claims})
    free = [] if tx.again else sorted((pid, owner) for pid, owner, _ in claims if owner in there and rule.is_pid(pid))
    taken: dict[str, Record] = {}
    if free:
        pids, owners = Texts([pid for pid, _ in free]), Texts([owner for _, owner in free])
        rows = map(row.to_record, tx.execute(_CLAIM_FREE, (pids, owners, _TERMINAL)).fetchall())
        taken = {found.pid: found for found in rows}
        trim_living(tx, taken.values())
    answers: list[object] = []
    for claim in claims:
        try:
            answers.append(taken.get(claim[0]) or _claim_held(tx, claim, there))
        except StoreError as refusal:
            answers.append(refusal)
    return answers


def _claim_held(tx: Transaction, claim: Claim, there: set[str]) -> Record:
    pid, owner, dead = claim
    found, lost = locked(tx, pid, dead, claimer=owner)
    if found is None:
        raise rule.unknown(pid)
    if isinstance(tx.lost, Record) and (found.owner, found.epoch) == (owner, tx.lost.epoch):
        return found
    rule.check_claimable(found)
    if owner not in there:
        raise rule.not_joined(owner)
    holder = found.owner
    if holder is not None and holder != owner:
        if not lost:
            raise rule.owned(found)
        bury(tx, holder)
    tx.execute(_CLAIM, (owner, pid))
    trim_living(tx, [found])  # who had it before may have kept more
    return rule.claimed(found, owner)


def locked(
    tx: Transaction, pid: str, dead: Collection[str], *, claimer: str | None = None
) -> tuple[Record | None, bool]:
    """Get a row and lock it, and whether its holder, who is somebody else, is to lose it.

    Raises:
        RacedError: it changed hands meanwhile.
    """
    seen = row.find(tx.execute, pid)
    if seen is None:
        return None, False
    holder = seen.owner
    lost = holder is not None and holder != claimer and is_lost(tx, holder, dead)
    found = row.find_all(tx.execute, [pid], "FOR NO KEY UPDATE").get(pid)
    if found is None or found.owner != holder:
        raise RacedError
    return found, lost


def trim_living(tx: Transaction, found: Iterable[Record]) -> None:
    """Let go of checkpoints that whoever had these processes before has kept beyond our retention."""
    trim(tx, [(one.pid, one.seq) for one in found], tx.retention.living)


def trim(tx: Transaction, found: Sequence[tuple[str, int]], keep: int | None) -> None:
    """Keep only so many checkpoints up to the number of each process."""
    if keep is None:
        return
    long = [(pid, seq - keep) for pid, seq in found if seq > keep]
    if long:
        tx.execute(_TRIM, (Texts([pid for pid, _ in long]), Numbers([seq for _, seq in long])))


def _release(tx: Transaction, fences: Sequence[Fence]) -> Sequence[object]:
    """See `Store.release`."""
    fences_in_order = sorted(fences, key=_pid)
    columns = Texts([fence.pid for fence in fences_in_order]), Numbers([fence.epoch for fence in fences_in_order])
    done = {pid for (pid,) in tx.execute(_RELEASE, columns).fetchall()}
    tx.notice.free |= bool(done)
    return [None if fence.pid in done else rule.fenced(fence, row.find(tx.execute, fence.pid)) for fence in fences]


def _pid(fence: Fence) -> str:
    return fence.pid


def _named(asked: tuple[str, float]) -> Touched:
    return Touched((asked[0],))


JOIN: Final = Write(_join, _named)
RENEW: Final = Write(_renew, _named, lambda asked: True)
LEAVE: Final = Write(_leave, lambda asked: None)
CLAIM: Final = Write(_claim, lambda claim: Touched((claim[0],), (claim[1],)))
RELEASE: Final = Write(_release, lambda fence: Touched((fence.pid,)))
