"""Trying again what excepted: from where it stood, with what its children came to."""

import contextlib

import pytest

from drupe.core.command import Continue
from drupe.core.lifecycle import State
from drupe.core.record import Query
from drupe.engine.process import Process
from drupe.engine.workchain import ToContext, WorkChain
from drupe.errors import ExceptedError, InvalidStateError, KilledError
from drupe.service.controller import Controller
from drupe.service.runner import Runner
from drupe.storage.memory import MemoryState, MemoryStore
from tests.service.samples import Asking, reached

STEPS = []
BROKEN = set()


def work(name):
    STEPS.append(name)
    if name in BROKEN:
        raise ValueError(name)


class Leaf(Process):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("name", valid_type=str)
        spec.output("name", valid_type=str)

    def run(self):
        work(f"{self.inputs.name} begins")
        return Continue(self.rest)

    def rest(self):
        work(self.inputs.name)
        self.out("name", self.inputs.name)


class Chain(WorkChain):
    """Has two children at work, and waits for them between two steps."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("names", valid_type=list)
        spec.outline(cls.first, cls.last)

    def first(self):
        work("first")
        return ToContext(leaves=[self.submit(Leaf, name=name) for name in ("good", "bad")])

    def last(self):
        work("last")
        self.out("names", [leaf.name for leaf in self.ctx.leaves])


class InStep(Process):
    """Waits for them in the middle of a step, the good one first."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("names", valid_type=list)

    async def run(self):
        work("run")
        names = [(await self.submit(Leaf, name=name)).name for name in ("good", "bad")]
        work("end")
        self.out("names", names)


class GetsOver(Process):
    """A child of its fails, and it goes on."""

    async def run(self):
        with contextlib.suppress(ExceptedError):
            await self.submit(Leaf, name="bad")
        return Continue(self.rest)

    def rest(self):
        work("rest")


class Above(WorkChain):
    """One generation more."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("names", valid_type=list)
        spec.outline(cls.first, cls.last)

    def first(self):
        return ToContext(below=self.submit(Chain))

    def last(self):
        self.out("names", self.ctx.below.names)


@pytest.fixture
async def runner():
    STEPS.clear()
    BROKEN.clear()
    async with Runner(MemoryStore(MemoryState()), poll=0.05) as runner:
        yield runner


@pytest.fixture
async def controller(runner):
    async with Controller(runner.store, poll=0.01) as controller:
        yield controller


async def excepted(runner, process_class, *broken, **inputs):
    BROKEN.update(broken)
    process = await runner.launch(process_class, inputs)
    with pytest.raises((ExceptedError, ValueError)):
        await process.wait()
    BROKEN.clear()
    STEPS.clear()
    return process.pid


async def test_it_begins_with_the_step_that_failed(runner, controller):
    pid = await excepted(runner, Leaf, "a", name="a")

    row = await controller.retry(pid)
    assert (row.state, row.retry_of, row.generation, row.owner) == (State.RUNNING, pid, 1, None)
    assert (await (await runner.resume(row.pid)).wait()).name == "a"

    assert STEPS == ["a"]
    assert (await runner.store.record(pid)).state is State.EXCEPTED


async def test_asking_twice_makes_one_and_what_was_retried_and_ended_is_refused(runner, controller):
    pid = await excepted(runner, Leaf, "a", name="a")
    row = await controller.retry(pid)
    assert (await controller.retry(pid)).pid == row.pid

    await (await runner.resume(row.pid)).wait()

    with pytest.raises(InvalidStateError, match=f"retried as {row.pid}, which is finished"):
        await controller.retry(pid)


@pytest.mark.parametrize("kind", [Chain, InStep, Above])
async def test_finished_children_are_kept_and_failed_ones_retried(runner, controller, kind):
    pid = await excepted(runner, kind, "bad")

    row = await controller.retry(pid)
    process = await runner.resume(row.pid)

    assert (await process.wait()).names == ["good", "bad"]
    assert {Chain: ["bad", "last"], InStep: ["run", "bad", "end"], Above: ["bad", "last"]}[kind] == STEPS
    leaves = [one for one in (await runner.store.list(Query())).records if one.kind.endswith("Leaf")]
    assert sorted(str(leaf.state) for leaf in leaves) == ["excepted", "finished", "finished"]


async def test_a_failed_child_that_its_parent_got_over_is_left_alone(runner, controller):
    pid = await excepted(runner, GetsOver, "bad", "rest")

    row = await controller.retry(pid)
    await (await runner.resume(row.pid)).wait()

    assert STEPS == ["rest"]
    assert len((await runner.store.list(Query())).records) == 3


async def test_a_child_that_fails_again_is_retried_again(runner, controller):
    pid = await excepted(runner, InStep, "bad")
    BROKEN.add("bad")
    row = await controller.retry(pid)
    with pytest.raises((ExceptedError, ValueError)):
        await (await runner.resume(row.pid)).wait()
    BROKEN.clear()
    STEPS.clear()

    again = await controller.retry(row.pid)
    assert (await (await runner.resume(again.pid)).wait()).names == ["good", "bad"]
    assert STEPS == ["run", "bad", "end"]


async def test_a_retry_that_fails_too_is_retried_from_there(runner, controller):
    pid = await excepted(runner, InStep, "bad")
    BROKEN.add("end")
    row = await controller.retry(pid)
    with pytest.raises((ExceptedError, ValueError)):
        await (await runner.resume(row.pid)).wait()
    BROKEN.clear()
    STEPS.clear()

    again = await controller.retry(row.pid)
    assert (await (await runner.resume(again.pid)).wait()).names == ["good", "bad"]

    assert (again.retry_of, again.generation) == (row.pid, 2)
    assert STEPS == ["run", "end"]


@pytest.mark.parametrize("kind", [Chain, InStep])
async def test_a_child_that_was_killed_is_made_anew(runner, controller, kind, monkeypatch):
    process = await runner.create(kind)
    killed = []

    def run(self):
        work(f"{self.inputs.name} begins")
        if self.inputs.name == "bad" and not killed:
            killed.append(self.pid)
            self.kill("enough")
        return Continue(self.rest)

    monkeypatch.setattr(Leaf, "run", run)
    runner.start(process)
    with pytest.raises((KilledError, ExceptedError)):
        await process.wait()
    STEPS.clear()
    row = await controller.retry(process.pid)
    assert (await (await runner.resume(row.pid)).wait()).names == ["good", "bad"]

    assert STEPS[-3:] == ["bad begins", "bad", {Chain: "last", InStep: "end"}[kind]]
    assert "good" not in STEPS


async def test_what_lives_finished_or_was_killed_is_refused(runner, controller):
    waiting = await runner.launch(Asking)
    await reached(waiting, State.WAITING)
    finished = await runner.launch(Leaf, name="a")
    await finished.wait()
    killed = await runner.launch(Asking)
    await killed.kill()

    for process, state in ((waiting, "waiting"), (finished, "finished"), (killed, "killed")):
        with pytest.raises(InvalidStateError, match=f"is {state}: only what excepted"):
            await controller.retry(process.pid)
