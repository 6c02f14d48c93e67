"""The SQLite store keeps the contract, in both durabilities."""

from functools import partial
from itertools import count

import pytest

from drupe.storage.sqlite import SqliteStore
from drupe.testing.store_contract import OneMachineContract, StoreContract


class TestDurableSqliteStore(StoreContract, OneMachineContract):
    durability = "full"

    @pytest.fixture
    def places(self, tmp_path):
        numbers = count()
        return lambda: partial(SqliteStore, tmp_path / f"{next(numbers)}.db", durability=self.durability)


class TestFastSqliteStore(TestDurableSqliteStore):
    durability = "process"
