"""A runner is well as long as its lease is renewed and its communicator answers, whatever its steps do."""

import threading
from functools import partial

import pytest

from drupe.errors import StoreUnavailableError
from drupe.messaging.loop import LoopCommunicator
from drupe.messaging.memory import MemoryCommunicator, MemoryHub
from drupe.messaging.thread import ThreadCommunicator
from drupe.service.health import Health
from drupe.service.lease import Lease
from drupe.service.runner import Runner
from drupe.storage.memory import MemoryStore
from drupe.testing.host_case import until

FAR = 3600.0


class Unsteady:
    """A probe that refuses renewals while it is told to."""

    def __init__(self):
        self.down = False

    def __call__(self, place):
        if self.down and place == "store.renew":
            raise StoreUnavailableError("the store is away")


async def test_a_runner_whose_lease_has_run_out_is_unwell():
    unsteady = Unsteady()
    async with Runner(MemoryStore(probe=unsteady), lease=0.3) as runner:
        assert runner.health.ailment() is None
        unsteady.down = True
        await until(lambda: runner.health.ailment() is not None)
        assert "the lease was renewed" in runner.health.ailment()
        unsteady.down = False


@pytest.fixture
async def communicator():
    store = MemoryStore()
    await store.open()
    found = LoopCommunicator(ThreadCommunicator(partial(MemoryCommunicator, MemoryHub(store.tasks))))
    await found.open()
    yield found
    await found.close()
    await store.close()


def health(communicator, answers):
    return Health(Lease(MemoryStore(), "me", FAR, lambda: None), communicator, answers=answers)


async def test_a_runner_whose_communicator_does_not_answer_is_unwell(communicator):
    go_on = threading.Event()

    async def block(_):
        go_on.wait(30)

    found = health(communicator, 0.01)
    assert found.ailment() is None
    await until(found._answer.done)
    blocking = communicator.call(block)
    again = health(communicator, 0.01)
    try:
        await until(lambda: again.ailment() is not None)
        assert "has not answered for" in again.ailment()
    finally:
        go_on.set()
    await until(blocking.done)
    await until(lambda: again.ailment() is None)


async def test_a_runner_whose_communicator_was_closed_is_unwell(communicator):
    await communicator.close()

    assert "does not answer" in health(communicator, FAR).ailment()


async def test_a_communicator_that_answers_is_asked_once_in_a_while(communicator):
    found = health(communicator, FAR)
    assert found.ailment() is None
    first = found._answer
    await until(first.done)
    assert found.ailment() is None
    assert found._answer is first
    found._asked -= 2
    assert found.ailment() is None
    assert found._answer is not first
