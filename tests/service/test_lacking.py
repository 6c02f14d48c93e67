"""Why nobody goes on with a process: workers are asked, once each, and who does not answer is not one who cannot."""

import asyncio
import contextlib
import threading
import time

import msgspec
import pytest

from drupe.core.lifecycle import State
from drupe.core.message import MAX_KINDS, RepertoireRequest, read_request
from drupe.core.record import Birth, birth_record
from drupe.core.status import Repertoire
from drupe.core.upcast import upcast
from drupe.engine.process import Process
from drupe.engine.registry import ClassRegistry, kind_of
from drupe.errors import DeadlineError, MessageError, NewerVersionError, UnroutableError
from drupe.messaging.loop import LoopCommunicator
from drupe.messaging.memory import MemoryCommunicator, MemoryHub
from drupe.messaging.thread import ThreadCommunicator
from drupe.service import lacking
from drupe.service.controller import Controller
from drupe.service.lacking import NOBODY, Idle, idle, lacks
from drupe.service.presence import Presence
from drupe.service.runner import Runner
from drupe.service.worker import Worker
from drupe.storage.memory import MemoryState, MemoryStore
from drupe.testing.communicator_contract_case import soon
from tests.service.samples import Asking

KIND = kind_of(Asking)


def row(pid, kind=KIND, **given):
    birth = Birth(pid=pid, kind=kind, version=1, inputs=b"", digest=b"", body=b"", created=0.0)
    return msgspec.structs.replace(birth_record(birth), **given)


@pytest.fixture
def state():
    return MemoryState()


@pytest.fixture
async def store(state):
    store = MemoryStore(state)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def hub(store):
    return MemoryHub(store.tasks)


@pytest.fixture
async def stack():
    async with contextlib.AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def controller(store, hub, stack):
    communicator = MemoryCommunicator(hub)
    await communicator.open()
    stack.push_async_callback(communicator.close)
    return await stack.enter_async_context(Controller(store, communicator))


@pytest.fixture
def worker(state, hub, stack):
    """Makes workers that are at work, or what a program is that runs something for itself alone."""

    async def worker(*, registry=None, at_work=True):
        communicator = LoopCommunicator(ThreadCommunicator(lambda: MemoryCommunicator(hub)))
        runner = Runner(MemoryStore(state), registry=registry, communicator=communicator)
        await stack.enter_async_context(runner)
        if at_work:
            worker = Worker(runner, communicator, registry or ClassRegistry(Process), dead=list, sweep=0.01)
            stop = asyncio.Event()
            work = asyncio.create_task(worker.work(stop))

            async def end():
                stop.set()
                await soon(work)

            stack.push_async_callback(end)
        return runner

    return worker


@pytest.fixture
def left(state):
    """Leaves a process that could go on, in a version of its class."""

    async def left(process_class=Asking, *, version=1, inputs=None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(process_class, "version", version)
            async with Runner(MemoryStore(state)) as former:
                return (await former.create(process_class, inputs)).pid

    return left


class Nothing(ClassRegistry):
    """A registry of somebody who has no class at hand."""

    def __init__(self):
        super().__init__(Process)

    def find(self, kind):
        return super().find("no:Where")


async def test_where_nobody_is_a_worker_is_to_be_started(controller, left):
    pid = await left()

    status = await controller.status(pid)

    assert status.lack == NOBODY
    assert str(status.lack).startswith("no worker is running; start one with: drupe worker, or ")
    assert status.as_json()["lack"] == {"said": NOBODY.said, "advice": NOBODY.advice}


async def test_who_asks_nobody_knows_that_nobody_is_there_and_nothing_else(store, left, worker):
    pid = await left()
    async with Controller(store) as controller:
        assert (await controller.status(pid)).lack == NOBODY
        await worker(registry=Nothing())
        assert (await controller.status(pid)).lack is None


async def test_a_class_that_no_worker_has_is_named_with_its_version(controller, left, worker):
    await worker(registry=Nothing())

    lack = (await controller.status(await left())).lack

    assert lack.said == f"no worker for {KIND} v1"
    assert lack.advice == "start one that has it: drupe worker --import FILE"


async def test_a_version_that_no_worker_has_is_named_and_what_they_have(controller, left, worker):
    await worker()
    await worker(registry=Nothing())

    lack = (await controller.status(await left(version=3))).lack

    assert lack.said == f"no worker for {KIND} v3"
    assert lack.advice == "the newest has v1 of it: start workers anew with newer code"


async def test_the_version_is_that_of_who_saved_it_last(controller, left, worker, state):
    """The row has the version that it was created with."""
    pid = await left()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Asking, "version", 2)
        patch.setattr(Asking, "bring_up", upcast(from_version=1)(lambda state: state), raising=False)
        async with Runner(MemoryStore(state)) as newer:
            process = await newer.resume(pid)
            process.pause()
            await process.play()
    assert (await controller._store.record(pid)).version == 1
    runner = await worker()
    with pytest.raises(NewerVersionError):
        await runner.take_over(pid)

    assert (await controller.status(pid)).lack.said == f"no worker for {KIND} v2"


async def test_what_a_worker_can_run_lacks_nothing(controller, left, worker):
    await worker(registry=Nothing())
    await worker()

    assert (await controller.status(await left())).lack is None


async def test_who_runs_something_for_itself_alone_is_no_worker(controller, left, worker):
    await worker(at_work=False)

    assert (await controller.status(await left())).lack == NOBODY


async def test_a_worker_that_stops_takes_nothing_on(controller, left, worker):
    runner = await worker()
    runner.stop()

    assert (await controller.status(await left())).lack == NOBODY


async def test_who_is_silent_may_be_able_to(controller, left, worker, state):
    pid = await left()
    async with Runner(MemoryStore(state)):  # alive, and out of reach
        assert (await controller.status(pid)).lack is None
        await worker(registry=Nothing())
        lack = (await controller.status(pid)).lack
    assert lack.said == f"no worker for {KIND} v1 among those that answer (1 may be more and do not)"


async def test_who_is_on_this_machine_and_cannot_be_called_is_no_worker(store, left, state, hub, stack, tmp_path):
    presence = Presence(tmp_path)
    communicator = MemoryCommunicator(hub)
    await communicator.open()
    stack.push_async_callback(communicator.close)
    pid = await left()
    async with Runner(MemoryStore(state), presence=presence), Controller(store, communicator, presence=presence) as one:
        assert (await one.status(pid)).lack == NOBODY


async def test_whoever_is_known_to_be_dead_is_not_asked(store, controller, left):
    pid = await left()
    await store.join("gone", lease=0.0)
    await store.claim(pid, owner="gone")

    status = await controller.status(pid)

    assert (status.owner, status.lack) == ("gone", NOBODY)


async def test_it_is_told_while_a_step_blocks_the_worker(left, worker, hub, store):
    """It answers on the communicator's thread."""
    begun, over = threading.Event(), threading.Event()
    pid = await left(version=3)

    class Blocking(Process):
        def run(self):
            begun.set()
            assert over.wait(30)

    async def look():
        communicator = MemoryCommunicator(hub)
        await communicator.open()
        async with Controller(store, communicator) as controller:
            found = await controller.status(pid)
        await communicator.close()
        return found.lack

    def elsewhere():
        assert begun.wait(30)
        try:
            return asyncio.run(look())
        finally:
            over.set()

    runner = await worker()
    looking = asyncio.create_task(asyncio.to_thread(elsewhere))
    await runner.launch(Blocking)

    assert (await soon(looking)).said == f"no worker for {KIND} v3"


async def test_only_what_could_go_on_and_nobody_holds_is_looked_at(store):
    await store.join("here", lease=60)
    await store.join("late", lease=0.0)
    could = [
        row("free"),
        row("left", owner="late"),
        row("due", parked=True, wake_at=9.0),
        row("gone", owner="nobody"),
        row("queued", parked=True),
    ]
    others = [
        row("held", owner="here"),
        row("paused", paused=True),
        row("parked", parked=True, epoch=1),
        row("early", parked=True, wake_at=11.0, epoch=1),
        row("over", state=State.FINISHED),
    ]

    found = await idle(store, could + others, presence=None, now=10.0)

    assert found == Idle(tuple(could), ("here",))
    assert await idle(store, others[1:], presence=None, now=10.0) == Idle((), ())


class Asked:
    """A communicator of workers that have no class."""

    def __init__(self):
        self.calls = []

    async def rpc_send(self, recipient, body, *, deadline):
        request = read_request(body)
        assert isinstance(request, RepertoireRequest)
        self.calls.append((recipient, len(request.kinds)))
        return Repertoire(queue="tasks", versions=dict.fromkeys(request.kinds)).as_body()


async def test_each_worker_is_asked_once_for_all_classes(store):
    communicator = Asked()
    records = tuple(row(f"p{n}", kind=f"m:C{n % 3}") for n in range(5_000))

    found = await lacks(store, communicator, Idle(records, ("one", "two")), presence=None)

    assert communicator.calls == [("one", 3), ("two", 3)]
    assert len(found) == 5_000
    assert found["p4"].said == "no worker for m:C1 v1"


async def test_more_classes_than_a_message_holds_are_asked_for_one_message_after_the_other(store):
    communicator = Asked()
    records = tuple(row(f"p{n}", kind=f"m:C{n}") for n in range(MAX_KINDS + 1))

    found = await lacks(store, communicator, Idle(records, ("one",)), presence=None)

    assert communicator.calls == [("one", MAX_KINDS), ("one", 1)]
    assert len(found) == MAX_KINDS + 1


async def test_of_many_that_could_be_run_only_some_are_looked_at_closely(store, monkeypatch):
    """It is a read for each, for what an upcast has made newer."""
    looked = []

    async def version(store, record):
        looked.append(record.pid)
        return 3

    class Able(Asked):
        async def rpc_send(self, recipient, body, *, deadline):
            return Repertoire(queue="tasks", versions={"m:C": 2}).as_body()

    monkeypatch.setattr(lacking, "_version", version)
    records = tuple(row(f"p{n}", kind="m:C") for n in range(1_000))

    found = await lacks(store, Able(), Idle(records, ("one",)), presence=None)

    assert len(looked) == 100
    assert set(found) == set(looked)


async def test_what_a_worker_is_about_to_import_may_have_the_class(store):
    class Importing(Asked):
        async def rpc_send(self, recipient, body, *, deadline):
            return Repertoire(queue="tasks", versions={}).as_body()

    assert await lacks(store, Importing(), Idle((row("p"),), ("one",)), presence=None) == {}


@pytest.mark.parametrize("answer", [DeadlineError("late"), "nonsense", UnroutableError("nobody")])
async def test_what_is_no_answer_says_nothing(store, answer):
    class Other(Asked):
        async def rpc_send(self, recipient, body, *, deadline):
            if isinstance(answer, Exception):
                raise answer
            return answer

    assert await lacks(store, Other(), Idle((row("p"),), ("one",)), presence=None) == {}


async def test_a_process_whose_checkpoint_is_damaged_is_judged_by_its_row(store):
    class Able(Asked):
        async def rpc_send(self, recipient, body, *, deadline):
            return Repertoire(queue="tasks", versions={KIND: 1}).as_body()

    assert await lacks(store, Able(), Idle((row("gone"),), ("one",)), presence=None) == {}


async def test_a_status_is_told_in_time_though_workers_are_silent(store, left, state, hub):
    class Never(MemoryCommunicator):
        async def rpc_send(self, recipient, body=None, *, deadline=None):
            await asyncio.sleep(3600)

    pid = await left()
    communicator = Never(hub)
    await communicator.open()
    async with Runner(MemoryStore(state)), Controller(store, communicator) as controller:
        began = time.monotonic()
        assert (await controller.status(pid, deadline=0.2)).lack is None
        assert time.monotonic() - began < 5
    await communicator.close()


# --- queues ----------------------------------------------------------------------------------------------------


async def test_a_queue_that_nobody_serves_is_named(controller, worker):
    assert str(await controller.lack()) == "no worker is running; start one with: drupe worker"
    assert str(await controller.lack("gpu")) == "no worker is running; start one with: drupe worker --queue gpu"
    await worker()
    await soon(_until_at_work(controller))
    assert str(await controller.lack("gpu")) == "no worker for queue gpu; start one with: drupe worker --queue gpu"


async def _until_at_work(controller):
    while await controller.lack() is not None:  # noqa: ASYNC110 (nobody tells)
        await asyncio.sleep(0)


async def test_who_is_silent_may_serve_the_queue(controller, state):
    async with Runner(MemoryStore(state)):
        assert await controller.lack("gpu") is None


def test_what_a_worker_can_run_is_read_back_from_a_message():
    found = Repertoire(queue="tasks", versions={"m:C": 2, "m:D": None})
    assert Repertoire.of_body(found.as_body()) == found
    with pytest.raises(MessageError, match="can run"):
        Repertoire.of_body({"versions": 3})
