"""The writes of processes: create, save, delete; each all or nothing.

`save` is what every step of every process pays, so all steps of a batch are one statement, which locks nothing that it
does not change.
"""

from collections.abc import Sequence
from typing import Any, Final

from drupe.core.lifecycle import TERMINAL
from drupe.core.record import Birth, Change, Fence, Record, birth_record
from drupe.errors import StoreError
from drupe.storage import rule
from drupe.storage.digest import digest
from drupe.storage.postgres import inbox, ownership, parking, row, statement
from drupe.storage.postgres.column import Blobs, Flags, Numbers, Texts, Times
from drupe.storage.postgres.transaction import Touched, Transaction, Write, one_by_one

Creation = tuple[Sequence[Birth], Fence | None]

_GIVEN: Final = """unnest(%s::text[], %s::int8[], %s::int8[], %s::float8[], %s::text[], %s::text[], %s::bool[], %s::bool[],
        %s::text[], %s::text[], %s::bytea[], %s::bytea[], %s::int8[])
        AS given (pid, epoch, seq, at, status, state, paused, ends, event, detail, hash, body, gone)"""
_BESIDE: Final = """
    kept AS (INSERT INTO checkpoint (pid, seq, at, hash, body) SELECT pid, seq, at, hash, body FROM moved),
    told AS (INSERT INTO event (pid, seq, at, event, state, detail) SELECT pid, seq, at, event, state, detail FROM moved),
    gone AS (
        DELETE FROM checkpoint USING moved
        WHERE checkpoint.pid = moved.pid AND checkpoint.seq = moved.gone AND moved.gone > 0
    )
    SELECT pid FROM moved"""
# The owner is asked for in a way that no index helps with: there may be a hundred thousand rows that have one.
# The state and the pause as they were change no index: then the new version of a row lies beside the old one.
_SAVE: Final = f"""
    WITH moved AS (
        UPDATE process SET seq = given.seq, updated = given.at, status = given.status, attempts = 0, state = given.state,
            paused = given.paused, owner = CASE WHEN given.ends THEN NULL ELSE owner END
        FROM {_GIVEN}
        WHERE process.pid = given.pid AND process.epoch = given.epoch AND process.seq = given.seq - 1
            AND coalesce(process.owner, '') <> ''
        RETURNING given.*
    ), {_BESIDE}"""  # noqa: S608 (written out above)
_OVERRULE: Final = f"""
    WITH moved AS (
        UPDATE process SET seq = given.seq, updated = given.at, status = given.status, attempts = 0, state = given.state,
            paused = given.paused, owner = NULL, epoch = process.epoch + 1,
            parked = parked AND NOT given.ends, wake_at = CASE WHEN NOT given.ends THEN wake_at END
        FROM {_GIVEN}
        WHERE process.pid = given.pid
        RETURNING given.*
    ), {_BESIDE}"""  # noqa: S608 (written out above)
_NAN: Final = float("nan")
_SAME: Final = """
    SELECT 1 FROM checkpoint JOIN event USING (pid, seq)
    WHERE pid = %s AND seq = %s AND hash = %s AND event.event = %s AND state = %s"""
_BEAR: Final = """
    WITH given AS MATERIALIZED (
        SELECT * FROM unnest(%s::text[], %s::text[], %s::int8[], %s::int8[], %s::text[], %s::text[], %s::int8[],
            %s::text[], %s::float8[], %s::bytea[], %s::text[], %s::bytea[], %s::bytea[], %s::bytea[], %s::bytea[], %s::text[],
            %s::bool[], %s::float8[], %s::text[])
        AS given (pid, kind, version, epoch, owner, parent, generation, retry_of, created, digest, tail,
            inputs_hash, inputs, hash, body, state, parked, wake_at, queue)
    ), born AS (
        INSERT INTO process (pid, kind, version, state, paused, seq, epoch, owner, attempts, parent, generation, retry_of,
            created, updated, digest, tail, parked, wake_at, queue)
        SELECT pid, kind, version, state, FALSE, 1, epoch, owner, 0, parent, generation, retry_of,
            created, created, digest, tail, parked, nullif(wake_at, 'NaN'), queue FROM given
    ), taken AS (
        INSERT INTO inputs (pid, hash, body) SELECT pid, inputs_hash, inputs FROM given
    ), kept AS (
        INSERT INTO checkpoint (pid, seq, at, hash, body) SELECT pid, 1, created, hash, body FROM given
    )
    INSERT INTO event (pid, seq, at, event, state) SELECT pid, 1, created, state, state FROM given"""
_GOT_ON: Final = "UPDATE process SET attempts = 0 WHERE pid = ANY(%s) AND attempts > 0"
_TABLES: Final = ("inbox", "event", "checkpoint", "inputs", "process")


# --- save --------------------------------------------------------------------------------------------------


def _save(tx: Transaction, changes: Sequence[Change]) -> Sequence[object]:
    """See `Store.save`. Changes with statements of their own are written one by one."""
    plain = [number for number, change in enumerate(changes) if not change.statements]
    if len(plain) == len(changes):
        return _save_plain(tx, changes)[0]
    answers: list[object] = [None] * len(changes)
    for number, answer in zip(plain, _save_plain(tx, [changes[number] for number in plain])[0], strict=True):
        answers[number] = answer
    for number, change in enumerate(changes):
        if change.statements:
            answers[number] = statement.run(tx, change, _save_one)
    return answers


def _save_one(tx: Transaction, change: Change) -> bool:
    """Write a change but for its statements; False if it was written before.

    Raises:
        StoreError: it is refused.
    """
    (answer,), moved = _save_plain(tx, [change])
    if isinstance(answer, StoreError):
        raise answer
    return change.pid in moved


def _save_plain(tx: Transaction, changes: Sequence[Change]) -> tuple[Sequence[object], set[str]]:
    """Write changes but for their statements; get the answers, and the pids of those that were not written before."""
    answers: list[object] = [None] * len(changes)
    births = _asked_for(tx, [(change.births, None) for change in changes], answers) if _any_births(changes) else {}
    wanted = []
    for number, change in enumerate(changes):
        try:
            rule.check_body(change, tx.max_bytes)
        except StoreError as refusal:
            answers[number] = refusal
        if answers[number] is None:
            wanted.append(number)
    moved = _advance(tx, _SAVE, [changes[number] for number in wanted])
    for number in wanted:
        if changes[number].pid not in moved:
            answers[number] = _unless_written(tx, changes[number])
    done = [number for number in wanted if changes[number].pid in moved]
    _complete(tx, [changes[number] for number in done])
    _bear(tx, [birth for number in done for birth, found in births.get(number, ()) if found is None])
    return answers, moved


def _any_births(changes: Sequence[Change]) -> bool:
    return any(change.births for change in changes)


def _advance(tx: Transaction, statement: str, changes: Sequence[Change]) -> set[str]:
    """Move rows on, with what belongs to each change beside its row; get the pids of those that could be."""
    if not changes:
        return set()
    if len(changes) > 1:
        changes = sorted(changes, key=_pid)  # everybody locks rows in this order
    ends = [change.state in TERMINAL for change in changes]
    keep = (tx.retention.living, tx.retention.ended)
    rows = tx.execute(
        statement,
        (
            Texts([change.pid for change in changes]),
            Numbers([change.epoch for change in changes]),
            Numbers([change.seq for change in changes]),
            Times([change.at for change in changes]),
            Texts([_shown(change.status) for change in changes]),
            Texts([change.state for change in changes]),
            Flags([change.paused for change in changes]),
            Flags(ends),
            Texts([change.event for change in changes]),
            Texts([_shown(change.detail) for change in changes]),
            Blobs([digest(change.body) for change in changes]),
            Blobs([change.body for change in changes]),
            Numbers([_gone(change.seq, keep[end]) for change, end in zip(changes, ends, strict=True)]),
        ),
    ).fetchall()
    return {pid for (pid,) in rows}


def _pid(change: Change) -> str:
    return change.pid


def _gone(seq: int, keep: int | None) -> int:
    """Get the number of the checkpoint that falls out of those kept."""
    return 0 if keep is None or seq <= keep else seq - keep


def _shown(text: str | None) -> str | None:
    """Get a text for people as PostgreSQL can hold it: it knows no NUL."""
    return text if text is None or "\0" not in text else text.replace("\0", "\N{SYMBOL FOR NULL}")


def _complete(tx: Transaction, changes: Sequence[Change]) -> None:
    """Write what only some changes have."""
    answered = [(change, answer) for change in changes for answer in change.answers]
    if answered:
        tx.notice.settled.update(change.pid for change, _ in answered)
        inbox.write_answers(tx, [(change.pid, answer, change.at) for change, answer in answered])
    ended = [change for change in changes if change.terminal]
    if ended:
        tx.notice.settled.update(change.pid for change in ended)
        if tx.retention.ended is not None:
            ownership.trim(tx, [(change.pid, change.seq) for change in ended], tx.retention.ended)
        inbox.answer_the_rest(tx, [(change.pid, change.state, change.at) for change in ended])
        parking.wake_parents(tx, [change.pid for change in ended])


def _unless_written(tx: Transaction, change: Change) -> StoreError | None:
    """Get None if this very change has moved the row before, else the refusal."""
    found = row.find(tx.execute, change.pid)
    if found is not None and (found.epoch, found.seq) == (change.epoch, change.seq) and _is_written(tx, change):
        return None
    return rule.fenced(change, found)


def _is_written(tx: Transaction, change: Change) -> bool:
    same = (change.pid, change.seq, digest(change.body), change.event, str(change.state))
    return tx.execute(_SAME, same).fetchone() is not None


def _is_whole(changes: Sequence[Change]) -> bool:
    return not any(
        change.births or change.answers or change.statements or change.state in TERMINAL for change in changes
    )


def _save_touches(change: Change) -> Touched:
    if not change.births:
        return Touched((change.pid,))
    return Touched((change.pid, *(birth.pid for birth in change.births)), _owners(change.births))


# --- overrule ----------------------------------------------------------------------------------------------


def _overrule(tx: Transaction, asked: tuple[Change, frozenset[str], bool]) -> None:
    """See `Inbox.overrule`."""
    change, dead, force = asked
    rule.check_body(change, tx.max_bytes)
    found, lost = ownership.locked(tx, change.pid, dead)
    if found is None:
        raise rule.unknown(change.pid)
    if (found.epoch, found.seq) == (change.epoch + 1, change.seq) and _is_written(tx, change):
        return
    rule.check_overrulable(found, change)
    if found.owner is not None and lost:
        ownership.bury(tx, found.owner)
    elif found.owner is not None and not force:
        raise rule.owned(found)
    _advance(tx, _OVERRULE, [change])
    _complete(tx, [change])
    tx.notice.free |= not change.terminal and not change.paused


# --- create ------------------------------------------------------------------------------------------------


def _create(tx: Transaction, creations: Sequence[Creation]) -> Sequence[object]:
    """See `Store.create`."""
    answers: list[object] = [None] * len(creations)
    fences = {fence.pid for _, fence in creations if fence is not None}
    rows = row.find_all(tx.execute, fences, "FOR NO KEY UPDATE") if fences else {}
    for number, (_, fence) in enumerate(creations):
        if fence is not None:
            found = rows.get(fence.pid)
            if found is None or found.epoch != fence.epoch or found.owner is None:
                answers[number] = rule.fenced(fence, found)
    asked = _asked_for(tx, creations, answers)
    new = []
    for number, births in asked.items():
        answers[number] = [birth_record(birth) if found is None else found for birth, found in births]
        new += [birth for birth, found in births if found is None]
    _bear(tx, new)
    _note_progress(tx, [fence for number, (_, fence) in enumerate(creations) if rule.any_lives(_rows(answers[number]))])
    return answers


def _rows(answer: object) -> list[Record]:
    return answer if isinstance(answer, list) else []


def _note_progress(tx: Transaction, fences: Sequence[Fence | None]) -> None:
    pids = sorted({fence.pid for fence in fences if fence is not None})
    if pids:
        tx.execute(_GOT_ON, (Texts(pids),))


def _asked_for(
    tx: Transaction, creations: Sequence[Creation], answers: list[object]
) -> dict[int, list[tuple[Birth, Record | None]]]:
    """Get, by the number of its request, each birth with the row that is there already.

    One asked for twice is there the second time. What must not be created is refused, in ``answers``.
    """
    wanted = {number: births for number, (births, _) in enumerate(creations) if answers[number] is None}
    rows = row.find_all(tx.execute, [birth.pid for births in wanted.values() for birth in births])
    joined = ownership.joined(tx, {owner for births in wanted.values() for owner in _owners(births)})
    asked = {}
    for number, births in wanted.items():
        try:
            asked[number] = _checked(births, rows, joined, tx.max_bytes)
        except StoreError as refusal:
            answers[number] = refusal
    return asked


def _checked(
    births: Sequence[Birth], rows: dict[str, Record], joined: set[str], max_bytes: int
) -> list[tuple[Birth, Record | None]]:
    rule.check_births(births, max_bytes)
    for owner in _owners(births):
        if owner not in joined:
            raise rule.not_joined(owner)
    seen: dict[str, Record] = {}
    asked: list[tuple[Birth, Record | None]] = []
    for birth in births:
        found = seen.get(birth.pid) or rows.get(birth.pid)
        asked.append((birth, None if found is None else rule.same_birth(birth, found)))
        seen[birth.pid] = found or birth_record(birth)
    return asked


def _bear(tx: Transaction, births: Sequence[Birth]) -> None:
    if not births:
        return
    tx.notice.free |= any(birth.owner is None and not birth.parked for birth in births)
    tx.execute(
        _BEAR,
        (
            Texts([birth.pid for birth in births]),
            Texts([birth.kind for birth in births]),
            Numbers([birth.version for birth in births]),
            Numbers([0 if birth.owner is None else 1 for birth in births]),
            Texts([birth.owner for birth in births]),
            Texts([birth.parent for birth in births]),
            Numbers([birth.generation for birth in births]),
            Texts([birth.retry_of for birth in births]),
            Times([birth.created for birth in births]),
            Blobs([birth.digest for birth in births]),
            Texts([birth.pid[::-1] for birth in births]),
            Blobs([digest(birth.inputs) for birth in births]),
            Blobs([birth.inputs for birth in births]),
            Blobs([digest(birth.body) for birth in births]),
            Blobs([birth.body for birth in births]),
            Texts([birth.state for birth in births]),
            Flags([birth.parked for birth in births]),
            Times([_NAN if birth.wake_at is None else birth.wake_at for birth in births]),
            Texts([birth.queue for birth in births]),
        ),
    )


def _owners(births: Sequence[Birth]) -> tuple[str, ...]:
    return tuple({birth.owner: None for birth in births if birth.owner is not None})


def _create_touches(creation: Creation) -> Touched:
    births, fence = creation
    pids = tuple({birth.pid: None for birth in births})
    return Touched(pids, _owners(births) if fence is None else (*_owners(births), fence.pid))


# --- delete ------------------------------------------------------------------------------------------------


def _delete(tx: Transaction, asked: tuple[str, bool]) -> None:
    """See `Store.delete`."""
    pid, untouched = asked
    found = row.find_all(tx.execute, [pid], "FOR UPDATE").get(pid)
    if found is not None:
        rule.check_deletable(found, untouched=untouched)
        for table in _TABLES:
            tx.execute(f"DELETE FROM {table} WHERE pid = %s", (pid,))  # noqa: S608 (one of the above)
    elif not tx.again:
        raise rule.unknown(pid)


def _just_pid(asked: Any) -> Touched:
    return Touched((asked[0],))


SAVE: Final = Write(_save, _save_touches, _is_whole)
CREATE: Final = Write(_create, _create_touches)
DELETE: Final = Write(one_by_one(_delete), _just_pid)
OVERRULE: Final = Write(one_by_one(_overrule), lambda asked: None)
