"""The queue of tasks in memory keeps the contract."""

import contextlib

import pytest

from drupe.storage.memory_queue import MemoryTaskQueue, QueueState
from drupe.testing.task_queue_contract import TaskQueueContract


class TestMemoryTaskQueue(TaskQueueContract):
    @pytest.fixture
    def queues(self, clock):
        state = QueueState()
        return lambda: contextlib.nullcontext(MemoryTaskQueue(state, clock=clock))
