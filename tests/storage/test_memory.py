"""The store in memory keeps the contract."""

from functools import partial

import pytest

from drupe.storage.memory import MemoryStore
from drupe.storage.memory_state import MemoryState
from drupe.testing.store_contract import OneMachineContract, StoreContract


class TestMemoryStore(StoreContract, OneMachineContract):
    @pytest.fixture
    def places(self):
        return lambda: partial(MemoryStore, MemoryState())
