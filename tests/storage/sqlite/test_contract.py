"""The SQLite store keeps the contract, in both durabilities."""

import contextlib
import sqlite3
from functools import partial
from itertools import count

import pytest

from drupe.core.statement import statement
from drupe.errors import StatementError
from drupe.storage.sqlite import SqliteStore
from drupe.testing.store_case import born, step
from drupe.testing.store_contract import StoreContract
from drupe.testing.store_statement_contract import StoreStatementContract, put


class TestDurableSqliteStore(StoreContract, StoreStatementContract):
    durability = "full"

    @pytest.fixture
    def places(self, tmp_path):
        numbers = count()
        return lambda: partial(SqliteStore, tmp_path / f"{next(numbers)}.db", durability=self.durability)

    @pytest.fixture
    def rows(self):
        async def read(store, sql):
            with contextlib.closing(sqlite3.connect(store.path)) as db:
                return db.execute(sql).fetchall()

        return read

    @pytest.mark.parametrize(
        "wrong",
        [
            "CREATE TRIGGER more AFTER UPDATE ON process BEGIN DELETE FROM account; END",
            "CREATE TEMP TRIGGER more AFTER UPDATE ON process BEGIN DELETE FROM account; END",
            "DROP INDEX process_by_state",
            "WITH x AS (SELECT 1) UPDATE process SET epoch = 0",
            "REPLACE INTO owner (name, boot, until) VALUES ('me', '', 0)",
        ],
    )
    async def test_no_statement_gets_at_the_store_s_tables(self, store, row, wrong):
        with pytest.raises(StatementError, match=r"not authorized|prohibited"):
            await store.save(step(row, statements=(statement(wrong),)))
        assert await store.record(row.pid) == row

    async def test_a_trigger_of_the_user_s_own_table_gets_at_them_no_more(self, store, row):
        trigger = statement("CREATE TRIGGER more AFTER INSERT ON account BEGIN UPDATE process SET epoch = 0; END")
        await store.save(step(row, statements=(trigger,)))
        with pytest.raises(StatementError, match=r"not authorized|prohibited"):
            await store.save(step(row, seq=4, statements=(put("a", 1),)))

    async def test_a_conflict_that_takes_all_back_takes_nothing_of_others(self, store, row, rows):
        other = await born(store, "other")
        all_back = statement("INSERT OR ROLLBACK INTO account VALUES ('a', 1), ('a', 2)")
        saves = [
            store.save(step(other, statements=(put("b", 2),))),
            store.save(step(row, statements=(put("c", 3), all_back))),
            store.save(step(other, seq=3, statements=(put("d", 4),))),
        ]
        assert await saves[0] is None
        with pytest.raises(StatementError, match="constraint"):
            await saves[1]
        assert await saves[2] is None
        assert await rows(store, "SELECT name FROM account ORDER BY name") == [("b",), ("d",)]
        assert await store.record(row.pid) == row


class TestFastSqliteStore(TestDurableSqliteStore):
    durability = "process"
