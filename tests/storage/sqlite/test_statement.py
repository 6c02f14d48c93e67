"""A step's own statements on a file that cannot be written."""

import contextlib
import sqlite3

import pytest

from drupe.core.record import Retention, birth_record
from drupe.core.statement import statement
from drupe.runtime.clock import SystemClock
from drupe.storage.sqlite.statement import run
from drupe.storage.sqlite.transaction import Transaction
from drupe.testing.store_case import birth, step


@pytest.mark.parametrize(("state", "message"), [("max_page_count = 4", "full"), ("query_only = ON", "readonly")])
def test_it_is_not_the_step_s_fault(tmp_path, state, message):
    """The process must not end as EXCEPTED because of it: SQLite's own error goes on, to be told as that of the store."""
    tx = Transaction(SystemClock(), Retention(), 1 << 20)
    with contextlib.closing(sqlite3.connect(tmp_path / "small.db", isolation_level=None)) as db:
        db.execute("CREATE TABLE mine (value BLOB)")
        tx.db, tx.execute = db, db.cursor().execute
        db.execute("BEGIN IMMEDIATE")
        db.execute(f"PRAGMA {state}")
        change = step(birth_record(birth()), statements=(statement("INSERT INTO mine VALUES (?)", (b"x" * 100_000,)),))
        with pytest.raises(sqlite3.OperationalError, match=message):
            run(tx, change, lambda _tx, _change: True)
