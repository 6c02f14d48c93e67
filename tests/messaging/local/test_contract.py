"""Communicators over sockets of one folder keep the contract."""

from functools import partial

import pytest

from drupe.messaging.local.communicator import LocalCommunicator
from drupe.storage.memory_queue import MemoryTaskQueue
from drupe.testing.communicator_contract import CommunicatorContract


class TestLocalCommunicator(CommunicatorContract):
    @pytest.fixture
    def communicators(self, folder):
        return partial(LocalCommunicator, folder, MemoryTaskQueue())
