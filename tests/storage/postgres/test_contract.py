"""The PostgreSQL store keeps the contract."""

from functools import partial

import pytest

from drupe.storage.postgres import PostgresStore
from drupe.testing.store_contract import StoreContract

pytestmark = pytest.mark.service("postgres")


class TestPostgresStore(StoreContract):
    @pytest.fixture
    def places(self, new_postgres_url):
        return lambda: partial(PostgresStore, new_postgres_url())
