"""What every store decides alike: what may be written, who may own what, and how a refusal reads.

Only decisions on values that a store has read already: no store, no statement, no clock here.
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from drupe.core.lifecycle import TERMINAL, State
from drupe.core.message import MAX_FRAME
from drupe.core.order import Order, Receipt, last_word
from drupe.core.record import PID_PATTERN, Birth, Change, Fence, Query, Record, Retention
from drupe.core.statement import Statement
from drupe.errors import (
    ChildMismatchError,
    FencedError,
    InvalidStateError,
    OwnedError,
    SettingsError,
    StatementError,
    StoreError,
    TooLargeError,
    UnknownOrderError,
    UnknownProcessError,
)
from drupe.interfaces.ambient import Clock

MAX_BYTES: Final = 2 * 1024 * 1024
"""So large may the inputs or one checkpoint of a process be, unless a store is told otherwise."""

is_pid: Final = re.compile(PID_PATTERN).fullmatch


# --- what may be written -----------------------------------------------------------------------------------


def check_retention(retention: Retention) -> Retention:
    """Get it back if it keeps at least the last checkpoint.

    Raises:
        SettingsError: it would keep none.
    """
    if any(keep is not None and keep < 1 for keep in (retention.living, retention.ended)):
        raise SettingsError(f"a store keeps at least the last checkpoint, not {retention}")
    return retention


def check_births(births: Sequence[Birth], max_bytes: int) -> None:
    """Refuse what must not be written.

    Raises:
        StoreError: a pid is none.
        TooLargeError: inputs or a body exceed ``max_bytes``.
    """
    for birth in births:
        for pid in (birth.pid, birth.parent, birth.retry_of):
            if pid is not None and not is_pid(pid):
                raise StoreError(f"{pid[:80]!r} is no pid: 1 to 64 letters, digits, '_' and '-'")
        check_size(birth.pid, "inputs", birth.inputs, max_bytes)
        check_size(birth.pid, "first checkpoint", birth.body, max_bytes)


def check_body(change: Change, max_bytes: int) -> None:
    """Pass if the checkpoint of a change is within the limit.

    What tells why a process failed always is: it is the checkpoint before, and a text of bounded length.

    Raises:
        TooLargeError: it is not.
    """
    if not fits(change, max_bytes):
        check_size(change.pid, "checkpoint", change.body, max_bytes)


def fits(change: Change, max_bytes: int) -> bool:
    """Tell whether `check_body` lets a change pass."""
    return len(change.body) <= max_bytes or change.state is State.EXCEPTED


def check_statements(change: Change, max_bytes: int) -> None:
    """Pass if what a step writes of its own is within the limit.

    Raises:
        TooLargeError: it is not.
    """
    size = sum(statement.size for statement in change.statements)
    if size > max_bytes:
        raise TooLargeError(
            f"process {change.pid}: what its step writes of its own would have {size:,} bytes, the limit is {max_bytes:,};"
            " write it in several steps"
        )


def check_size(pid: str, what: str, body: bytes, max_bytes: int) -> None:
    """Refuse more bytes than the limit.

    Raises:
        TooLargeError: there are more.
    """
    if len(body) > max_bytes:
        raise TooLargeError(
            f"process {pid}: its {what} would have {len(body):,} bytes, the limit is {max_bytes:,}; keep large data in files"
            " and save their names"
        )


def check_orders(orders: Sequence[Order]) -> None:
    """Refuse what must not be written.

    Raises:
        TooLargeError: a body exceeds the limit for messages.
    """
    for order in orders:
        if len(order.body) > MAX_FRAME:
            raise TooLargeError(
                f"what is asked of process {order.pid} has {len(order.body):,} bytes, the limit is {MAX_FRAME:,}; keep large"
                " data in files and send their names"
            )


def first_receipt(order: Order, row: Record | None) -> Receipt:
    """Get what an order that is new gets for a receipt, given the row of its process.

    Raises:
        UnknownProcessError: there is no such process.
    """
    if row is None:
        raise unknown(order.pid)
    receipt = Receipt(id=order.id, pid=order.pid, verb=order.verb, name=order.name, at=order.at)
    if row.state not in TERMINAL:
        return receipt
    outcome, detail = last_word(order.verb, row.state)
    return msgspec.structs.replace(receipt, outcome=outcome, detail=detail, answered=order.at)


def same_birth(birth: Birth, row: Record) -> Record:
    """Get the row of a pid that is there already, if it is the process that ``birth`` asks for.

    Raises:
        ChildMismatchError: it is another one.
    """
    if row.digest != birth.digest:
        raise ChildMismatchError(
            f"process {birth.pid} is there already as {row.kind} (inputs {row.digest.hex()[:12]}), and now it was asked"
            f" for as {birth.kind} (inputs {birth.digest.hex()[:12]}): a step that runs again must ask for the same"
            " children with the same inputs; give them a key= if their order varies"
        )
    return row


def any_lives(rows: Sequence[Record]) -> bool:
    """Tell whether a process among these has not ended."""
    return any(row.state not in TERMINAL for row in rows)


def check_query(query: Query) -> Query:
    """Get it back if it can be answered.

    Raises:
        SettingsError: its limit is below 1.
    """
    if query.limit < 1:
        raise SettingsError(f"a page has at least one process, not limit={query.limit}")
    return query


# --- who may own what --------------------------------------------------------------------------------------


def check_claimable(row: Record) -> None:
    """Refuse a process that has ended.

    Raises:
        InvalidStateError: it is terminal.
    """
    if row.state in TERMINAL:
        raise InvalidStateError(f"process {row.pid} is {row.state} and cannot be claimed")


def woken(row: Record) -> Record:
    """Get the row of a process that somebody has to look at."""
    return msgspec.structs.replace(row, parked=False, wake_at=None)


def can_go_on(row: Record, now: float) -> bool:
    """Tell whether there is something to do for whoever holds it."""
    due = row.wake_at is not None and row.wake_at <= now
    return goes_on(row) and (not row.parked or due)


def is_for(row: Record, queue: str | None) -> bool:
    """Tell whether workers of a queue may have a process; None asks for no queue."""
    return queue is None or row.queue is None or row.queue == queue


def claimed(row: Record, owner: str) -> Record:
    """Get the row of a process that ``owner`` has now; whoever else held it has died."""
    had = row if row.owner in (None, owner) else bereaved(row)
    return msgspec.structs.replace(woken(had), owner=owner, epoch=row.epoch + 1)


def epochs(lost: object) -> dict[str, int]:
    """Get the epochs, by pid, of what was claimed by the very request whose answer was lost."""
    return {one.record.pid: one.record.epoch for one in lost} if isinstance(lost, list) else {}


def goes_on(row: Record) -> bool:
    """Tell whether it takes steps once somebody holds it, whatever there is to do for it now."""
    return row.state not in TERMINAL and not row.paused


def left(clock: Clock, boot: str, until: float) -> float | None:
    """Get the seconds that a lease lasts; None if it is of another boot."""
    return until - clock.steady() if boot == clock.boot() else None


def released(row: Record) -> Record:
    """Get the row of a process whose owner has let go of it."""
    return msgspec.structs.replace(row, owner=None)


def bereaved(row: Record) -> Record:
    """Get the row of a process whose owner has died: that counts as an attempt if it may have been in a step."""
    failed = row.state in (State.CREATED, State.RUNNING) and not row.paused
    return msgspec.structs.replace(row, owner=None, attempts=row.attempts + failed)


def check_overrulable(row: Record, change: Change) -> None:
    """Refuse a change that does not follow what is there.

    Raises:
        InvalidStateError: the process has ended.
        FencedError: its row is not where the change believes.
    """
    if row.state in TERMINAL:
        raise InvalidStateError(f"process {row.pid} is {row.state}: nothing can be changed of it")
    if (row.epoch, row.seq) != (change.epoch, change.seq - 1):
        raise fenced(change, row)


def check_deletable(row: Record, *, untouched: bool) -> None:
    """Refuse a process that lives; or, where only an untouched one is to go, one that somebody has or had.

    Raises:
        InvalidStateError: it is not terminal, or not untouched.
    """
    if untouched and row.epoch:
        raise InvalidStateError(f"process {row.pid} is, or was, somebody's already")
    if not untouched and row.state not in TERMINAL:
        raise InvalidStateError(
            f"process {row.pid} is {row.state}: only one that has ended can be deleted; kill it first"
        )


# --- refusals ----------------------------------------------------------------------------------------------


def unknown(pid: str) -> UnknownProcessError:
    """Get the error for a pid that is not there."""
    return UnknownProcessError(f"there is no process {pid[:80]}")


def unknown_checkpoint(pid: str, seq: int | None) -> UnknownProcessError:
    """Get the error for a checkpoint that is not there (any more)."""
    which = "no checkpoint" if seq is None else f"no checkpoint {seq} (any more)"
    return UnknownProcessError(f"process {pid} has {which}")


def unknown_order(id: str) -> UnknownOrderError:
    """Get the error for an order that is not there."""
    return UnknownOrderError(f"there is no order {id[:80]} (any more)")


def failed(pid: str, statement: Statement, why: object) -> StatementError:
    """Get the error for a statement of a step that the database refused."""
    return StatementError(f"process {pid}: {why}, in what its step writes with its checkpoint: {statement.shown}")


def owned(row: Record) -> OwnedError:
    """Get the error for a process that somebody else holds."""
    return OwnedError(f"process {row.pid} is owned by {row.owner}", row.owner or "")


def not_joined(owner: str) -> FencedError:
    """Get the error for an owner that is not there: it never joined, left, or was declared dead."""
    return FencedError(f"owner {owner} is not known here (any more): it has to join first")


def fenced(wanted: Fence | Change, row: Record | None) -> FencedError:
    """Get the error for a write by somebody who does not own the process (any more)."""
    asked = f"epoch {wanted.epoch}" + (f", checkpoint {wanted.seq}" if isinstance(wanted, Change) else "")
    found = (
        "there is no such process"
        if row is None
        else f"the store has epoch {row.epoch}, checkpoint {row.seq}, owner {row.owner or 'none'}, {row.state}"
    )
    return FencedError(
        f"process {wanted.pid}: {asked} is not the owner's write any more ({found}); nothing was written"
    )
