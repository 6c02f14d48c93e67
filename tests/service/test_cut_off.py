"""What becomes of a runner that cannot get in touch, and of a worker and those who ask it while its database is frozen."""

import asyncio
import threading
import time
from types import SimpleNamespace
from typing import ClassVar

import pytest

from drupe.core.command import Continue
from drupe.core.lifecycle import State
from drupe.engine.process import Process
from drupe.engine.registry import ClassRegistry
from drupe.errors import BrokerUnavailableError, CommunicationError, DeadlineError, FencedError, StoreUnavailableError
from drupe.messaging.loop import LoopCommunicator
from drupe.messaging.memory import MemoryCommunicator, MemoryHub
from drupe.messaging.rabbitmq.communicator import RabbitmqCommunicator
from drupe.messaging.thread import ThreadCommunicator
from drupe.service import farewell, profile, wiring
from drupe.service.farewell import Farewell
from drupe.service.presence import Presence
from drupe.service.runner import Runner
from drupe.service.worker import Worker
from drupe.storage.memory import MemoryStore
from drupe.storage.memory_queue import MemoryTaskQueue
from drupe.storage.sqlite import SqliteStore
from drupe.testing.communicator_contract_case import soon
from drupe.testing.host_case import until
from tests.messaging.rabbitmq.node import free_ports
from tests.service.samples import Asking, reached
from tests.storage.postgres.server import QUICK, a_server


class Silent(MemoryCommunicator):
    """It is open, and nobody can be called."""

    async def subscribe_rpc(self, callback, identifier=None):
        raise CommunicationError("this name cannot be had")


def absent():
    return RabbitmqCommunicator(f"amqp://guest:guest@127.0.0.1:{free_ports(1)[0]}/")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "error"),
    [(absent, BrokerUnavailableError), (lambda: Silent(MemoryHub(MemoryTaskQueue())), CommunicationError)],
    ids=["absent", "silent"],
)
async def test_a_runner_that_cannot_get_in_touch_leaves_nothing_behind(path, make, error):
    threads = set(threading.enumerate())
    store, folder = SqliteStore(path), path.parent / "owners"
    communicator = LoopCommunicator(ThreadCommunicator(make))
    runner = Runner(store, presence=Presence(folder), communicator=communicator)
    with pytest.raises(error):
        await runner.__aenter__()
    assert communicator.is_closed()
    assert not list(folder.iterdir())
    with pytest.raises(StoreUnavailableError, match="not open"):
        await store.owners()
    await until(lambda: set(threading.enumerate()) <= threads)
    async with Runner(SqliteStore(path)) as other:
        assert [owner.name for owner in await other.store.owners()] == [other.owner]


# --- a database that is frozen -------------------------------------------------------------------------------


class Goes(Process):
    """Takes steps as long as it is let."""

    begun: ClassVar[list[tuple[str, int]]] = []
    going = True

    async def run(self, number=0):
        self.begun.append((self.pid, number))
        await asyncio.sleep(0.01)
        return Continue(self.run, number + 1) if Goes.going else None


@pytest.fixture
def server():
    with a_server(*QUICK) as server:
        server.start()
        yield server


async def ask_in_vain(controller):
    """Ask for something, and be through in time."""
    begun = time.monotonic()
    asked = (
        controller.pause("one", deadline=0.5),
        controller.status("two", deadline=0.5),
        controller.wait("two", deadline=0.5),
    )
    for answer in await asyncio.gather(*asked, return_exceptions=True):
        assert isinstance(answer, DeadlineError)
    assert time.monotonic() - begun < 2


async def work_until_frozen(settings, server, controller):
    """Get the name of a worker that has given up, once it has left; nothing was begun after that."""
    left = None
    try:
        async with wiring.open_worker(settings) as worker:
            for pid in ("one", "two"):
                await worker.runner.launch(Goes, pid=pid)
            waits = await worker.runner.launch(Asking, pid="waits")
            await reached(waits, State.WAITING)
            await until(lambda: len(Goes.begun) > 10)
            server.freeze()
            waits.resume(1)  # its step is about to be saved, as those of the others are
            with pytest.raises(FencedError, match="could not be renewed"):
                await asyncio.gather(worker.work(asyncio.Event()), ask_in_vain(controller))
            begun, left = len(Goes.begun), time.monotonic()
            assert worker.runner.living() == []
    finally:
        assert left is not None
        assert time.monotonic() - left < 15
    assert len(Goes.begun) == begun
    return worker.runner.owner


@pytest.mark.slow
@pytest.mark.service("postgres")
async def test_while_a_database_is_frozen_nothing_is_begun_and_everybody_gets_away(server, tmp_path, monkeypatch):
    monkeypatch.setattr(Goes, "begun", [])
    monkeypatch.setattr(Goes, "going", True)
    settings = profile.load(folder=tmp_path, environment={"DRUPE_STORE": server.url(), "DRUPE_LEASE": "1.5"})
    async with wiring.open_controller(settings, in_touch=True) as controller:
        former = await work_until_frozen(settings, server, controller)
        Goes.going = False
        server.thaw()
        async with wiring.open_runner(settings, registry=ClassRegistry(Process)) as heir:
            await heir.store.leave(former)  # as a worker does that joins anew
            for pid in ("one", "two"):
                found = await heir.resume(pid)
                await (await controller.play(pid)).settled()  # the pause may have got through after all
                await soon(found.wait())
                seqs = [event.seq for event in await heir.store.history(pid)]
                assert seqs == list(range(1, len(seqs) + 1))
            numbers = [number for pid, number in Goes.begun if pid == "two"]
            assert sorted(set(numbers)) == list(range(max(numbers) + 1))
            assert len(numbers) <= len(set(numbers)) + 1  # the step that was given up, once more
        assert (await controller.status("one", deadline=20)).state is State.FINISHED


async def test_who_says_goodbye_does_not_wait_for_a_store_that_does_not_answer(monkeypatch, caplog):
    monkeypatch.setattr(farewell, "PARTING", 0.05)
    monkeypatch.setattr(farewell, "_MARGIN", 0.0)
    asked = []

    async def leave(owner):
        asked.append(owner)
        await asyncio.get_running_loop().create_future()

    ended = threading.Event()
    goodbye = Farewell(SimpleNamespace(owner="me", store=SimpleNamespace(leave=leave)), 0.0, ended.set)
    goodbye.start()
    goodbye.begin()
    assert await asyncio.get_running_loop().run_in_executor(None, ended.wait, 20)
    goodbye.stop()
    assert asked == ["me"]
    assert "me could not be taken out of the store" in caplog.text


async def test_a_worker_does_not_go_on_sweeping_when_it_was_fenced():
    """Also while its look into the store is not answered."""

    class Stuck(MemoryStore):
        async def free(self, **_):
            await asyncio.get_running_loop().create_future()

    hub = MemoryHub(MemoryTaskQueue())
    communicator = MemoryCommunicator(hub)
    await communicator.open()
    async with Runner(Stuck()) as runner:
        worker = Worker(runner, communicator, ClassRegistry(Process), dead=set)
        work = asyncio.ensure_future(worker.work(asyncio.Event()))
        await asyncio.sleep(0)
        runner._lose("it was told so")
        with pytest.raises(FencedError, match="it was told so"):
            await soon(work)
    await communicator.close()


class Last(Process):
    """Ends with its only step."""

    ended: ClassVar[list[str]] = []

    def run(self):
        return 1

    def on_finished(self):
        self.ended.append(self.pid)


async def test_what_is_given_up_while_its_checkpoint_is_on_its_way_tells_nobody_of_it(monkeypatch):
    """Nobody knows whether it was written: others may have been faster."""
    async with Runner(MemoryStore(), registry=ClassRegistry(Process)) as runner:
        on_its_way, never = asyncio.Event(), asyncio.get_running_loop().create_future()
        save = runner.store.save

        async def hang(change):
            if change.state is State.FINISHED:
                on_its_way.set()
                await never
            await save(change)

        monkeypatch.setattr(runner.store, "save", hang)
        process = await runner.launch(Last)
        await soon(on_its_way.wait())
        process._life.evict(FencedError("somebody else has it"))
        with pytest.raises(FencedError, match="somebody else"):
            await soon(process.future())
        await until(lambda: process._life.task is None)
        assert (process.state, Last.ended) == (State.RUNNING, [])


async def test_a_runner_that_is_cancelled_while_it_is_left_renews_its_lease_no_more(monkeypatch):
    threads = set(threading.enumerate())
    runner, leaving = Runner(MemoryStore()), asyncio.Event()

    async def hang():
        leaving.set()
        await asyncio.get_running_loop().create_future()

    async def use():
        async with runner:
            monkeypatch.setattr(runner._attendant, "close", hang)

    task = asyncio.create_task(use())
    await soon(leaving.wait())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert set(threading.enumerate()) == threads
