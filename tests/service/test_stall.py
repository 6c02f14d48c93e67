"""A step that blocks the loop is named: in the log once, and to whoever asks meanwhile, from any thread."""

import asyncio
import threading
import time

import pytest

from drupe import Continue, Process, WorkChain, step
from drupe.engine.progress import step_of, stepping
from drupe.service.runner import Runner
from drupe.service.stall import Stall
from drupe.storage.memory import MemoryStore
from tests.service.samples import Gate

AFTER = 0.02
LIMIT = 10.0
"""Seconds after which a wrong test does not hang."""


def block(until):
    """Keep the thread until something holds, as a library would that knows no loop."""
    end = time.monotonic() + LIMIT
    while not (found := until()):
        assert time.monotonic() < end
        time.sleep(0.001)
    return found


class Blocking(Process):
    """Keeps its loop until that is noticed, and says what was."""

    runner: Runner

    def run(self):
        return Continue(self.calibrate, 1)

    def calibrate(self, _):
        return self.deep()

    def deep(self):
        return block(lambda: self.runner.progress(self.pid).blocked).kind


class Resuming(Blocking):
    async def calibrate(self, _):
        await asyncio.sleep(0)
        other = await self.runner.launch(Short)
        await other
        return self.deep()


class Short(Process):
    def run(self):
        return None


class Chain(WorkChain):
    runner: Runner

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.outline(cls.first, cls.second)

    def first(self):
        pass

    def second(self):
        return block(lambda: self.runner.progress(self.pid).blocked).step


class Nesting(Process):
    runner: Runner

    def run(self):
        return Blocking().execute() and None


@pytest.fixture
async def runner():
    async with Runner(MemoryStore(), stall=AFTER) as runner:
        for process_class in (Blocking, Chain, Nesting):
            process_class.runner = runner
        yield runner


@pytest.mark.parametrize(
    ("process_class", "named"), [(Blocking, "calibrate"), (Resuming, "calibrate"), (Chain, "second")]
)
async def test_a_step_that_blocks_is_named_in_the_log_once_with_what_to_do(runner, caplog, process_class, named):
    process = await runner.launch(process_class)
    await process
    await asyncio.sleep(0)
    noticed = [record for record in caplog.records if "blocked" in record.message]
    (text,) = [record.message for record in noticed]
    assert f"step {named} of {process.kind} {process.pid} has blocked its loop for 0." in text
    assert "@step(thread=True)" in text
    assert "in block\n    time.sleep(0.001)" in text
    assert "drive.py" not in text
    assert "goes on after" in caplog.records[-1].message


async def test_who_asks_hears_of_it_and_of_its_end(runner):
    told = []

    class Asking(Blocking):
        def deep(self):
            first = block(lambda: self.runner.progress(self.pid).blocked)
            told.extend([first, block(lambda: later(self.runner.progress(self.pid).blocked, first.seconds))])

    process = await runner.launch(Asking)
    await process
    first, second = told
    assert (first.pid, first.kind, first.step) == (process.pid, process.kind, "calibrate")
    assert "in deep" in first.stack
    assert second.seconds > first.seconds >= AFTER
    await asyncio.sleep(0)
    assert runner.progress(process.pid).blocked is None


def later(found, seconds):
    return found if found is not None and found.seconds > seconds else None


async def test_of_nested_processes_the_innermost_is_named(runner, caplog):
    process = await runner.launch(Nesting)
    await process
    assert "of tests.service.test_stall:Blocking" in caplog.text


async def test_what_is_no_step_is_shown_by_its_stack(runner, caplog):
    def callback():
        block(lambda: runner.progress("nobody").blocked)

    asyncio.get_running_loop().call_soon(callback)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert "something that is no step of a process has blocked" in caplog.text
    assert "in callback" in caplog.text


async def test_a_loop_that_goes_on_is_not_noticed(runner, caplog):
    for _ in range(20):
        await asyncio.sleep(AFTER / 10)
    assert not caplog.text


async def test_a_step_in_a_thread_blocks_nobody(runner, caplog):
    class Threaded(Process):
        @step(thread=True)
        def run(self):
            time.sleep(3 * AFTER)

    await (await runner.launch(Threaded))
    assert not caplog.text


async def test_a_watch_ends_with_its_loop():
    stall = Stall(after=AFTER)
    loop = asyncio.new_event_loop()

    async def start():
        stall.start()

    await asyncio.get_running_loop().run_in_executor(None, lambda: (loop.run_until_complete(start()), loop.close()))
    await asyncio.get_running_loop().run_in_executor(None, lambda: block(lambda: not stall._pulse._thread.is_alive()))
    stall.stop()


# --- progress --------------------------------------------------------------------------------------------------------


async def test_what_a_process_is_in_can_be_asked_from_any_thread(runner):
    class Gated(Process):
        gate = Gate()

        async def run(self):
            await self.gate.pass_through()

    process = await runner.launch(Gated)
    await process.gate.reached.wait()
    found = []
    thread = threading.Thread(target=lambda: found.append(runner.progress(process.pid)))
    thread.start()
    thread.join()
    assert (found[0].pid, found[0].here, found[0].step) == (process.pid, True, "run")
    process.gate.open.set()
    await process
    assert not runner.progress(process.pid).here


def test_a_thread_that_is_in_no_step_is_in_none():
    assert stepping(None) is None


def test_a_process_that_cannot_say_what_it_is_in_says_nothing():
    class Mute:
        def label(self):
            raise LookupError

    process = Short()
    process._life.stage = Mute()
    assert step_of(process) is None
