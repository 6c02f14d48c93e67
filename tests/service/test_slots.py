"""Who wants a slot stands in line, and no slot is lost on the way."""

import asyncio
import contextlib

import pytest

from drupe.engine.process import Process
from drupe.engine.registry import ClassRegistry
from drupe.errors import TaskRejectedError
from drupe.service.runner import Runner
from drupe.service.slots import Slots
from drupe.storage.memory import MemoryStore


class Child(Process):
    gate: asyncio.Event

    async def run(self):
        await self.gate.wait()


class Caller(Process):
    """Waits for a child inside of its only step."""

    gate: asyncio.Event

    async def run(self):
        await self.gate.wait()
        await self.submit(Child)


class Held(Process):
    gate: asyncio.Event

    async def run(self):
        await self.gate.wait()


@pytest.fixture
async def runner():
    async with Runner(MemoryStore(), registry=ClassRegistry(Process)) as runner:
        yield runner


@pytest.fixture
def slots(runner):
    return Slots(runner, 1)


class Line:
    """Tasks that stand in line, and the order in which they get a slot."""

    def __init__(self, slots):
        self.slots = slots
        self.served = []
        self.tasks = {}

    def join(self, name, *, first=False):
        leave = asyncio.Event()

        async def stand():
            async with self.slots.reserved(first=first):
                self.served.append(name)
                await leave.wait()

        task = asyncio.create_task(stand())
        self.tasks[name] = task, leave

    async def leave(self, name):
        task, leave = self.tasks[name]
        leave.set()
        await task

    async def cancel(self, name):
        task, _ = self.tasks[name]
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture
def line(slots):
    return Line(slots)


async def turns(number=5):
    for _ in range(number):
        await asyncio.sleep(0)


async def test_first_come_first_served(line):
    for name in "abc":
        line.join(name)
    await turns()
    assert line.served == ["a"]
    await line.leave("a")
    await turns()
    assert line.served == ["a", "b"]
    await line.leave("b")
    await turns()
    assert line.served == ["a", "b", "c"]
    await line.leave("c")


async def test_within_a_precedence_the_others_wait(slots, line):
    with slots.precedence():
        line.join("other")
        await turns()
        line.join("left behind", first=True)
        await turns()
        assert line.served == ["left behind"]
        await line.leave("left behind")
        await turns()
        assert line.served == ["left behind"]
    await turns()
    assert line.served == ["left behind", "other"]
    await line.leave("other")


async def test_one_that_is_cancelled_leaves_its_place(slots, line):
    for name in "abc":
        line.join(name)
    await turns()
    await line.cancel("b")
    await line.cancel("a")
    await turns()
    assert line.served == ["a", "c"]
    await line.leave("c")
    assert slots.free() == 1


async def test_a_slot_that_is_given_to_one_that_is_just_cancelled_is_not_lost(slots, line):
    async with slots.reserved():
        line.join("a")
        await turns()
        (place,) = slots._line
    slots._admit()
    line.tasks["a"][0].cancel()
    assert (place.done(), slots.free()) == (True, 0)
    await turns()
    assert line.served == []
    assert line.tasks["a"][0].cancelled()
    assert slots.free() == 1


async def test_who_waits_too_long_gives_the_work_to_others(slots, line, monkeypatch):
    line.join("a")
    await turns()
    monkeypatch.setattr("drupe.service.slots._PATIENCE", 0.01)
    with pytest.raises(TaskRejectedError, match="no slot is free"):
        async with slots.reserved():
            raise AssertionError
    await line.leave("a")
    assert slots.free() == 1


async def test_no_slot_is_given_by_one_that_stops(runner, slots):
    runner.stop()
    with pytest.raises(TaskRejectedError, match="any more"):
        async with slots.reserved():
            raise AssertionError
    assert slots.free() == 1


async def test_the_end_of_a_process_gives_its_slot_to_the_next(runner, slots, line, monkeypatch):
    monkeypatch.setattr("drupe.service.slots._LOOKS", 3600.0)  # nobody looks by the clock
    monkeypatch.setattr("drupe.service.slots._PATIENCE", 3600.0)
    Held.gate = asyncio.Event()
    process = await runner.launch(Held)
    line.join("next")
    over = asyncio.create_task(slots.given_up(process))
    await turns()
    assert (line.served, over.done()) == ([], False)
    Held.gate.set()
    await process
    await over
    await turns()
    assert line.served == ["next"]
    await line.leave("next")


async def test_a_step_that_begins_to_wait_for_a_child_is_noticed_by_looking(runner, slots, monkeypatch):
    monkeypatch.setattr("drupe.service.slots._LOOKS", 0.001)
    Caller.gate, Child.gate = asyncio.Event(), asyncio.Event()
    process = await runner.launch(Caller)
    over = asyncio.create_task(slots.given_up(process))
    await turns()
    assert not over.done()
    Caller.gate.set()
    await over
    Child.gate.set()
    await process


async def test_nobody_looks_by_the_clock_when_nobody_waits(runner, slots, monkeypatch):
    monkeypatch.setattr("drupe.service.slots._LOOKS", 0.001)
    async with slots.reserved():
        pass
    assert (slots._later, slots._look) == (None, None)
