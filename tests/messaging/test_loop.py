"""A communicator on a thread of its own, with callbacks on this loop, keeps the contract."""

import asyncio
import threading
from functools import partial

import pytest

from drupe.messaging.loop import LoopCommunicator
from drupe.messaging.memory import MemoryCommunicator, MemoryHub
from drupe.messaging.thread import ThreadCommunicator
from drupe.storage.memory_queue import MemoryTaskQueue
from drupe.testing.communicator_contract import CommunicatorContract


class TestLoopCommunicator(CommunicatorContract):
    @pytest.fixture
    def communicators(self):
        hub = MemoryHub(MemoryTaskQueue())
        return lambda: LoopCommunicator(ThreadCommunicator(partial(MemoryCommunicator, hub)))


@pytest.fixture
async def here():
    communicator = LoopCommunicator(ThreadCommunicator(partial(MemoryCommunicator, MemoryHub(MemoryTaskQueue()))))
    await communicator.open()
    yield communicator
    await communicator.close()


async def test_callbacks_run_on_this_loop_and_filters_before_the_hop(here):
    threads = {}

    def admits(sender, subject):
        threads["filter"] = threading.current_thread()
        return subject == "wanted"

    heard = asyncio.Queue()
    await here.subscribe_broadcast(lambda b: heard.put_nowait((b.subject, threading.current_thread())), admits)
    await here.broadcast_send(subject="unwanted")
    await here.broadcast_send(subject="wanted")

    assert await asyncio.wait_for(heard.get(), 10) == ("wanted", threading.current_thread())
    assert threads["filter"] is not threading.current_thread()


async def test_cancelling_a_call_here_cancels_it_there(here):
    begun, ended = asyncio.Event(), asyncio.Event()

    async def never(task):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    handle = await here.subscribe_task(never)
    receipt = await here.task_send(1)
    waiting = asyncio.create_task(receipt.result(deadline=None))
    await asyncio.wait_for(begun.wait(), 10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await handle.unsubscribe()

    assert not ended.is_set()  # whoever does the task is not the one who waits for it
    await here.close()
    assert ended.is_set()


async def test_a_communicator_that_was_never_opened_can_be_closed():
    communicator = LoopCommunicator(ThreadCommunicator(partial(MemoryCommunicator, MemoryHub(MemoryTaskQueue()))))

    await communicator.close()

    assert communicator.is_closed()
