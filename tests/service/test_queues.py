"""What was handed in for the workers of one queue is theirs, for as long as it lives, and is not lost with its task."""

import asyncio
import contextlib

import pytest

from drupe.core.lifecycle import State
from drupe.core.record import Query, is_queued
from drupe.core.status import Repertoire
from drupe.engine.process import Process
from drupe.messaging.memory import MemoryCommunicator, MemoryHub
from drupe.service import queueing
from drupe.service.controller import Controller
from drupe.service.lacking import Workers
from drupe.service.runner import Runner
from drupe.testing.communicator_contract_case import soon
from drupe.testing.host_case import until
from tests.service.samples import Gate
from tests.service.test_summons import Holding, Question
from tests.service.timed import at_work
from tests.service.town import a_place

LOOKS = 0.02
"""Seconds between two looks of a worker."""


class Counted(Process):
    """Says that it ran."""

    ran: list[str]

    def run(self):
        self.ran.append(self.pid)


class Failing(Process):
    """Ends by an exception."""

    def run(self):
        raise ValueError("not like this")


class Site:
    """Workers of several queues on one store."""

    def __init__(self, place):
        self.place, self.hub, self.stack = place, None, contextlib.AsyncExitStack()

    async def store(self):
        store = self.place()
        await store.open()
        self.stack.push_async_callback(store.close)
        return store

    async def open(self):
        self.hub = MemoryHub((await self.store()).tasks)
        communicator = MemoryCommunicator(self.hub)
        await communicator.open()
        self.stack.push_async_callback(communicator.close)
        self.controller = await self.stack.enter_async_context(Controller(await self.store(), communicator, poll=LOOKS))

    def worker(self, queue, **given):
        return at_work(self.place(), self.hub, sweep=LOOKS, queue=queue, **given)

    async def looked(self, worker, times=3):
        """Wait until a worker has looked for what nobody holds."""
        looks, sweep = [], worker.sweep

        async def counted():
            found = await sweep()
            looks.append(found)
            return found

        worker.sweep = counted
        await soon(until(lambda: len(looks) >= times))
        worker.sweep = sweep
        return looks


@pytest.fixture(params=["memory", "file"])
async def site(request, tmp_path):
    site = Site(a_place(request.param, tmp_path))
    async with site.stack:
        await site.open()
        yield site


@pytest.fixture
def ran(monkeypatch):
    Counted.ran = []
    return Counted.ran


@pytest.mark.parametrize("lost", [True, False])
async def test_one_whose_task_is_lost_is_run_by_a_worker_of_its_queue(site, ran, monkeypatch, lost):
    """Also if it is not lost, but comes late: then there are two who bring the same."""
    monkeypatch.setattr(queueing, "BACKUP", 2 * LOOKS)
    store = await site.store()
    for number in range(20):
        if lost:
            await site.controller._launching._queueing.put(Counted, {}, pid=f"p{number}", queue="ours")
        else:
            await site.controller.launch(Counted, pid=f"p{number}", queue="ours")
    async with site.worker("theirs") as theirs:
        await asyncio.sleep(3 * LOOKS)  # for the time of day to come: nothing waits for it here
        assert all(found == [] for found in await site.looked(theirs))
        assert all([is_queued(await store.record(f"p{number}")) for number in range(20)])
        async with site.worker("ours"):
            for number in range(20):
                await soon(site.controller.wait(f"p{number}"))
    assert sorted(ran) == sorted(f"p{number}" for number in range(20))


async def test_before_that_nobody_looks_for_it(site):
    await site.controller._launching._queueing.put(Counted, {}, pid="one", queue="ours")
    async with site.worker("ours") as ours:
        assert all(found == [] for found in await site.looked(ours))
    row = await (await site.store()).record("one")
    assert is_queued(row)
    assert row.wake_at == row.created + queueing.BACKUP


async def test_nobody_waits_for_a_slot_because_of_what_lies_in_a_queue(site, ran, monkeypatch):
    """What was begun must not stand in line behind it."""
    monkeypatch.setattr(queueing, "BACKUP", 0.0)
    Holding.gate = Gate()
    async with site.worker("ours", slots=1) as ours:
        await ours.runner.launch(Holding)
        await soon(Holding.gate.reached.wait())
        await site.controller._launching._queueing.put(Counted, {}, pid="one", queue="ours")
        assert all(found == [] for found in await site.looked(ours))
        assert not ours._cut_short
        assert not ran
        Holding.gate.open.set()
        await soon(site.controller.wait("one"))
    assert ran == ["one"]


async def test_what_has_waited_goes_on_at_a_worker_of_its_queue_and_so_do_its_children(site):
    store = await site.store()
    async with site.worker("ours"):
        question = (await site.controller.launch(Question, queue="ours")).pid

        async def child():
            return (await store.list(_below(question))).records

        await soon(_until(lambda: _parked(store, question)))
        (answer,) = await child()
        assert answer.queue == "ours"
        await soon(_until(lambda: _parked(store, answer.pid)))
    await site.controller.signal(answer.pid, "word", "yes")
    async with site.worker("theirs") as theirs:
        assert all(found == [] for found in await site.looked(theirs))
        assert (await store.record(answer.pid)).state is State.WAITING
        async with site.worker("ours"):
            await soon(site.controller.wait(question))
    assert (await store.record(question)).queue == "ours"


async def test_what_was_begun_without_a_queue_is_for_all_and_so_are_its_children(site):
    """Also those that a worker makes, which is of a queue."""
    async with Runner(site.place(), poll=None) as runner:
        question = (await runner.create(Question)).pid
    store = await site.store()
    async with site.worker("theirs"):
        await soon(_until(lambda: _parked(store, question)))
        (answer,) = (await store.list(_below(question))).records
        assert (await store.record(question)).queue is answer.queue is None
        await site.controller.signal(answer.pid, "word", "yes")
        await soon(site.controller.wait(question))


async def test_what_is_tried_again_is_for_the_same_queue(site):
    async with site.worker("ours"):
        failed = (await site.controller.launch(Failing, queue="ours")).pid
        with pytest.raises(Exception, match="not like this"):
            await soon(site.controller.wait(failed))
    assert (await site.controller.retry(failed)).queue == "ours"


def test_who_is_of_another_queue_cannot_run_it():
    theirs = Repertoire(queue="theirs", versions={"m:A": 1})
    ours = Repertoire(queue="ours", versions={"m:A": None})
    assert Workers((theirs,), silent=0).lack("m:A", 1, None) is None
    assert Workers((theirs,), silent=0).lack("m:A", 1, "theirs") is None
    lack = Workers((theirs,), silent=0).lack("m:A", 1, "ours")
    assert str(lack) == "no worker for queue ours; start one with: drupe worker --queue ours"
    assert Workers((theirs,), silent=1).lack("m:A", 1, "ours") is None
    assert "no worker for m:A v1" in str(Workers((theirs, ours), silent=0).lack("m:A", 1, "ours"))


def _below(pid):
    return Query(parent=pid)


async def _parked(store, pid):
    row = await store.record(pid)
    return row.parked and row.state is State.WAITING


async def _until(condition):
    while not await condition():  # noqa: ASYNC110 (the store tells nobody)
        await asyncio.sleep(0.005)
