"""The communicator in memory keeps the contract."""

from functools import partial

import pytest

from drupe.messaging.memory import MemoryCommunicator, MemoryHub
from drupe.storage.memory_queue import MemoryTaskQueue
from drupe.testing.communicator_contract import CommunicatorContract


class TestMemoryCommunicator(CommunicatorContract):
    @pytest.fixture
    def communicators(self):
        return partial(MemoryCommunicator, MemoryHub(MemoryTaskQueue()))
