"""User code that blocks the loop of the processes for many heartbeats and leases: connection and lease live on.

It blocks for `SECONDS`. A whole minute, with the heartbeat and lease that are the defaults or shorter:

    DRUPE_TEST_BLOCK=60 python -m pytest tests/messaging/rabbitmq/test_blocked_loop.py --timeout 120
"""

import asyncio
import logging
import os
import threading
from functools import partial

import pytest

from drupe import Controller, Process
from drupe.core.lifecycle import State
from drupe.engine.registry import ClassRegistry
from drupe.errors import OwnedError
from drupe.messaging.loop import LoopCommunicator
from drupe.messaging.thread import ThreadCommunicator
from drupe.service.runner import Runner
from drupe.storage.sqlite.store import SqliteStore

pytestmark = [pytest.mark.service("rabbitmq"), pytest.mark.slow]

SECONDS = float(os.environ.get("DRUPE_TEST_BLOCK", "5"))
HEARTBEAT = 2.0 if SECONDS < 60 else 10.0
"""A broker gives a connection up that says nothing for two of them."""
LEASE = 2.0 if SECONDS < 60 else 5.0


class Blocking(Process):
    """Blocks its loop, as a library does that waits for a computation."""

    def run(self):
        blocks.set()
        seen.wait()


blocks, seen = threading.Event(), threading.Event()


async def seen_from_elsewhere(amqp, path, pid):
    """Get what a program on another loop sees of a process whose step blocks for so long."""
    store, communicator = SqliteStore(path), amqp()
    await store.open()
    await communicator.open()
    try:
        async with Controller(store, communicator) as controller:
            await asyncio.to_thread(blocks.wait)
            await asyncio.sleep(SECONDS)  # so long it takes to go wrong
            status = await controller.status(pid)
            async with Runner(SqliteStore(path), registry=ClassRegistry(Process)) as other:
                with pytest.raises(OwnedError) as refused:
                    await other.resume(pid)
        return status, refused.value.owner
    finally:
        seen.set()
        await communicator.close()
        await store.close()


async def test_connection_and_lease_outlast_a_step_that_blocks(amqp, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    path = tmp_path / "store.db"
    communicator = LoopCommunicator(ThreadCommunicator(partial(amqp, heartbeat=HEARTBEAT)))
    async with Runner(SqliteStore(path), lease=LEASE, communicator=communicator) as runner:
        blocks.clear()
        seen.clear()
        seeing = asyncio.create_task(
            asyncio.to_thread(lambda: asyncio.run(seen_from_elsewhere(amqp, path, "blocking")))
        )
        process = await runner.launch(Blocking, pid="blocking")
        await process
        status, owner = await seeing

    assert (status.answered, status.state, status.owner) == (True, State.RUNNING, runner.owner)
    assert (status.blocked.kind, status.blocked.step) == (process.kind, "run")
    assert status.blocked.seconds > SECONDS - 2
    assert owner == runner.owner
    assert "was lost" not in caplog.text
