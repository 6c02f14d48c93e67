"""Migrations: numbered without a gap, whole or not at all, and a migrated store equals a fresh one."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from drupe.errors import StoreFormatError
from drupe.storage.sqlite import file, schema

NUMBERS = list(schema.migrations())
SHAPES = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2"


def shape(db):
    return db.execute(SHAPES).fetchall(), schema.version(db), db.execute("PRAGMA application_id").fetchone()


def fresh():
    return sqlite3.connect(":memory:", isolation_level=None)


def test_migrations_are_numbered_from_one_without_a_gap():
    assert list(range(1, len(NUMBERS) + 1)) == NUMBERS
    for name in (found.name for found in schema._FOLDER.iterdir() if found.name.endswith(".sql")):
        assert re.fullmatch(r"\d{4}-[a-z-]+\.sql", name)


@pytest.mark.parametrize("start", NUMBERS)
def test_a_migrated_store_equals_a_fresh_one(start, monkeypatch):
    with closing(fresh()) as old, closing(fresh()) as new:
        schema.migrate(new, Path("new"))
        known = schema.migrations()
        monkeypatch.setattr(schema, "migrations", lambda: {n: s for n, s in known.items() if n <= start})
        schema.migrate(old, Path("old"))
        assert schema.version(old) == start
        monkeypatch.setattr(schema, "migrations", lambda: known)
        schema.migrate(old, Path("old"))
        assert shape(old) == shape(new)


def test_a_migration_that_fails_leaves_the_store_as_it_was(monkeypatch):
    with closing(fresh()) as db:
        schema.migrate(db, Path("store"))
        before = shape(db)
        known = schema.migrations()
        later = {max(known) + 1: "CREATE TABLE more (x);\n-- why\nCREATE TABLE process (x);\n"}
        monkeypatch.setattr(schema, "migrations", lambda: known | later)
        with pytest.raises(sqlite3.OperationalError, match="process"):
            schema.migrate(db, Path("store"))
        assert shape(db) == before
        assert not db.in_transaction


def test_a_later_migration_is_applied_once(monkeypatch):
    with closing(fresh()) as db:
        schema.migrate(db, Path("store"))
        known = schema.migrations()
        number = max(known) + 1
        monkeypatch.setattr(schema, "migrations", lambda: known | {number: "CREATE TABLE more (x);"})
        schema.migrate(db, Path("store"))
        schema.migrate(db, Path("store"))
        assert schema.version(db) == number
        assert db.execute("SELECT count(*) FROM more").fetchone() == (0,)


def test_a_store_that_another_program_migrates_meanwhile_is_looked_at_again(monkeypatch):
    """Between the first look at the version and the lock, a newer drupe may have been here."""
    with closing(fresh()) as db:
        schema.migrate(db, Path("store"))
        versions = iter([0, 99, 99])
        monkeypatch.setattr(schema, "version", lambda _: next(versions))
        with pytest.raises(StoreFormatError, match="99"):
            schema.migrate(db, Path("store"))
        assert not db.in_transaction


def test_the_mark_is_four_letters():
    assert file.APPLICATION_ID.to_bytes(4) == b"drup"
