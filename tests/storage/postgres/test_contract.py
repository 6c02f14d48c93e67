"""The PostgreSQL store keeps the contract, and that of a step's own statements."""

import secrets
from functools import partial

import psycopg
import pytest

from drupe.core.statement import statement
from drupe.errors import StatementError
from drupe.storage.postgres import PostgresStore, address
from drupe.testing.store_case import step
from drupe.testing.store_contract import StoreContract
from drupe.testing.store_statement_contract import StoreStatementContract, put

pytestmark = pytest.mark.service("postgres")


class TestPostgresStore(StoreContract):
    @pytest.fixture
    def places(self, new_postgres_url):
        return lambda: partial(PostgresStore, new_postgres_url())


class TestStatementsInPostgres(StoreStatementContract):
    """The step's own tables are in a schema of this test's, to which its connections lead."""

    @pytest.fixture
    def url(self, postgres_url, database_url):
        schema = f"own_{secrets.token_hex(6)}"
        with psycopg.connect(database_url, autocommit=True) as db:
            db.execute(f"CREATE SCHEMA {schema}")
            yield f"{postgres_url}&options=-csearch_path%3D{schema}"
            db.execute(f"DROP SCHEMA {schema} CASCADE")

    @pytest.fixture
    def places(self, url):
        return lambda: partial(PostgresStore, url)

    @pytest.fixture
    def rows(self, url):
        async def read(store, sql):
            with psycopg.connect(**address.parse(url).parameters) as db:
                return db.execute(sql).fetchall()

        return read

    @pytest.mark.parametrize(
        "wrong",
        [
            "CREATE TRIGGER more AFTER UPDATE ON process FOR EACH STATEMENT EXECUTE FUNCTION refuse_step()",
            "DROP INDEX process_by_state",
            "DROP TRIGGER not_of_steps ON process",
            "WITH x AS (UPDATE process SET epoch = 0 RETURNING 1) INSERT INTO account SELECT pid, 1 FROM process",
            "MERGE INTO owner USING account ON FALSE WHEN NOT MATCHED THEN INSERT VALUES ('x', 1, 1)",
        ],
    )
    async def test_no_statement_gets_at_the_store_s_tables(self, store, row, wrong):
        with pytest.raises(StatementError):
            await store.save(step(row, statements=(statement(wrong),)))
        assert await store.record(row.pid) == row
        await store.save(step(row, statements=(put("a", 1),)))
