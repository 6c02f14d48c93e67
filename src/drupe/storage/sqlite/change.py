"""What a change of a process writes: its row, checkpoint, event and answers; and all of that of many changes by one statement.

Python lets go of its lock for every statement, and has to get it back after each: beside a thread that computes, that takes
milliseconds. So many changes are rows put into a view, and what is to be written of each is done by triggers, which are
SQLite's own affair. View and triggers are temporary: they belong to the connection, and are not in the file. One change alone
is written by the same statements, one after the other: that takes less than to be able to take back a part of many.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from drupe.core.lifecycle import TERMINAL
from drupe.core.record import Change
from drupe.storage.digest import digest
from drupe.storage.sqlite import inbox
from drupe.storage.sqlite.schema import VIEW
from drupe.storage.sqlite.transaction import Transaction

T = TypeVar("T")

SIZES: Final = (48, 12, 3, 1)
"""So many changes are written by one statement: few sizes, since each stays prepared; and SQLite before 3.32 binds 999 values."""

STEP: Final = "step"
"""The usual step: state and pause are as they were. No indexed column is named, so no index is written."""
MOVE: Final = "move"
END: Final = "end"
OVERRULE: Final = "overrule"
"""The owner is not asked: whoever may do it has looked at the row in this transaction."""

_COLUMNS: Final = (
    *("kind", "pid", "epoch", "seq", "at", "status", "state", "paused"),
    *("hash", "body", "out", "event", "detail", "answered", "outcome", "said"),
)
_NO_ANSWER: Final = (None, None, None)
_REFUSAL: Final = "drupe: not so"

# NEW is the change: a row of the view for a trigger, values of a statement otherwise.
_OWNED: Final = "WHERE pid = NEW.pid AND epoch = NEW.epoch AND seq = NEW.seq - 1 AND owner IS NOT NULL"
_ADVANCE: Final = "UPDATE process SET seq = NEW.seq, updated = NEW.at, status = NEW.status, attempts = 0"
_AND: Final = "state = NEW.state, paused = NEW.paused"
_UPDATE: Final = {
    STEP: f"{_ADVANCE} {_OWNED} AND state = NEW.state AND paused = NEW.paused",
    MOVE: f"{_ADVANCE}, {_AND} {_OWNED}",
    END: f"{_ADVANCE}, {_AND}, owner = NULL {_OWNED}",
    OVERRULE: f"{_ADVANCE}, {_AND}, owner = NULL, epoch = epoch + 1 WHERE pid = NEW.pid",
}
# In the long run no row is added: see `checkpoint`.
_WRITE_OVER: Final = """
    UPDATE checkpoint SET seq = NEW.seq, at = NEW.at, hash = NEW.hash, body = NEW.body
    WHERE pid = NEW.pid AND seq = NEW.out"""
_ADD: Final = """
    INSERT INTO checkpoint (pid, seq, at, hash, body)
    SELECT NEW.pid, NEW.seq, NEW.at, NEW.hash, NEW.body"""
_EVENT: Final = """
    INSERT INTO event (pid, seq, at, event, state, detail)
    VALUES (NEW.pid, NEW.seq, NEW.at, NEW.event, NEW.state, NEW.detail)"""
_ANSWER: Final = """
    UPDATE inbox SET outcome = NEW.outcome, detail = NEW.said, answered = NEW.at
    WHERE id = NEW.answered AND pid = NEW.pid AND outcome = 'requested'"""
_LET_GO: Final = "DELETE FROM checkpoint WHERE pid = NEW.pid AND seq <= NEW.out"
_WAKE: Final = """
    UPDATE process SET parked = 0, wake_at = NULL
    WHERE pid IN (NEW.pid, (SELECT parent FROM process WHERE pid = NEW.pid)) AND parked = 1"""
"""Whatever has ended has its parent found, and itself rests no more."""


class NotSoError(Exception):
    """A row is not the caller's, or not where the caller believes; nothing was written, of other changes neither."""


def _trigger(kind: str) -> str:
    statements = [
        _UPDATE[kind],
        f"SELECT RAISE(ABORT, '{_REFUSAL}') WHERE changes() = 0",
        _WRITE_OVER,
        f"{_ADD} WHERE changes() = 0",
        _EVENT,
        _ANSWER,
        *((_LET_GO, _WAKE) if kind == END else ()),
    ]
    return f"""
        CREATE TEMP TRIGGER {VIEW}_{kind} INSTEAD OF INSERT ON {VIEW} WHEN NEW.kind = '{kind}' BEGIN
            {"; ".join(statements)};
        END"""


def _insert(number: int) -> str:
    row = f"({', '.join('?' * len(_COLUMNS))})"
    return f"INSERT INTO {VIEW} VALUES {', '.join([row] * number)}"  # noqa: S608 (a name, and places for values)


def _alone(statement: str) -> str:
    return statement.replace("NEW.", ":")


_INSERT: Final = {number: _insert(number) for number in SIZES}
_ALONE: Final = {kind: _alone(statement) for kind, statement in _UPDATE.items()}
_WRITE_OVER_ALONE, _ADD_ALONE, _EVENT_ALONE, _LET_GO_ALONE, _WAKE_ALONE = map(
    _alone, (_WRITE_OVER, _ADD, _EVENT, _LET_GO, _WAKE)
)


def prepare(db: sqlite3.Connection) -> None:
    """Have a connection understand changes."""
    db.execute("PRAGMA temp_store = MEMORY")  # so that what takes back a statement that is refused needs no file
    db.execute(f"CREATE TEMP VIEW {VIEW} ({', '.join(_COLUMNS)}) AS SELECT {', '.join(['NULL'] * len(_COLUMNS))}")
    for kind in (STEP, MOVE, END):
        db.execute(_trigger(kind))


def portions(things: Sequence[T]) -> Iterator[Sequence[T]]:
    """Divide what is to be written into what one statement can."""
    first = 0
    for number in SIZES:
        while len(things) - first >= number:
            yield things[first : first + number]
            first += number


def kind_of(change: Change) -> str:
    """Get what a change is to its row, as its owner writes it."""
    if change.state in TERMINAL:
        return END
    return STEP if change.event == "step" and change.state is change.was else MOVE


def write(tx: Transaction, change: Change, kind: str) -> None:
    """Write a change.

    Raises:
        NotSoError: it does not fit the row.
    """
    execute, values = tx.execute, dict(zip(_COLUMNS, _row(tx, change, kind), strict=True))
    if not execute(_ALONE[kind], values).rowcount:
        raise NotSoError
    if values["out"] is None or not execute(_WRITE_OVER_ALONE, values).rowcount:
        execute(_ADD_ALONE, values)
    execute(_EVENT_ALONE, values)
    if change.answers:
        inbox.write_answers(tx, change.pid, change.answers, change.at)
    if change.state in TERMINAL:
        execute(_LET_GO_ALONE, values)
        execute(_WAKE_ALONE, values)
        inbox.answer_the_rest(tx, [change])


def write_many(tx: Transaction, changes: Sequence[Change]) -> None:
    """Write changes of which each is its owner's, as many as one of `portions`.

    Raises:
        NotSoError: one of them does not fit its row.
    """
    values: list[Any] = []
    for change in changes:
        values += _row(tx, change, kind_of(change))
    try:
        tx.execute(_INSERT[len(changes)], values)
    except sqlite3.IntegrityError as error:
        if str(error) == _REFUSAL:
            raise NotSoError from error
        raise
    for change in changes:
        if len(change.answers) > 1:
            inbox.write_answers(tx, change.pid, change.answers[1:], change.at)
    if ended := [change for change in changes if change.state in TERMINAL]:
        inbox.answer_the_rest(tx, ended)


def _row(tx: Transaction, change: Change, kind: str) -> tuple[Any, ...]:
    seq, body = change.seq, change.body
    keep = tx.retention.ended if change.state in TERMINAL else tx.retention.living
    answer: tuple[str | None, ...] = _NO_ANSWER
    if change.answers:
        first = change.answers[0]
        answer = first.id, first.outcome, first.detail
    return (
        *(kind, change.pid, change.epoch, seq, change.at, change.status, change.state, change.paused),
        *(digest(body), body, None if keep is None or seq <= keep else seq - keep, change.event, change.detail),
        *answer,
    )
