"""A lease is kept while user code blocks the loop, and losing it stops what is run under it."""

import asyncio
import logging
import threading

import pytest

from drupe.core.lifecycle import State
from drupe.engine.process import Process
from drupe.engine.registry import ClassRegistry
from drupe.errors import FencedError, OwnedError, StoreUnavailableError
from drupe.service.lease import Lease
from drupe.service.runner import Runner
from drupe.storage.memory import MemoryStore
from drupe.storage.memory_state import MemoryState
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


@pytest.mark.slow
async def test_a_lease_is_renewed_while_user_code_blocks_the_loop(store):
    """The step blocks for longer than a lease; then somebody tries to take the process from under it."""
    beats, refused, registry = Beats(), [], ClassRegistry(Process)

    async def take(pid):
        async with Runner(store(), registry=registry) as other:
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
    async with Runner(store(probe=beats), lease=0.9) as runner:
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


async def test_a_lease_that_was_lost_is_renewed_no_more(caplog):
    caplog.set_level(logging.CRITICAL, "drupe")
    store, lost = MemoryStore(), threading.Event()
    await store.open()
    lease = Lease(store, "unknown", 0.03, lost.set)
    lease.start()
    assert await asyncio.get_running_loop().run_in_executor(None, lost.wait, 20)
    lease.stop()
    lease.stop()
