"""Running what a step writes of its own inside the transaction of its checkpoint.

A savepoint keeps a statement that fails from leaving anything behind in the transaction, which others share. The step's own
tables are where its connection would have them, and the store's can be read beside them; what would write or change those is
refused, by a trigger or because their definitions are not what they were.
"""

from collections.abc import Callable
from typing import Final

import psycopg
from psycopg import errors

from drupe.core.record import Change
from drupe.core.statement import Statement
from drupe.errors import StoreError
from drupe.storage import rule
from drupe.storage.postgres.transaction import Transaction

_BEGIN: Final = """
    SELECT set_config('drupe.of_step', 'on', TRUE), set_config('drupe.path', current_setting('search_path'), TRUE),
        set_config('search_path', reset_val || ', ' || current_schema(), TRUE)
    FROM pg_settings WHERE name = 'search_path'"""
_END: Final = """
    SELECT set_config('drupe.of_step', 'off', TRUE), set_config('search_path', current_setting('drupe.path'), TRUE)"""
_SHAPE: Final = """
    SELECT
        (SELECT array_agg(oid::text || '.' || xmin::text ORDER BY oid) FROM pg_class WHERE relnamespace = %(schema)s::regnamespace),
        (SELECT count(*) FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid WHERE relnamespace = %(schema)s::regnamespace)"""


def run(tx: Transaction, change: Change, apply: Callable[[Transaction, Change], bool]) -> StoreError | None:
    """Apply a change and run its statements, or leave everything as it was and get why.

    Raises:
        psycopg.Error: it is not the statement's fault, or the whole transaction is gone.
    """
    tx.execute("SAVEPOINT step")
    try:
        rule.check_statements(change, tx.max_bytes)
        if apply(tx, change):
            _run_all(tx, change)
    except StoreError as refusal:
        tx.execute("ROLLBACK TO step")
        tx.execute("RELEASE step")
        return refusal
    tx.execute("RELEASE step")
    return None


def _run_all(tx: Transaction, change: Change) -> None:
    (schema,) = tx.execute("SELECT current_schema()").fetchall()[0]
    before = tx.execute(_SHAPE, {"schema": schema}).fetchone()
    tx.execute(_BEGIN)
    for statement in change.statements:
        _run(tx, change.pid, statement)
        if tx.execute(_SHAPE, {"schema": schema}).fetchone() != before:
            raise rule.failed(change.pid, statement, "it changed a table of the store")
    _settle(tx, change)
    tx.execute(_END)


def _run(tx: Transaction, pid: str, statement: Statement) -> None:
    try:
        # Prepared: then it can be one statement only.
        changed = tx.execute(statement.sql, statement.parameters or None, prepare=True).rowcount
    except errors.OperationalError:
        raise  # of the place, or of others who were in between
    except (psycopg.Error, ValueError, TypeError, OverflowError) as error:
        raise rule.failed(pid, statement, _why(error)) from None  # its details have the values
    if statement.rows is not None and changed != statement.rows:
        raise rule.failed(pid, statement, f"it changed {changed} rows, not {statement.rows}")


def _settle(tx: Transaction, change: Change) -> None:
    """Have constraints looked at that wait for the commit: then it would be the fault of all."""
    try:
        tx.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except errors.IntegrityError as error:
        raise rule.failed(change.pid, change.statements[-1], _why(error)) from None


def _why(error: Exception) -> str:
    """Get what the server says without a value of the user's."""
    if isinstance(error, errors.DataError) or not isinstance(error, psycopg.Error):
        return type(error).__name__
    return error.diag.message_primary or type(error).__name__
