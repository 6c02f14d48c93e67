"""Both hosts keep the contract; the stored one on either store, and when every process is loaded anew after every step."""

from functools import partial

import pytest

from drupe.storage.memory import MemoryStore
from drupe.storage.memory_state import MemoryState
from drupe.storage.postgres import PostgresStore
from drupe.storage.sqlite import SqliteStore
from drupe.testing.host_case import EphemeralBench, StoredBench
from drupe.testing.host_contract import HostContract, StoredHostContract
from tests.storage.postgres.fixture import database_url as database_url
from tests.storage.postgres.fixture import new_postgres_url as new_postgres_url
from tests.storage.postgres.fixture import own_database_url as own_database_url
from tests.storage.postgres.fixture import postgres_url as postgres_url


class TestEphemeralHost(HostContract):
    @pytest.fixture
    def bench(self):
        return EphemeralBench()


class TestStoredHostInMemory(StoredHostContract):
    reloading = False

    @pytest.fixture
    def place(self):
        return partial(MemoryStore, MemoryState())

    @pytest.fixture
    async def bench(self, place):
        async with StoredBench(place, reloading=self.reloading) as bench:
            yield bench


class TestStoredHostThatReloadsAfterEveryStep(TestStoredHostInMemory):
    reloading = True


@pytest.mark.service("postgres")
class TestStoredHostInPostgres(TestStoredHostInMemory):
    @pytest.fixture
    def place(self, postgres_url):
        return partial(PostgresStore, postgres_url)


class TestStoredHostInSqlite(TestStoredHostInMemory):
    @pytest.fixture
    def place(self, tmp_path):
        return partial(SqliteStore, tmp_path / "store.db", durability="process")
