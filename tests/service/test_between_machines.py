"""Programs on several machines with one database, and no broker, hear of each other at once.

Two folders stand for two machines: their programs meet in no socket and see none of each other's locks. Nobody polls, so
what is not told is not found.
"""

import asyncio
import contextlib
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from drupe.core.lifecycle import State
from drupe.core.order import Outcome
from drupe.errors import KilledError
from drupe.messaging import consumer
from drupe.service import profile, wiring
from drupe.service import worker as working
from drupe.service.controller import Controller
from drupe.service.runner import Runner
from drupe.testing.communicator_contract_case import soon
from drupe.testing.host_case import until
from tests.service.samples import Asking

pytestmark = [pytest.mark.slow, pytest.mark.service("postgres")]

NEVER = 3600.0


@pytest.fixture(autouse=True)
def _nobody_looks_by_himself(monkeypatch):
    monkeypatch.setattr(consumer, "POLL", NEVER)
    monkeypatch.setitem(Runner.__init__.__kwdefaults__, "poll", None)
    monkeypatch.setitem(working.Worker.__init__.__kwdefaults__, "sweep", NEVER)
    monkeypatch.setitem(working.Worker.__init__.__kwdefaults__, "park", NEVER)  # else who asks does it himself


@pytest.fixture
def machine(postgres_url):
    with tempfile.TemporaryDirectory(prefix="m-") as root:  # short: programs of folders with long paths meet elsewhere

        def settings(name):
            folder = Path(root, name)
            folder.mkdir()
            found = profile.load(folder=folder, environment={"DRUPE_STORE": postgres_url})
            assert wiring.meeting_folder(found).is_relative_to(folder)
            return found

        yield settings


@contextlib.asynccontextmanager
async def at_work(settings):
    stop = asyncio.Event()
    async with wiring.open_worker(settings, slots=2) as worker:
        work = asyncio.create_task(worker.work(stop))
        yield worker
        stop.set()
        await soon(work)


@contextlib.asynccontextmanager
async def controller_of(settings):
    store = wiring.open_store(settings)
    await store.open()
    communicator = wiring.communicator_for(settings, store)
    await communicator.open()
    async with Controller(store, communicator, hints=store.hints, poll=None) as controller:
        yield controller
    await communicator.close()
    await store.close()


async def test_a_task_is_taken(machine):
    async with at_work(machine("one")) as worker, controller_of(machine("two")) as controller:
        for pid in ("first", "second"):  # it may have begun to look after the first one had come
            await controller.launch(Asking, pid=pid)
            await until(lambda pid=pid: worker.runner.progress(pid).here)


async def test_that_a_task_was_done_is_heard_of(machine):
    """No reply comes from there. It is looked once for what may have been missed; after that, nobody looks."""
    async with controller_of(machine("two")) as controller:
        launch = await controller.launch(Asking, pid="asking")
        looked = asyncio.Event()
        record = controller._store.record

        async def seen(pid):
            try:
                return await record(pid)
            finally:
                looked.set()

        launch._store = SimpleNamespace(record=seen)
        taken = asyncio.create_task(launch.taken(deadline=None))
        await soon(looked.wait())
        async with at_work(machine("one")):
            await soon(taken)
            assert (await record("asking")).state is not None


async def test_an_order_is_seen_and_an_end_is_heard_of(machine):
    async with at_work(machine("one")) as worker, controller_of(machine("two")) as controller:
        await controller.launch(Asking, pid="asking")
        await until(lambda: worker.runner.progress("asking").here)
        result = asyncio.create_task(controller.wait("asking"))
        await until(lambda: "asking" in controller._news._waiting)
        await controller.kill("asking")
        with pytest.raises(KilledError):
            await soon(result)
        assert (await controller.status("asking")).state is State.KILLED


async def test_so_is_one_to_a_process_that_somebody_runs_in_his_own_program(machine):
    async with wiring.open_runner(machine("one"), poll=None) as runner, controller_of(machine("two")) as controller:
        for pid in ("first", "second"):  # it may have begun to look after the first one had come
            process = await runner.launch(Asking, pid=pid)
            handle = await controller.pause(pid)
            assert (await soon(handle.settled())).outcome is Outcome.APPLIED
            await until(lambda process=process: process.paused)


async def test_what_somebody_leaves_behind_is_taken_up(machine):
    async with contextlib.AsyncExitStack() as stack:
        controller = await stack.enter_async_context(controller_of(machine("three")))
        async with at_work(machine("one")) as first:
            await controller.launch(Asking, pid="asking")
            await until(lambda: first.runner.progress("asking").here)
            second = await stack.enter_async_context(at_work(machine("two")))
            await until(lambda: second._looks_at)  # it has found nothing
        await until(lambda: second.runner.progress("asking").here)
