"""What waits is given back to the store, and comes back when something happens to it."""

import asyncio
import contextlib
import gc
import weakref
from functools import partial
from typing import Any, ClassVar

import pytest

from drupe.core.asking import order_of
from drupe.core.command import Continue, Wait
from drupe.core.lifecycle import State, Trigger
from drupe.core.message import PlayRequest, SignalRequest
from drupe.core.record import Query
from drupe.engine.behaviour import Behaviour, Waiting
from drupe.engine.child import Child as Handle
from drupe.engine.process import Process
from drupe.engine.registry import ClassRegistry
from drupe.engine.workchain import ToContext, WorkChain
from drupe.errors import FencedError, StoreUnavailableError
from drupe.messaging.memory import MemoryCommunicator, MemoryHub
from drupe.service.controller import Controller
from drupe.service.parking import is_idle
from drupe.service.runner import Runner
from drupe.service.worker import Worker
from drupe.storage.memory import MemoryState, MemoryStore
from drupe.storage.sqlite import SqliteStore
from drupe.testing.clock import ManualClock
from drupe.testing.host_case import until


class Patient(Process):
    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.output("said")

    def run(self) -> Any:
        return Wait(self.end, "for a word", signal="word")

    def end(self, word: str) -> None:
        self.out("said", word)


class Asker(WorkChain):
    """Waits for two that wait themselves."""

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.output("said")
        spec.outline(cls.ask, cls.tell)

    def ask(self) -> Any:
        return ToContext(answers=[self.submit(Patient, key=name) for name in ("a", "b")])

    def tell(self) -> None:
        self.out("said", "".join(answer["said"] for answer in self.ctx.answers))


class Caller(Process):
    """Waits for a child inside of a step."""

    async def run(self) -> Any:
        return (await self.submit(Patient))["said"]


class Volatile(WorkChain):
    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.outline(cls.begin, cls.end)

    def begin(self) -> None:
        self.to_context(never=asyncio.get_running_loop().create_future())

    def end(self) -> None:
        raise AssertionError


class Overhearing(WorkChain):
    """Waits for a process that is not its own child."""

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input("other")
        spec.output("said")
        spec.outline(cls.listen, cls.tell)

    def listen(self) -> Any:
        return ToContext(heard=self.inputs.other)

    def tell(self) -> None:
        self.out("said", self.ctx.heard["said"])


@pytest.fixture
def state():
    return MemoryState()


@pytest.fixture
async def runner(state):
    async with Runner(MemoryStore(state), registry=ClassRegistry(Process), poll=0.01) as runner:
        yield runner


async def waits(runner, process_class):
    """Get a process that nobody has in his hands and that waits."""
    pid = (await runner.launch(process_class)).pid
    await until(lambda: runner._host.live[pid].state is State.WAITING)
    return pid


async def ask(runner, pid, request):
    order = order_of(request, id=runner._host._ids.pid(), pid=pid, at=0.0)
    await runner.store.ask([order])


async def test_what_waits_is_given_back_and_no_object_is_left(runner):
    pid = await waits(runner, Patient)
    assert await runner.parking(after=0.0).look() == 1
    record = await runner.store.record(pid)
    assert (record.parked, record.owner, record.attempts) == (True, None, 0)
    assert runner.living() == []
    assert await runner.parking(after=0.0).look() == 0


async def test_its_memory_is_free_at_once(runner):
    """A hundred thousand must not lie about until the collector comes."""
    pid = await waits(runner, Patient)
    object_ = weakref.ref(runner._host.live[pid])
    gc.collect()
    gc.disable()
    try:
        assert await runner.parking(after=0.0).look() == 1
        await until(lambda: object_() is None)
    finally:
        gc.enable()


class Dozing(Behaviour):
    """A wait of somebody's own, which knows nothing of signals, children and times."""

    state = State.WAITING
    continues = Trigger.WAKE
    idle = True

    def __init__(self, command: Any) -> None:
        self._interrupted = asyncio.Event()

    async def run(self, process: Any) -> None:
        self._interrupted.clear()
        await self._interrupted.wait()

    def interrupt(self, reason: str) -> None:
        self._interrupted.set()


class Dozer(Patient):
    behaviours: ClassVar[dict[State, Any]] = {**Process.behaviours, State.WAITING: Dozing}


async def test_a_wait_of_another_kind_is_parked_too(runner):
    pid = await waits(runner, Dozer)
    assert await runner.parking(after=0.0).look() == 1
    assert (await runner.store.record(pid)).parked


async def test_only_after_a_while(runner):
    pid = await waits(runner, Patient)
    parking = runner.parking(after=3600.0)
    assert [await parking.look() for _ in range(2)] == [0, 0]
    assert runner._host.at_hand(pid) is not None


async def test_a_signal_brings_it_back(runner):
    pid = await waits(runner, Patient)
    await runner.parking(after=0.0).look()
    await ask(runner, pid, SignalRequest(name="word", payload="drupe"))
    (record,) = await runner.store.free()
    assert (await (await runner.resume(record.pid)))["said"] == "drupe"


async def test_one_that_is_there_already_keeps_it_here(runner):
    pid = await waits(runner, Patient)
    process = runner._host.live[pid]
    parking = runner.parking(after=0.0)
    ripe = parking._ripe()
    assert ripe == [process]
    await runner.store.ask([order_of(SignalRequest(name="word", payload="now"), id="o1", pid=pid, at=0.0)])
    assert await parking._park(process) is False
    assert (await process)["said"] == "now"


async def test_a_parent_goes_before_its_children_and_comes_back_by_their_ends(runner):
    pid = await waits(runner, Asker)
    await until(lambda: [p.state for p in runner.living()] == [State.WAITING] * 3)
    assert await runner.parking(after=0.0).look() == 3
    assert runner.living() == []
    children = [record for record in await everything(runner) if record.parent == pid]
    for number, child in enumerate(children):
        assert [record.pid for record in await runner.store.free()] == ([pid] if number else [])
        await ask(runner, child.pid, SignalRequest(name="word", payload=child.pid[:2]))
        await (await runner.resume(child.pid))
    said = (await (await runner.resume(pid)))["said"]
    assert sorted(said) == sorted("".join(child.pid[:2] for child in children))


async def test_who_waits_for_what_is_not_its_child_stays(runner):
    """Only a parent is woken by an end."""
    other = await runner.launch(Patient)
    process = await runner.launch(Overhearing, {"other": Handle(other.pid, other.kind)})
    await until(lambda: process.state is State.WAITING and other._life.future is not None)
    await runner.parking(after=0.0).look()
    assert runner.living() == [process]
    await ask(runner, other.pid, SignalRequest(name="word", payload="there"))
    await runner.resume(other.pid)
    assert (await process)["said"] == "there"


async def test_a_parent_that_came_back_leaves_its_other_children_where_they_are(runner):
    pid = await waits(runner, Asker)
    await until(lambda: [p.state for p in runner.living()] == [State.WAITING] * 3)
    await runner.parking(after=0.0).look()
    first, second = (record for record in await everything(runner) if record.parent == pid)
    await ask(runner, first.pid, SignalRequest(name="word", payload="x"))
    await (await runner.resume(first.pid))
    await runner.resume(pid)
    await until(lambda: runner._host.live[pid].stage.unseen == {second.pid})
    assert (await runner.store.record(second.pid)).parked
    assert await runner.parking(after=0.0).look() == 1
    assert (await runner.store.record(pid)).parked


async def test_one_that_is_wanted_gets_to_look_why(runner, monkeypatch):
    """Taken away at each look, before the slow store has told it of its child, it would wait for ever."""
    pid = await waits(runner, Asker)
    await until(lambda: [p.state for p in runner.living()] == [State.WAITING] * 3)
    parking = runner.parking(after=0.0)
    await parking.look()
    first, second = (record for record in await everything(runner) if record.parent == pid)
    await ask(runner, first.pid, SignalRequest(name="word", payload="x"))
    await (await runner.resume(first.pid))
    await runner.resume(pid)
    asked, told = 0, asyncio.Event()
    park, record = runner.store.park, runner.store.record

    async def counted(*args):
        nonlocal asked
        asked += 1
        return await park(*args)

    async def slow(pid):
        await told.wait()
        return await record(pid)

    with monkeypatch.context() as patch:
        patch.setattr(runner.store, "park", counted)
        patch.setattr(runner.store, "record", slow)
        for _ in range(100):
            await parking.look()
            await asyncio.sleep(0)
        assert 1 <= asked < 10
        told.set()
        await until(lambda: runner._host.live[pid].stage.unseen == {second.pid})


async def test_what_waits_in_a_step_and_for_what_cannot_be_saved_stays(runner):
    caller = await runner.launch(Caller)
    await until(lambda: any(isinstance(p, Patient) and p.state is State.WAITING for p in runner.living()))
    await waits(runner, Volatile)
    assert await runner.parking(after=0.0).look() == 0
    assert len(runner.living()) == 3
    assert caller.state is State.RUNNING


async def test_what_somebody_runs_himself_stays(runner):
    process = await runner.create(Patient)
    running = asyncio.create_task(process.step_until_terminated())
    await until(lambda: process.state is State.WAITING)
    assert await runner.parking(after=0.0).look() == 0
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def test_a_paused_one_is_given_back_and_found_when_it_is_played(runner, state):
    pid = await waits(runner, Patient)
    process = runner._host.live[pid]
    await process.pause()
    await until(lambda: is_idle(process))
    assert await runner.parking(after=0.0).look() == 1
    record = await runner.store.record(pid)
    assert (record.owner, record.paused) == (None, True)
    assert await runner.store.free() == []
    async with Controller(runner.store) as controller:
        await (await controller.play(pid)).settled()
    assert [record.pid for record in await runner.store.free()] == [pid]


async def test_a_store_that_fails_costs_nothing(runner, monkeypatch):
    pid = await waits(runner, Patient)

    async def fail(*_):
        raise StoreUnavailableError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(runner.store, "park", fail)
        assert await runner.parking(after=0.0).look() == 0
    process = runner._host.live[pid]
    await process.signal("word", "on")
    assert (await process)["said"] == "on"


async def test_what_is_not_ours_any_more_is_let_go(runner):
    pid = await waits(runner, Patient)
    process = runner._host.live[pid]
    await runner.store.join("heir", lease=60.0)
    await runner.store.claim(pid, owner="heir", dead=[runner.owner])
    await runner.parking(after=0.0).look()
    with pytest.raises(FencedError):
        await process
    assert (await runner.store.record(pid)).owner == "heir"


# --- in a worker ---------------------------------------------------------------------------------------------


class Child(Process):
    async def run(self) -> Any:
        await asyncio.sleep(0)
        return Continue(self.again)

    def again(self) -> None:
        pass


class Parent(WorkChain):
    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.outline(cls.begin, cls.end)

    def begin(self) -> Any:
        return ToContext(children=[self.submit(Child) for _ in range(20)])

    def end(self) -> None:
        assert len(self.ctx.children) == 20


@contextlib.asynccontextmanager
async def working(make_store, *, slots, park=0.02, sweep=0.05, clock=None):
    store = make_store()
    async with Runner(store, registry=ClassRegistry(Process), clock=clock) as runner:
        communicator = MemoryCommunicator(MemoryHub(store.tasks))
        await communicator.open()
        worker = Worker(runner, communicator, ClassRegistry(Process), dead=list, slots=slots, sweep=sweep, park=park)
        stop = asyncio.Event()
        task = asyncio.create_task(worker.work(stop))
        try:
            async with Controller(store, communicator) as controller:
                yield runner, controller
        finally:
            stop.set()
            await task
            await communicator.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_a_hundred_parents_of_twenty_children_get_through_five_slots(kind, state, tmp_path):
    make = (
        partial(MemoryStore, state)
        if kind == "memory"
        else partial(SqliteStore, tmp_path / "store.db", durability="process")
    )
    async with working(make, slots=5) as (runner, controller):
        launches = [await controller.launch(Parent) for _ in range(100)]
        for launch in launches:
            await launch.result(deadline=120.0)
        records = await everything(runner)
    assert len(records) == 100 * 21
    assert {record.state for record in records} == {State.FINISHED}


@pytest.mark.slow
async def test_a_thousand_that_wait_are_held_by_nobody_and_all_wake_at_once(state):
    async with working(partial(MemoryStore, state), slots=50) as (runner, controller):
        launches = [await controller.launch(Patient) for _ in range(1000)]
        for launch in launches:
            await launch.taken(deadline=60.0)
        await parked(runner)
        assert all(record.parked for record in await everything(runner))
        await asyncio.gather(*(controller.signal(launch.pid, "word", "w") for launch in launches))
        for launch in launches:
            assert (await controller.wait(launch.pid, deadline=60.0))["said"] == "w"


@pytest.mark.slow
@pytest.mark.parametrize("together", [True, False])
async def test_many_that_are_told_of_by_a_few_are_all_woken_without_a_look_by_the_clock(state, together):
    async with working(partial(MemoryStore, state), slots=5, sweep=3600.0) as (runner, controller):
        launches = [await controller.launch(Patient) for _ in range(100)]
        for launch in launches:
            await launch.taken(deadline=60.0)
        await parked(runner)
        if together:
            handles = await controller.signal_all("word", "w", Query(limit=30))
            assert len(handles) == 100
        else:
            await asyncio.gather(*(controller.signal(launch.pid, "word", "w") for launch in launches))
        for launch in launches:
            assert (await controller.wait(launch.pid, deadline=50.0))["said"] == "w"


async def test_what_a_dead_asker_wanted_of_a_paused_one_is_carried_out(state):
    """The order is in the store, and nobody who gave it is left to carry it out."""
    async with working(partial(MemoryStore, state), slots=2) as (runner, controller):
        launch = await controller.launch(Patient)
        await launch.taken(deadline=60.0)
        await (await controller.pause(launch.pid)).settled(deadline=60.0)
        await until(lambda: not runner.living())
        assert (await runner.store.record(launch.pid)).paused
        play = order_of(PlayRequest(), id="o1", pid=launch.pid, at=0.0)
        word = order_of(SignalRequest(name="word", payload="on"), id="o2", pid=launch.pid, at=0.0)
        await runner.store.ask([play, word])
        assert (await controller.wait(launch.pid, deadline=60.0))["said"] == "on"


class Timer(Waiting):
    """Waits for a time of day."""

    wake_at = 1_000_000.0

    async def run(self, process: Any) -> Any:
        if process._life.host.now() >= self.wake_at:
            return Continue(process.end, "time")
        return await super().run(process)


class Sleeper(Patient):
    behaviours: ClassVar[dict[State, Any]] = {**Process.behaviours, State.WAITING: Timer}


@pytest.mark.slow
async def test_what_is_to_be_woken_at_a_time_is(state):
    clock = ManualClock()
    Timer.wake_at = clock.now() + 3600.0
    async with working(partial(MemoryStore, state, clock=clock), slots=2, clock=clock) as (runner, controller):
        launch = await controller.launch(Sleeper)
        await launch.taken(deadline=60.0)
        await parked(runner)
        record = await runner.store.record(launch.pid)
        assert record.parked
        assert record.wake_at == Timer.wake_at
        clock.advance(3601.0)
        assert (await controller.wait(launch.pid, deadline=60.0))["said"] == "time"


@pytest.mark.slow
async def test_a_parked_one_is_killed_paused_and_played_though_nobody_works(state):
    async with working(partial(MemoryStore, state), slots=2) as (runner, controller):
        launches = [await controller.launch(Patient) for _ in range(2)]
        for launch in launches:
            await launch.taken(deadline=60.0)
        await parked(runner)
    first, second = (launch.pid for launch in launches)
    store = MemoryStore(state)
    await store.open()
    async with Controller(store) as controller:
        await (await controller.pause(first)).settled()
        assert (await store.record(first)).paused
        await (await controller.play(first)).settled()
        await (await controller.kill(second)).settled()
        assert not (await store.record(first)).paused
        assert (await store.record(second)).state is State.KILLED
    await store.close()


async def parked(runner):
    """Return when the worker holds nothing any more; how soon that is, is its own affair."""
    while runner.living():  # noqa: ASYNC110 (nobody tells)
        await asyncio.sleep(0.01)


async def everything(runner):
    return (await runner.store.list(Query(limit=10_000))).records
