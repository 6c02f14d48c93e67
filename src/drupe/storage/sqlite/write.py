"""The writes of processes: create, save, delete; each all or nothing, each refused before it changes anything.

`save` is what every step of every process pays, so its usual case is three statements and no reading, and of many processes one (see `change`).
"""

from collections.abc import Sequence
from itertools import groupby, starmap
from typing import Final

from drupe.core.record import Birth, Change, Fence, Record, birth_record
from drupe.errors import StoreError
from drupe.storage import rule
from drupe.storage.digest import digest
from drupe.storage.sqlite import change as changes
from drupe.storage.sqlite import checkpoint, ownership, row, statement
from drupe.storage.sqlite.transaction import Transaction

Creation = tuple[Sequence[Birth], Fence | None]

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


def save_many(tx: Transaction, asked: Sequence[Change]) -> list[StoreError | None]:
    """Save many changes, in order; get what `save` would have raised for each."""
    answers: list[StoreError | None] = []
    for plain, some in groupby(asked, lambda change: _is_plain(tx, change)):
        for portion in changes.portions([*some]):
            answers += _saved(tx, portion, together=plain)
    return answers


def _is_plain(tx: Transaction, change: Change) -> bool:
    """Whether nothing is to be looked at before it is written."""
    return not change.births and not change.statements and rule.fits(change, tx.max_bytes)


def _saved(tx: Transaction, asked: Sequence[Change], *, together: bool) -> list[StoreError | None]:
    if together and len(asked) > 1:
        try:
            changes.write_many(tx, asked)
        except changes.NotSoError:  # it is not known which
            pass
        else:
            return [None] * len(asked)
    answers: list[StoreError | None] = []
    for change in asked:
        try:
            save(tx, change)
        except StoreError as refusal:
            answers.append(refusal)
        else:
            answers.append(None)
    return answers


def _save(tx: Transaction, change: Change) -> bool:
    """Write a change but for its statements; False if it was written before."""
    rule.check_body(change, tx.max_bytes)
    births = _asked_for(tx, change.births) if change.births else ()
    if not _advance(tx, change):
        return False
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
    changes.write(tx, change, changes.OVERRULE)


def _advance(tx: Transaction, change: Change) -> bool:
    """Write a change and what belongs to it; False if this very change was written before.

    Raises:
        FencedError: it is not the caller's, or not where the caller believes.
    """
    kind = changes.kind_of(change)
    for attempt in (kind, changes.MOVE) if kind == changes.STEP else (kind,):
        try:
            changes.write(tx, change, attempt)
        except changes.NotSoError:
            continue
        return True
    found = row.find(tx.execute, change.pid)
    if found is not None and found.epoch == change.epoch and found.seq == change.seq and _is_written(tx, change):
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
    checkpoint.add(tx, pid, 1, at=at, body=birth.body)
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
