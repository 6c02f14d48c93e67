"""A process that lies in a queue is a process: all see it, and can pause, play and kill it, with or without a worker."""

import pytest

from drupe import Process, State
from drupe.core.record import Query, is_queued
from drupe.engine.registry import ClassRegistry, kind_of
from drupe.errors import (
    CommunicationError,
    DeadlineError,
    InputError,
    KilledError,
    MessageError,
    RemoteError,
    StoreUnavailableError,
    UnknownClassError,
    UnknownProcessError,
)
from drupe.service.launcher import Launcher
from drupe.service.runner import Runner
from drupe.service.slots import Slots
from drupe.testing.communicator_contract_case import soon
from drupe.testing.host_case import until
from tests.service.samples import Sum
from tests.service.town import Town, a_place


class Refusing(Process):
    """Cannot be created."""

    def on_create(self):
        raise LookupError("not today")

    def run(self):
        pass


class Counting(Process):
    """Counts how often one was created, and how often one ran."""

    created, ran = [], []

    def on_create(self):
        self.created.append(self.pid)

    def run(self):
        self.ran.append(self.pid)


class NoClasses:
    """A registry of somebody who has none."""

    def find(self, kind):
        raise UnknownClassError(f"no class {kind} here")


class Yard(Town):
    """With workers, which take tasks."""

    async def worker(self, registry=None):
        registry = registry or ClassRegistry(Process)
        runner = await self.runner(registry=registry)
        launcher = Launcher(runner, registry, Slots(runner, 4))
        await (await self.communicator()).subscribe_task(launcher, prefetch=4)
        return runner


@pytest.fixture(params=["memory", "file"])
async def yard(request, tmp_path):
    yard = Yard(a_place(request.param, tmp_path), messages=True, polls=True)
    async with yard.stack:
        yield yard


async def test_it_is_there_before_anybody_takes_it_and_its_status_says_so(yard):
    controller = await yard.controller()
    launch = await controller.launch(Sum, {"numbers": [1, 2]})

    status = await controller.status(launch.pid)
    assert (status.state, status.queued, status.owner) == (State.CREATED, True, None)
    (row,) = (await (await yard.store()).list(Query())).records
    assert row.pid == launch.pid
    with pytest.raises(DeadlineError):
        await launch.taken(deadline=0.05)

    await yard.worker()
    assert await soon(launch.result()) == {"total": 3}
    assert (await controller.status(launch.pid)).queued is False


async def test_one_that_is_killed_is_not_run_by_who_takes_its_task(yard):
    controller = await yard.controller()
    killed, other = await controller.launch(Counting), await controller.launch(Counting)
    receipt = await (await controller.kill(killed.pid, reason="not needed any more")).settled(deadline=10)
    assert receipt.outcome == "applied"
    assert (await controller.status(killed.pid)).state is State.KILLED

    await yard.worker()
    await soon(other.result())
    with pytest.raises(KilledError, match="not needed"):
        await soon(killed.result())
    assert killed.pid not in Counting.ran
    assert Counting.ran.count(other.pid) == Counting.created.count(other.pid) == 1


async def test_one_that_is_paused_stays_so_when_it_is_taken_and_goes_on_when_it_is_played(yard):
    controller = await yard.controller()
    launch = await controller.launch(Sum, {"numbers": [1, 2]})
    await (await controller.pause(launch.pid)).settled(deadline=10)
    assert (await controller.status(launch.pid)).paused

    worker = await yard.worker()
    await soon(until(lambda: worker._host.at_hand(launch.pid) is not None))
    assert worker._host.at_hand(launch.pid).state is State.CREATED
    await (await controller.play(launch.pid)).settled(deadline=10)
    assert await soon(launch.result()) == {"total": 3}


async def test_what_cannot_be_created_is_not_handed_in(yard):
    controller = await yard.controller()
    with pytest.raises(LookupError, match="not today"):
        await controller.launch(Refusing)
    with pytest.raises(InputError):
        await controller.launch(Sum, {"numbers": "many"})
    with pytest.raises(MessageError):
        await controller.launch(Sum, {"numbers": [1]}, pid="no pid")
    assert (await (await yard.store()).list(Query())).records == ()


@pytest.mark.parametrize("error", [CommunicationError("the broker is away"), StoreUnavailableError("it is away")])
async def test_what_cannot_be_put_in_the_queue_is_not_in_the_store_either(yard, monkeypatch, error):
    controller = await yard.controller()

    async def task_send(*given, **more):
        raise error

    monkeypatch.setattr(controller._communicator, "task_send", task_send)
    with pytest.raises(type(error)):
        await controller.launch(Sum, {"numbers": [1]}, pid="one")
    with pytest.raises(UnknownProcessError):
        await controller.status("one")


async def test_one_that_was_there_stays_if_it_cannot_be_put_in_the_queue_again(yard, monkeypatch):
    controller = await yard.controller()
    await controller.launch(Sum, {"numbers": [1]}, pid="one")
    yard.clock.advance(1.0)

    async def task_send(*given, **more):
        raise CommunicationError("the broker is away")

    monkeypatch.setattr(controller._communicator, "task_send", task_send)
    with pytest.raises(CommunicationError):
        await controller.launch(Sum, {"numbers": [1]}, pid="one")
    assert (await controller.status("one")).queued


async def test_of_one_that_a_worker_cannot_run_nothing_is_left(yard):
    controller = await yard.controller()
    launch = await controller.launch(Sum, {"numbers": [1]})
    await yard.worker(NoClasses())
    with pytest.raises(UnknownClassError):
        await soon(launch.taken())
    with pytest.raises(UnknownProcessError):
        await controller.status(launch.pid)


async def test_what_has_been_somebodys_stays_whoever_cannot_run_it(yard):
    """Its pid is asked for once more, and the task comes to a worker that does not have the class."""
    controller = await yard.controller()
    async with Runner(yard.place()) as runner:
        process = await runner.launch(Sum, {"numbers": [1]}, pid="one")
        await process
    await yard.worker(NoClasses())
    launch = await controller.launch(kind_of(Sum), {"numbers": [1]}, pid="one")
    with pytest.raises(RemoteError, match="no class"):  # the reply: that it is over, the store says as well
        await soon(launch._receipt.result(deadline=None))
    assert (await controller.status("one")).state is State.FINISHED


async def test_one_whose_class_is_not_at_hand_is_made_by_the_worker(yard):
    controller = await yard.controller()
    controller._launching._registry = NoClasses()
    launch = await controller.launch(kind_of(Counting))
    with pytest.raises(UnknownProcessError):
        await controller.status(launch.pid)
    await yard.worker()
    await soon(launch.result())
    assert Counting.created.count(launch.pid) == Counting.ran.count(launch.pid) == 1


async def test_one_that_lies_in_a_queue_is_not_taken_up_by_who_looks_for_what_nobody_holds(yard):
    controller = await yard.controller()
    launch = await controller.launch(Sum, {"numbers": [1]}, queue="of others")
    store = await yard.store()
    assert await store.free() == []
    assert is_queued(await store.record(launch.pid))


async def test_one_whose_task_is_lost_is_found_at_once_when_it_is_played(yard):
    """Whoever handed it in died before the task was in the queue."""
    controller = await yard.controller()
    await controller._launching._queueing.put(Sum, {"numbers": [1]}, pid="one", queue="tasks")
    store = await yard.store()
    assert await store.free() == []
    await controller.play("one")
    assert [row.pid for row in await store.free()] == ["one"]
