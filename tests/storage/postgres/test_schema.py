"""The tables of a store: made once, however many come; what is somebody else's, or newer, is left as it is."""

import asyncio

import psycopg
import pytest

from drupe.errors import StoreFormatError, StoreUnavailableError
from drupe.storage.postgres import PostgresStore, address, schema

pytestmark = pytest.mark.service("postgres")

SHAPE = """
    SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default
    FROM information_schema.columns WHERE table_schema = %s AND table_name <> 'migration' ORDER BY 1, 2"""
INDEXES = (
    "SELECT tablename, replace(indexdef, schemaname || '.', '') FROM pg_indexes WHERE schemaname = %s ORDER BY 1, 2"
)


def place(url):
    found = address.parse(url)
    return psycopg.connect(**found.parameters, autocommit=True), found.schema


def picture(url):
    db, name = place(url)
    with db:
        return [db.execute(statement, (name,)).fetchall() for statement in (SHAPE, INDEXES)]


async def open_and_close(url):
    store = PostgresStore(url)
    await store.open()
    await store.close()


async def test_migrated_one_by_one_is_the_same_as_made_anew(new_postgres_url, monkeypatch):
    fresh, migrated = new_postgres_url(), new_postgres_url()
    await open_and_close(fresh)
    everything = schema.migrations()
    for newest in everything:
        monkeypatch.setattr(schema, "migrations", lambda newest=newest: dict(list(everything.items())[:newest]))
        await open_and_close(migrated)
    assert picture(migrated) == picture(fresh)


async def test_a_failed_migration_leaves_nothing(postgres_url, monkeypatch):
    everything = schema.migrations()
    monkeypatch.setattr(schema, "migrations", lambda: {**everything, 9: "CREATE TABLE late (n int); SELECT 1/0"})
    with pytest.raises(Exception, match="division by zero"):
        await open_and_close(postgres_url)
    assert picture(postgres_url) == [[], []]


async def test_many_who_open_a_new_store_at_once_make_it_once(postgres_url):
    await asyncio.gather(*(open_and_close(postgres_url) for _ in range(8)))
    db, name = place(postgres_url)
    with db:
        made = db.execute(f"SELECT number FROM {name}.migration ORDER BY 1").fetchall()
        assert [number for (number,) in made] == list(schema.migrations())


async def test_a_newer_store_is_refused_and_left_as_it_is(postgres_url):
    await open_and_close(postgres_url)
    db, name = place(postgres_url)
    with db:
        db.execute(f"INSERT INTO {name}.migration (number) VALUES (999)")
    before = picture(postgres_url)
    with pytest.raises(StoreFormatError, match=r"version 999.*upgrade drupe"):
        await open_and_close(postgres_url)
    assert picture(postgres_url) == before


@pytest.mark.parametrize("tables", [["process"], ["migration"], ["customers", "process"]])
async def test_a_schema_of_somebody_else_is_refused_and_left_as_it_is(postgres_url, tables):
    db, name = place(postgres_url)
    with db:
        db.execute(f"CREATE SCHEMA {name}")
        for table in tables:
            db.execute(f"CREATE TABLE {name}.{table} (n int)")
    before = picture(postgres_url)
    with pytest.raises(StoreFormatError, match=f"{name}.*something else"):
        await open_and_close(postgres_url)
    assert picture(postgres_url) == before


async def test_an_empty_schema_that_somebody_made_for_it_is_taken(postgres_url):
    db, name = place(postgres_url)
    with db:
        db.execute(f"CREATE SCHEMA {name}")
    await open_and_close(postgres_url)


async def test_tables_that_are_taken_away_while_it_is_open_are_told_of(postgres_url):
    store = PostgresStore(postgres_url)
    await store.open()
    db, name = place(postgres_url)
    with db:
        db.execute(f"DROP SCHEMA {name} CASCADE")
    with pytest.raises(StoreFormatError, match="not there"):
        await store.record("p1")
    with pytest.raises(StoreFormatError, match="not there"):
        await store.join("me", lease=1.0)
    await store.close()


async def test_a_database_that_is_not_there_is_told_of_at_once(database_url):
    base, query = database_url.partition("?")[::2]
    store = PostgresStore(f"{base.rpartition('/')[0]}/nowhere?{query}")
    with pytest.raises(StoreUnavailableError, match="nowhere"):
        await store.open()
