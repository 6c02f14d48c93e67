"""A task becomes a process, once: asked for on one side, created on the other, whatever comes twice or goes astray."""

import asyncio
import sys
from functools import partial

import pytest

from drupe.core.lifecycle import State
from drupe.core.message import LaunchRequest, request_body
from drupe.core.record import Query, is_queued
from drupe.engine.process import Process
from drupe.engine.registry import ClassRegistry, kind_of
from drupe.errors import (
    DeadlineError,
    DuplicateProcessError,
    ExceptedError,
    InputError,
    KilledError,
    MessageError,
    RemoteError,
    StoreUnavailableError,
    UnknownClassError,
    UnknownProcessError,
)
from drupe.messaging.memory import MemoryCommunicator, MemoryHub
from drupe.runtime.clock import SystemClock
from drupe.runtime.ids import RandomIds
from drupe.service.launcher import Launcher
from drupe.service.launching import Launching
from drupe.service.news import News
from drupe.service.queueing import Queueing
from drupe.service.runner import Runner
from drupe.service.slots import Slots
from drupe.storage.memory import MemoryStore
from drupe.storage.memory_queue import MemoryTaskQueue
from drupe.storage.memory_state import MemoryState
from drupe.testing.communicator_contract_case import soon
from drupe.testing.probe import FailAt
from tests.service.samples import Asking, Gate, Sum, Sums, reached, until

SUM = kind_of(Sum)


class Gated(Process):
    """One step behind a gate."""

    gate = None

    async def run(self):
        await Gated.gate.pass_through()
        return "through"


class Kills(Process):
    def run(self):
        self.kill("on purpose")


class Fails(Process):
    def run(self):
        raise ValueError("it went wrong")


class Moody(Process):
    """Has an input whose default is another one each time."""

    moods = iter(range(1000))

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("mood.now", valid_type=int, default=lambda: next(cls.moods))
        spec.input("name", valid_type=str)


class Site:
    """A worker's side, and a caller's side, on one store and one queue."""

    def __init__(self):
        self.state = MemoryState()
        self.hub = MemoryHub(MemoryTaskQueue())
        self.closing = []

    async def worker(self, *, slots=4, registry=None, probe=None, listens=True):
        runner = Runner(MemoryStore(self.state, **({} if probe is None else {"probe": probe})), registry=registry)
        await runner.__aenter__()
        self.closing.append(partial(runner.__aexit__, None, None, None))
        communicator = await self.communicator()
        runner.slots = Slots(runner, slots)
        if listens:
            launcher = Launcher(runner, registry or ClassRegistry(Process), runner.slots)
            await communicator.subscribe_task(launcher, prefetch=slots)
        runner.communicator = communicator
        return runner

    async def caller(self, registry=None, *, poll=1.0):
        store = MemoryStore(self.state)
        await store.open()

        async def wait(pid):
            async with Runner(MemoryStore(self.state)) as runner:
                return await runner._host.outcome(pid, None)

        communicator, news = await self.communicator(), News(poll)
        await news.open(communicator)
        registry = registry or ClassRegistry(Process)
        ids = RandomIds()
        queueing = Queueing(store, clock=SystemClock(), ids=ids)
        return Launching(communicator, store, registry=registry, ids=ids, queueing=queueing, news=news, wait=wait)

    async def communicator(self):
        communicator = MemoryCommunicator(self.hub)
        await communicator.open()
        self.closing.append(communicator.close)
        return communicator


@pytest.fixture
async def site():
    site = Site()
    yield site
    for close in reversed(site.closing):
        await close()


@pytest.fixture
def gate():
    Gated.gate = Gate()
    return Gated.gate


# --- launch, execute, continue ---------------------------------------------------------------------------------


async def test_what_is_launched_is_run_by_a_worker_under_the_pid_that_the_caller_knows(site):
    worker, caller = await site.worker(), await site.caller()

    launch = await caller.launch(Sum, {"numbers": [1, 2]})
    await soon(launch.taken())

    assert worker._host.at_hand(launch.pid) is not None or (await worker.store.record(launch.pid)).state
    assert await soon(launch.result()) == {"total": 3}


async def test_to_execute_is_to_launch_and_to_wait(site):
    await site.worker()

    assert await soon((await site.caller()).execute(Sum, {"numbers": [1, 2]})) == {"total": 3}


@pytest.mark.parametrize(("kind", "error"), [(Kills, KilledError), (Fails, ExceptedError)])
async def test_how_it_ended_is_raised_at_who_waits(site, kind, error):
    await site.worker()

    with pytest.raises(error, match=r"on purpose|it went wrong"):
        await soon((await site.caller()).execute(kind))


async def test_a_task_lies_in_the_queue_until_there_is_a_worker(site):
    launch = await (await site.caller()).launch(Sum, {"numbers": [1]}, pid="later")
    with pytest.raises(DeadlineError, match=r"no worker has taken process later within 0\.01 s"):
        await launch.taken(deadline=0.01)

    await site.worker()

    assert await soon(launch.result()) == {"total": 1}


async def test_a_process_is_continued_where_it_stopped(site):
    async with Runner(MemoryStore(site.state)) as runner:
        process = await runner.create(Sum, {"numbers": [1, 2]})
    worker, caller = await site.worker(), await site.caller()

    assert await soon((await caller.continue_(process.pid)).result()) == {"total": 3}
    assert (await worker.store.record(process.pid)).epoch == 2


async def test_a_parent_is_continued_with_its_children(site):
    async with Runner(MemoryStore(site.state)) as runner:
        process = await runner.launch(Sums, rows=[[1], [2]])
        await reached(process, State.WAITING)
    await site.worker()

    assert await soon((await (await site.caller()).continue_(process.pid)).result()) == {"totals": [1, 2]}


async def test_what_somebody_runs_and_what_has_ended_is_left_as_it_is(site, gate):
    async with Runner(MemoryStore(site.state)) as other:
        running, ended = await other.launch(Gated), await other.launch(Sum, numbers=[])
        await ended
        await gate.reached.wait()
        worker, caller = await site.worker(), await site.caller()

        for process in (running, ended):
            epoch = (await worker.store.record(process.pid)).epoch
            await soon((await caller.continue_(process.pid)).taken())
            assert (await worker.store.record(process.pid)).epoch == epoch
        gate.open.set()
        await running


# --- refusals --------------------------------------------------------------------------------------------------


async def test_inputs_that_do_not_fit_are_refused_by_who_has_the_class_with_the_same_error(site):
    await site.worker()
    here, elsewhere = await site.caller(), await site.caller(registry=Nothing())

    with pytest.raises(InputError) as before:
        await here.launch(SUM, {"numbers": 3})
    launch = await elsewhere.launch(SUM, {"numbers": 3})
    with pytest.raises(InputError) as after:
        await soon(launch.taken())

    assert str(before.value) == str(after.value)
    assert isinstance(after.value.__cause__, RemoteError)
    assert not (await here._store.list(Query())).records


@pytest.mark.parametrize("kind", ["os:system", "subprocess:Popen", "tests.service.samples:Gate", "turtle:Turtle"])
async def test_a_class_that_is_not_registered_is_refused_and_nothing_is_imported(site, kind):
    await site.worker()
    before = set(sys.modules)

    launch = await (await site.caller()).launch(kind)
    with pytest.raises(UnknownClassError):
        await soon(launch.taken())

    assert set(sys.modules) == before
    with pytest.raises(UnknownClassError):
        await soon(launch.result())


async def test_a_pid_that_another_process_has_is_refused(site):
    await site.worker()
    caller = await site.caller()
    await soon((await caller.launch(Sum, {"numbers": [1]}, pid="mine")).result())

    for kind, inputs in ((Sum, {"numbers": [2]}), (Asking, {})):
        with pytest.raises(DuplicateProcessError, match="mine"):
            await soon((await caller.launch(kind, inputs, pid="mine")).taken())


async def test_a_process_that_is_not_there_cannot_be_continued(site):
    await site.worker()

    with pytest.raises(UnknownProcessError, match="nobody"):
        await soon((await (await site.caller()).continue_("nobody")).taken())


@pytest.mark.parametrize("body", [None, {"verb": "launch"}, {"verb": "launch", "kind": "a:B", "loader": "x"}])
async def test_what_is_no_request_is_refused(site, body):
    worker = await site.worker()

    with pytest.raises(RemoteError, match="MessageError"):
        await soon((await worker.communicator.task_send(body)).result())


async def test_a_verb_for_a_process_is_refused_in_a_queue(site):
    worker = await site.worker()

    with pytest.raises(RemoteError, match="asked of a process"):
        await soon((await worker.communicator.task_send({"verb": "pause"})).result())


async def test_a_class_or_a_pid_that_no_worker_would_take_is_not_even_sent(site):
    caller = await site.caller()

    for given in (("not a class", {}, "p"), (SUM, {"numbers": []}, "../p")):
        with pytest.raises(MessageError):
            await caller.launch(given[0], given[1], pid=given[2])


# --- once ------------------------------------------------------------------------------------------------------


async def test_asking_twice_with_one_pid_makes_one_process(site, gate):
    worker = await site.worker()
    caller = await site.caller()

    for _ in range(3):
        await soon((await caller.launch(Gated, pid="one")).taken())
    gate.open.set()
    launch = await caller.launch(Gated, pid="one")
    await soon(launch.result())

    (record,) = (await worker.store.list(Query())).records
    assert (record.epoch, record.state) == (1, State.FINISHED)


async def test_the_same_task_twice_makes_one_process_also_if_a_default_is_another_each_time(site):
    worker = await site.worker()
    caller = await site.caller()
    inputs = {"name": "x", "mood": {}}

    await soon((await caller.launch(Moody, inputs, pid="one")).taken())
    await soon((await caller.launch(Moody, inputs, pid="one")).taken())
    with pytest.raises(DuplicateProcessError):
        await soon((await caller.launch(Moody, {"name": "x", "mood": {"now": -1}}, pid="one")).taken())

    assert len((await worker.store.list(Query())).records) == 1


async def test_a_task_without_a_pid_makes_one_process_however_often_it_comes(site):
    """The first worker that takes it dies after the process was created, before it could acknowledge."""
    dead, alive = await site.worker(listens=False), await site.worker(listens=False)
    taken = []

    async def dies(task):
        await dead.create(Sum, {"numbers": [4]}, pid=task.id)
        taken.append(task.id)
        await task.reject()

    subscription = await dead.communicator.subscribe_task(dies)
    caller = await site.communicator()
    receipt = await caller.task_send(request_body(LaunchRequest(kind=SUM, inputs={"numbers": [4]})))
    await until(lambda: taken)
    await subscription.unsubscribe()
    await dead.store.leave(dead.owner)
    await alive.communicator.subscribe_task(Launcher(alive, ClassRegistry(Process), alive.slots))

    assert (await soon(receipt.result()))["pid"] == taken[0]
    (record,) = (await alive.store.list(Query())).records
    assert record.pid == taken[0]


async def test_a_launch_that_was_created_and_never_begun_is_begun_when_it_comes_again(site):
    async with Runner(MemoryStore(site.state)) as dead:
        await dead.create(Sum, {"numbers": [1, 2]}, pid="one")
    await site.worker()

    assert await soon((await (await site.caller()).launch(Sum, {"numbers": [1, 2]}, pid="one")).result()) == {
        "total": 3
    }


async def test_a_store_that_fails_puts_the_task_back(site):
    await site.worker(probe=FailAt(1, StoreUnavailableError("the disk is full"), "store.create"))

    assert await soon((await site.caller()).execute(Sum, {"numbers": [5]})) == {"total": 5}


async def test_a_task_that_is_not_the_workers_any_more_when_it_is_acknowledged_is_run_nevertheless(site):
    """Its process is owned here: whoever gets the task next finds it so."""
    worker = await site.worker(listens=False)
    launcher = Launcher(worker, ClassRegistry(Process), worker.slots)

    async def loses(task):
        await site.hub.tasks.forget(worker.communicator._link.address)
        await launcher(task)

    subscription = await worker.communicator.subscribe_task(loses)
    launch = await (await site.caller()).launch(Sum, {"numbers": [1]}, pid="one")
    assert await soon(launch.result()) == {"total": 1}
    await subscription.unsubscribe()
    assert (await worker.store.record("one")).epoch == 1


async def test_whoever_asked_hears_that_the_row_of_what_somebody_else_runs_cannot_be_read(site, monkeypatch, gate):
    """It goes on where it is."""
    caller, runner = await site.caller(), await site.worker(listens=False)
    process = await runner.launch(Gated, pid="one")
    worker = await site.worker()

    async def record(pid):
        monkeypatch.undo()
        raise StoreUnavailableError("it is being restarted")

    async def take_over(pid, **given):
        monkeypatch.setattr(worker.store, "record", record)  # from now on
        return await take(pid, **given)

    take = worker.take_over
    monkeypatch.setattr(worker, "take_over", take_over)
    launch = await caller.launch(kind_of(Gated), pid="one")
    with pytest.raises(RemoteError, match="being restarted"):
        await soon(launch._receipt.result())
    gate.open.set()
    assert await soon(process.wait()) is not None


async def test_a_reply_that_is_lost_is_found_in_the_store(site):
    await site.worker()
    caller = await site.caller()
    launch = await caller.launch(Sum, {"numbers": [1]})
    launch._receipt = Lost()

    assert await soon(launch.result()) == {"total": 1}


async def test_of_a_continue_that_nobody_took_the_store_says_so(site):
    async with Runner(MemoryStore(site.state)) as runner:
        process = await runner.create(Sum, {"numbers": [1, 2]})
    caller = await site.caller()
    launch = await caller.continue_(process.pid)
    launch._receipt = Lost()

    with pytest.raises(DeadlineError):
        await launch.taken(deadline=1.5)
    await site.worker()
    await soon(launch.taken())


async def test_a_process_that_goes_on_unasked_is_heard_of(site):
    """Whoever took it up did so by looking, and the task is nobody's; the clock would tell of it an hour later."""
    async with Runner(MemoryStore(site.state)) as runner:
        process = await runner.create(Sum, {"numbers": [1, 2]})
    caller = await site.caller(poll=3600.0)
    launch = await caller.continue_(process.pid, queue="of nobody")
    taken = asyncio.create_task(launch.taken())
    await soon(until(lambda: process.pid in launch._news._waiting))

    worker = await site.worker()
    await worker.take_over(process.pid)
    await worker.communicator.broadcast_send(sender=process.pid, subject="state_changed.created.running")
    await soon(taken)


# --- slots -----------------------------------------------------------------------------------------------------


async def test_no_more_are_taken_than_there_are_slots_and_the_rest_is_for_others(site, gate):
    first = await site.worker(slots=2)
    caller = await site.caller()
    for _ in range(5):
        await caller.launch(Gated)
    await until(lambda: len(first.active()) == 2)

    second = await site.worker(slots=3)
    await soon(until_async(lambda: len(second.active()) == 3))

    assert len(first.active()) == 2
    gate.open.set()
    await soon(until_async(lambda: not first.active() and not second.active()))
    states = {record.state for record in (await first.store.list(Query())).records}
    assert states == {State.FINISHED}


async def test_a_process_that_waits_or_is_paused_takes_no_slot(site, gate):
    worker = await site.worker(slots=1)
    caller = await site.caller()
    await soon((await caller.launch(Asking, pid="waits")).taken())
    await soon((await caller.launch(Gated, pid="runs")).taken())
    await gate.reached.wait()
    pausing = worker._host.at_hand("runs").pause()
    gate.open.set()

    assert await soon(caller.execute(Sum, {"numbers": [1]})) == {"total": 1}
    assert worker.active() == []
    await pausing


async def test_a_step_that_waits_for_its_child_takes_no_slot(site, gate):
    class Parent(Process):
        async def run(self):
            await self.submit(Asking)

    registry = ClassRegistry(Process)
    registry.add(Parent)
    worker = await site.worker(slots=1, registry=registry)
    caller = await site.caller(registry=registry)
    await soon((await caller.launch(Parent)).taken())
    await soon(until_async(lambda: len(worker.living()) == 2))

    assert await soon(caller.execute(Sum, {"numbers": [1]})) == {"total": 1}


async def test_one_that_woke_up_may_go_on_and_new_ones_wait_for_a_slot(site, gate, monkeypatch):
    monkeypatch.setattr("drupe.service.slots._PATIENCE", 0.01)
    worker = await site.worker(slots=1)
    caller = await site.caller()
    await soon((await caller.launch(Asking, pid="waits")).taken())
    asking = worker._host.at_hand("waits")
    await reached(asking, State.WAITING)
    await soon((await caller.launch(Gated)).taken())
    await gate.reached.wait()
    asking.resume(1)
    await asking

    last = await caller.launch(Sum, {"numbers": [1]})
    with pytest.raises(DeadlineError):
        await last.taken(deadline=0.1)
    gate.open.set()
    assert await soon(last.result()) == {"total": 1}


async def test_a_worker_that_stops_takes_nothing_on(site):
    worker = await site.worker()
    worker.stop()
    launch = await (await site.caller()).launch(Sum, {"numbers": [1]})
    with pytest.raises(DeadlineError):
        await launch.taken(deadline=0.1)

    assert is_queued(await worker.store.record(launch.pid))


class Nothing:
    """A registry of somebody who has no class at hand."""

    def find(self, kind):
        raise UnknownClassError(kind)


class Lost:
    """A receipt whose reply never comes."""

    id = "lost"

    async def result(self, *, deadline=None):
        await asyncio.Event().wait()


async def until_async(holds):
    while not holds():  # noqa: ASYNC110 (what is waited for has no event of its own)
        await asyncio.sleep(0.001)
