"""Running what a step writes of its own inside the transaction of its checkpoint.

A savepoint keeps a statement that fails from leaving anything behind in the transaction, which others share. What would
end that transaction, or change the tables of the store, is refused by SQLite itself, before it is run (`guard`).
"""

import sqlite3
from collections.abc import Callable
from typing import Final

from drupe.core.record import Change
from drupe.core.statement import Statement
from drupe.storage import rule
from drupe.storage.sqlite.failure import is_of_the_place
from drupe.storage.sqlite.transaction import Transaction

_MARK: Final = "/* of a step */ "
"""A statement of the store's own may be prepared already: with this before it, none is the same."""


def run(tx: Transaction, change: Change, apply: Callable[[Transaction, Change], bool]) -> None:
    """Apply a change and run its statements, or leave everything as it was.

    Raises:
        StatementError: a statement failed, or changed another number of rows than it has to.
        sqlite3.Error: it is not the statement's fault, or the whole transaction is gone.
    """
    rule.check_statements(change, tx.max_bytes)
    tx.execute("SAVEPOINT step")
    try:
        for statement in change.statements if apply(tx, change) else ():
            _run(tx, change.pid, statement)
    except BaseException:
        if tx.db.in_transaction:
            tx.execute("ROLLBACK TO step")
            tx.execute("RELEASE step")
        raise
    tx.execute("RELEASE step")


def _run(tx: Transaction, pid: str, statement: Statement) -> None:
    tx.guard.of_step = True
    try:
        changed = tx.execute(_MARK + statement.sql, statement.parameters).rowcount
    except (sqlite3.Error, ValueError, OverflowError) as error:
        # A statement may say itself that a conflict takes back all: then nobody's part of it is there any more.
        if is_of_the_place(error) or not tx.db.in_transaction:
            raise
        raise rule.failed(pid, statement, error) from error
    finally:
        tx.guard.of_step = False
    if statement.rows is not None and changed != statement.rows:
        raise rule.failed(pid, statement, f"it changed {changed} rows, not {statement.rows}")
