"""The queue of tasks in the database keeps the contract."""

import contextlib

import pytest

from drupe.storage.postgres import PostgresStore
from drupe.testing.task_queue_contract import TaskQueueContract

pytestmark = pytest.mark.service("postgres")


class TestPostgresTaskQueue(TaskQueueContract):
    @pytest.fixture
    def queues(self, clock, postgres_url):
        @contextlib.asynccontextmanager
        async def open_another():
            store = PostgresStore(postgres_url, clock=clock)
            await store.open()
            yield store.tasks
            await store.close()

        return open_another
