"""A lease is kept while user code blocks the loop, and losing it stops what is run under it."""

import asyncio
import logging
import threading
import time
from typing import ClassVar

import pytest

from drupe.core.lifecycle import State
from drupe.engine.process import Process
from drupe.engine.registry import ClassRegistry
from drupe.errors import FencedError, OwnedError, StoreUnavailableError
from drupe.service.lease import Lease
from drupe.service.runner import Runner
from drupe.storage.memory import MemoryStore
from drupe.storage.memory_state import MemoryState
from drupe.storage.postgres import PostgresStore
from drupe.testing.communicator_contract_case import soon
from drupe.testing.host_case import until
from drupe.testing.probe import FailAt
from tests.service.samples import Asking, reached


class Beats:
    """A probe that counts renewals and lets a plain function wait for some of them."""

    def __init__(self):
        self._condition = threading.Condition()
        self._count = 0

    def __call__(self, place):
        if place == "store.renew":
            with self._condition:
                self._count += 1
                self._condition.notify_all()

    def wait(self, more):
        with self._condition:
            aim = self._count + more
            assert self._condition.wait_for(lambda: self._count >= aim, timeout=20)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.service("postgres"))])
def anywhere(request, store):
    """Makes stores of one file, or of one place in a database."""
    if request.param == "sqlite":
        return store
    url = request.getfixturevalue("postgres_url")
    return lambda **given: PostgresStore(url, **given)


@pytest.mark.slow
async def test_a_lease_is_renewed_while_user_code_blocks_the_loop(anywhere):
    """The step blocks for longer than a lease; then somebody tries to take the process from under it."""
    beats, refused, registry = Beats(), [], ClassRegistry(Process)

    async def take(pid):
        async with Runner(anywhere(), registry=registry) as other:
            with pytest.raises(OwnedError) as caught:
                await other.resume(pid)
            refused.append(caught.value.owner)

    class Blocks(Process):
        def run(self):
            beats.wait(more=4)
            thread = threading.Thread(target=asyncio.run, args=[take(self.pid)])
            thread.start()
            thread.join()

    registry.add(Blocks)
    async with Runner(anywhere(probe=beats), lease=0.9) as runner:
        process = await runner.launch(Blocks)
        await process
        assert refused == [runner.owner]


@pytest.mark.slow
async def test_a_renewal_that_fails_is_tried_again(caplog):
    beats = Beats()
    fails = FailAt(2, StoreUnavailableError("the disk is full"), "store.renew")

    def probe(place):
        beats(place)
        fails(place)

    async with Runner(MemoryStore(probe=probe), lease=0.06) as runner:
        process = await runner.launch(Asking)
        await reached(process, State.WAITING)
        await asyncio.get_running_loop().run_in_executor(None, beats.wait, 5)
        process.resume(1)
        assert await process == {"answer": 1}
    assert "could not be renewed" in caplog.text


@pytest.mark.slow
async def test_an_owner_that_was_declared_dead_stops_and_tells_whoever_waits(caplog):
    """Also for what does nothing at the time: a process that waits would never notice by a write."""
    caplog.set_level(logging.CRITICAL, "drupe")
    state = MemoryState()
    async with Runner(MemoryStore(state), lease=0.06) as runner:
        process = await runner.launch(Asking)
        held = await runner.launch(Asking)
        await reached(process, State.WAITING)
        await reached(held, State.WAITING)
        await held.pause()
        waiters = [asyncio.ensure_future(one.wait()) for one in (process, held)]
        await asyncio.sleep(0)
        heir = MemoryStore(state)
        await heir.open()
        await heir.join("heir", lease=60)
        await heir.claim(process.pid, owner="heir", dead=[runner.owner])
        for waiter in waiters:
            with pytest.raises(FencedError):
                await waiter
        process.resume(1)
        await runner.drained()
        assert runner.living() == []
        assert (await heir.record(process.pid)).state is State.WAITING


# --- who cannot renew counts itself dead ---------------------------------------------------------------------


class Renewals(MemoryStore):
    """A store that renews until it is told to do something else then."""

    def __init__(self):
        super().__init__()
        self.sent = []
        self.instead = super().renew

    async def renew(self, owner, *, lease):
        sent = time.clock_gettime(time.CLOCK_BOOTTIME)
        await self.instead(owner, lease=lease)
        self.sent.append(sent)


async def fails(owner, *, lease):
    raise StoreUnavailableError("the disk is full")


async def hangs(owner, *, lease):
    await asyncio.get_running_loop().create_future()


class Works(Process):
    """A step that awaits until it is cancelled, and one that must never come."""

    events: ClassVar[list[str]] = []

    async def run(self):
        self.events.append("begun")
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.events.append("cancelled")
            raise
        finally:
            self.events.append("ended")


@pytest.mark.slow
@pytest.mark.parametrize("instead", [fails, hangs])
async def test_an_owner_that_cannot_renew_stops_before_others_may_take_over(instead, caplog):
    caplog.set_level(logging.WARNING, "drupe")
    store, Works.events = Renewals(), []
    async with Runner(store, lease=1.2) as runner:
        process, waits = await runner.launch(Works), await runner.launch(Asking)
        await reached(waits, State.WAITING)
        await until(lambda: "begun" in Works.events and len(store.sent) == 2)
        store.instead = instead
        reason = await soon(runner.lost())
        silent = time.clock_gettime(time.CLOCK_BOOTTIME) - store.sent[-1]
        assert 0.8 <= silent < 1.2
        for one in (process, waits):
            with pytest.raises(FencedError, match="could not be renewed for 0"):
                await one
        await runner.drained()
        assert Works.events == ["begun", "cancelled", "ended"]
        assert runner.living() == []
        assert (runner.stopping, runner.fenced) == (True, reason)
        assert (await store.record(process.pid)).state is State.RUNNING
    assert reason in caplog.text
    assert ("disk is full" in reason) == (instead is fails)
    assert ("which is tried again" in caplog.text) == (instead is fails)


@pytest.mark.slow
async def test_a_renewal_that_succeeds_in_time_is_as_good_as_any(caplog):
    """It fails for a while, and then does not: nothing is given up."""
    store = Renewals()
    async with Runner(store, lease=1.2) as runner:
        process = await runner.launch(Asking)
        await until(lambda: store.sent)
        before, store.instead = store.instead, fails
        await until(lambda: "tried again" in caplog.text)
        store.instead, known = before, len(store.sent)
        await until(lambda: len(store.sent) > known + 1)
        assert runner.fenced is None
        process.resume(1)
        assert await process == {"answer": 1}


async def test_whoever_was_frozen_asks_before_it_gives_up():
    """A late renewal succeeds as long as nobody has taken anything."""
    store, lost = Renewals(), []
    await store.open()
    await store.join("late", lease=0.3)
    lease = Lease(store, "late", 0.3, lost.append)
    lease.start(lease.now() - 3600)
    await until(lambda: len(store.sent) > 1)
    lease.stop()
    assert lost == []


async def test_stopping_does_not_wait_for_a_store_that_does_not_answer():
    store, asked = Renewals(), threading.Event()

    async def instead(owner, *, lease):
        asked.set()
        await hangs(owner, lease=lease)

    store.instead = instead
    lease = Lease(store, "late", 3600, lambda _: None)
    lease.start(lease.now() - 3600)
    await asyncio.get_running_loop().run_in_executor(None, asked.wait, 20)
    lease.stop()
    assert not lease._thread.is_alive()


async def test_a_lease_that_was_lost_is_renewed_no_more(caplog):
    caplog.set_level(logging.CRITICAL, "drupe")
    store, lost = MemoryStore(), threading.Event()
    await store.open()
    lease = Lease(store, "unknown", 0.03, lambda _: lost.set())
    lease.start(lease.now())
    assert await asyncio.get_running_loop().run_in_executor(None, lost.wait, 20)
    lease.stop()
    lease.stop()
