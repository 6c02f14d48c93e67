"""The writes of processes: create, save, delete; each all or nothing, each refused before it changes anything.

`save` is what every step of every process pays, so its usual case is three statements and no reading.
"""

from collections.abc import Sequence
from itertools import starmap
from typing import Final

from drupe.core.lifecycle import TERMINAL
from drupe.core.record import Birth, Change, Fence, Record, birth_record
from drupe.storage import rule
from drupe.storage.digest import digest
from drupe.storage.sqlite import checkpoint, inbox, ownership, parking, row, statement
from drupe.storage.sqlite.transaction import Transaction

Creation = tuple[Sequence[Birth], Fence | None]

# The usual step: state and pause as they were. No indexed column is named, so no index is written.
_STEP: Final = """
    UPDATE process SET seq = ?, updated = ?, status = ?, attempts = 0
    WHERE pid = ? AND epoch = ? AND seq = ? AND state = ? AND paused = ? AND owner IS NOT NULL"""
_MOVE: Final = """
    UPDATE process SET seq = ?, updated = ?, status = ?, attempts = 0, state = ?, paused = ?
    WHERE pid = ? AND epoch = ? AND seq = ? AND owner IS NOT NULL"""
_END: Final = """
    UPDATE process SET seq = ?, updated = ?, status = ?, attempts = 0, state = ?, paused = ?, owner = NULL
    WHERE pid = ? AND epoch = ? AND seq = ? AND owner IS NOT NULL"""
_OVERRULE: Final = """
    UPDATE process SET seq = ?, updated = ?, status = ?, attempts = 0, state = ?, paused = ?, epoch = epoch + 1, owner = NULL
    WHERE pid = ?"""
_EVENT: Final = "INSERT INTO event (pid, seq, at, event, state, detail) VALUES (?, ?, ?, ?, ?, ?)"
_SAME: Final = """
    SELECT 1 FROM checkpoint JOIN event USING (pid, seq)
    WHERE pid = ? AND seq = ? AND hash = ? AND event = ? AND state = ?"""
_PROCESS: Final = f"INSERT INTO process ({row.COLUMNS}, tail) VALUES ({', '.join('?' * (len(row.FIELDS) + 1))})"  # noqa: S608
_INPUTS: Final = "INSERT INTO inputs (pid, hash, body) VALUES (?, ?, ?)"
_GOT_ON: Final = "UPDATE process SET attempts = 0 WHERE pid = ? AND attempts > 0"
_HOLDS: Final = "SELECT 1 FROM process WHERE pid = ? AND epoch = ? AND owner IS NOT NULL"


def save(tx: Transaction, change: Change) -> None:
    """See `Store.save`."""
    if change.statements:
        statement.run(tx, change, _save)
    else:
        _save(tx, change)


def _save(tx: Transaction, change: Change) -> bool:
    """Write a change but for its statements; False if it was written before."""
    rule.check_body(change, tx.max_bytes)
    births = _asked_for(tx, change.births) if change.births else ()
    if not _advance(tx, change):
        return False
    _append(tx, change)
    for birth, found in births:
        if found is None:
            _bear(tx, birth)
    return True


def overrule(tx: Transaction, asked: tuple[Change, frozenset[str], bool]) -> None:
    """See `Inbox.overrule`."""
    change, dead, force = asked
    rule.check_body(change, tx.max_bytes)
    found = row.find(tx.execute, change.pid)
    if found is None:
        raise rule.unknown(change.pid)
    if found.epoch == change.epoch + 1 and found.seq == change.seq and _is_written(tx, change):
        return
    rule.check_overrulable(found, change)
    if found.owner is not None:
        if found.owner in dead or not ownership.is_alive(tx, found.owner):
            ownership.bury(tx, found.owner)
        elif not force:
            raise rule.owned(found)
    tx.execute(_OVERRULE, (change.seq, change.at, change.status, change.state, change.paused, change.pid))
    _append(tx, change)


def _append(tx: Transaction, change: Change) -> None:
    """Write what belongs to a change beside its row."""
    pid, seq, at = change.pid, change.seq, change.at
    ends = change.state in TERMINAL
    keep = tx.retention.ended if ends else tx.retention.living
    checkpoint.put(tx, pid, seq, at=at, body=change.body, keep=keep)
    tx.execute(_EVENT, (pid, seq, at, change.event, change.state, change.detail))
    if change.answers:
        inbox.write_answers(tx, pid, change.answers, at)
    if ends:
        checkpoint.trim(tx, pid, seq, keep)
        inbox.answer_the_rest(tx, pid, change.state, at)
        parking.wake_parent(tx, pid)


def _advance(tx: Transaction, change: Change) -> bool:
    """Move the row on; False if this very change has moved it before.

    Raises:
        FencedError: it is not the caller's, or not where the caller believes.
    """
    pid, seq, state = change.pid, change.seq, change.state
    where = (pid, change.epoch, seq - 1)
    if state is change.was:
        values = (seq, change.at, change.status, *where, state, change.paused)
        if tx.execute(_STEP, values).rowcount:
            return True
    statement = _END if state in TERMINAL else _MOVE
    if tx.execute(statement, (seq, change.at, change.status, state, change.paused, *where)).rowcount:
        return True
    found = row.find(tx.execute, pid)
    if found is not None and found.epoch == change.epoch and found.seq == seq and _is_written(tx, change):
        return False
    raise rule.fenced(change, found)


def _is_written(tx: Transaction, change: Change) -> bool:
    same = (change.pid, change.seq, digest(change.body), change.event, change.state)
    return tx.execute(_SAME, same).fetchone() is not None


def create(tx: Transaction, creation: Creation) -> list[Record]:
    """See `Store.create`."""
    births, fence = creation
    if fence is not None and tx.execute(_HOLDS, (fence.pid, fence.epoch)).fetchone() is None:
        raise rule.fenced(fence, row.find(tx.execute, fence.pid))
    rows = [_bear(tx, birth) if found is None else found for birth, found in _asked_for(tx, births)]
    if fence is not None and rule.any_lives(rows):
        tx.execute(_GOT_ON, (fence.pid,))
    return rows


def _asked_for(tx: Transaction, births: Sequence[Birth]) -> list[tuple[Birth, Record | None]]:
    """Get each birth with the row that is there already; one asked for twice is there the second time.

    Raises:
        StoreError: any of them must not be created.
    """
    rule.check_births(births, tx.max_bytes)
    for owner in {birth.owner for birth in births} - {None}:
        if tx.execute("SELECT 1 FROM owner WHERE name = ?", (owner,)).fetchone() is None:
            raise rule.not_joined(str(owner))
    seen: dict[str, Record] = {}
    asked: list[tuple[Birth, Record | None]] = []
    for birth in births:
        found = seen.get(birth.pid) or row.find(tx.execute, birth.pid)
        asked.append((birth, None if found is None else rule.same_birth(birth, found)))
        seen[birth.pid] = found or birth_record(birth)
    return asked


def _bear(tx: Transaction, birth: Birth) -> Record:
    record = birth_record(birth)
    pid, at = birth.pid, birth.created
    tx.execute(_PROCESS, (*starmap(getattr, ((record, name) for name in row.FIELDS)), pid[::-1]))
    tx.execute(_INPUTS, (pid, digest(birth.inputs), birth.inputs))
    checkpoint.put(tx, pid, 1, at=at, body=birth.body, keep=None)
    tx.execute(_EVENT, (pid, 1, at, record.state, record.state, None))
    return record


def delete(tx: Transaction, asked: tuple[str, bool]) -> None:
    """See `Store.delete`."""
    pid, untouched = asked
    found = row.find(tx.execute, pid)
    if found is not None:
        rule.check_deletable(found, untouched=untouched)
        tx.execute("DELETE FROM process WHERE pid = ?", (pid,))
    elif not tx.again:
        raise rule.unknown(pid)
