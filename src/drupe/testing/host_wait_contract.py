"""What a host promises to those who wait: for a process, and inside one."""

import asyncio
from typing import Any, ClassVar

import pytest

from drupe.core.command import Continue, Wait
from drupe.core.lifecycle import State
from drupe.engine.behaviour import Waiting
from drupe.engine.process import Process
from drupe.errors import ClosedError, InvalidStateError, KilledError
from drupe.testing.host_case import Bench, HostCase, background, settle, until


class Resting(Process):
    """Waits until it is resumed."""

    def run(self) -> Any:
        return Wait(self.wake, "for you", {"since": 1})

    def wake(self, *values: Any) -> Any:
        return list(values)


class Ending(Process):
    """Waits, and ends with what it is resumed with."""

    def run(self) -> Any:
        return Wait()


class Slow(Process):
    """A step that takes as long as its gate is closed. Each test makes its own gate by a subclass."""

    gate: asyncio.Event
    began: list[str]

    async def run(self) -> Any:
        self.began.append("run")
        await self.gate.wait()
        return "through"


def slow() -> type[Slow]:
    """Get a class with a gate of its own."""
    return type("Gate", (Slow,), {"gate": asyncio.Event(), "began": []})


class Patient(Waiting):
    """A waiting stage that works: it goes round and round until it is let through, or interrupted between two rounds."""

    __slots__ = ("interrupted",)
    idle = False
    rounds: list[str]
    through: asyncio.Event

    def __init__(self, command: Wait) -> None:
        super().__init__(command)
        self.interrupted = False

    async def run(self, process: Any) -> Any:
        self.interrupted = False
        while not self.through.is_set():
            self.rounds.append("round")
            await asyncio.sleep(0)
            if self.interrupted:
                return self
        self.wake("by itself")
        return await super().run(process)

    def interrupt(self, reason: str) -> None:
        self.interrupted = True
        super().interrupt(reason)


def patient() -> Any:
    """Get a stage that counts rounds of its own."""
    return type("PatientStage", (Patient,), {"rounds": [], "through": asyncio.Event(), "__slots__": ()})


class HostWaitContract(HostCase):
    """Waiting, futures, cancelling, closing."""

    # --- a process that waits ----------------------------------------------------------------------------------

    async def test_a_resumed_process_goes_on_with_the_values(self, bench: Bench) -> None:
        process = await bench.create(Resting)
        with pytest.raises(InvalidStateError, match="created"):
            process.resume()
        background(process)
        await until(lambda: process.state is State.WAITING)
        assert process.stage.label() == "for you"
        process.resume(1, "two")
        process.resume("too late")
        await process
        assert process.result() == [1, "two"]
        with pytest.raises(InvalidStateError, match="finished"):
            process.resume()

    @pytest.mark.parametrize(("values", "result"), [((), None), (("value",), "value")])
    async def test_a_wait_without_a_step_ends_with_the_value(
        self, bench: Bench, values: tuple[Any, ...], result: Any
    ) -> None:
        process = await bench.create(Ending)
        background(process)
        await until(lambda: process.state is State.WAITING)
        process.resume(*values)
        await process
        assert process.result() == result

    async def test_a_process_may_wait_again_and_again(self, bench: Bench) -> None:
        class Often(Process):
            def run(self, count: int = 0) -> Any:
                return count if count == 3 else Wait(self.run)

        process = await bench.create(Often)
        task = background(process)
        for count in (1, 2, 3):
            await until(lambda: process.state is State.WAITING)
            before = process.stage
            process.resume(count)
            await until(lambda: process.stage is not before)  # noqa: B023 (awaited before the next round)
        await task
        assert process.result() == 3

    async def test_the_waiting_stage_of_one_class_may_be_replaced(self, bench: Bench) -> None:
        stage = patient()

        class Job(Resting):
            behaviours: ClassVar[Any] = {**Process.behaviours, State.WAITING: stage}

        process = await bench.create(Job)
        task = background(process)
        await until(lambda: len(stage.rounds) >= 3)
        stage.through.set()
        await task
        assert process.result() == ["by itself"]

    async def test_a_replaced_waiting_stage_is_told_of_a_pause_and_goes_on_after_it(self, bench: Bench) -> None:
        stage = patient()

        class Job(Resting):
            behaviours: ClassVar[Any] = {**Process.behaviours, State.WAITING: stage}

        process = await bench.create(Job)
        task = background(process)
        await until(lambda: len(stage.rounds) >= 3)
        await process.pause()
        assert process.paused
        assert process.state is State.WAITING
        count = len(stage.rounds)
        await settle(10)
        assert len(stage.rounds) == count
        process.play()
        await until(lambda: len(stage.rounds) > count)
        stage.through.set()
        await task
        assert process.result() == ["by itself"]

    async def test_a_replaced_waiting_stage_is_told_of_a_kill(self, bench: Bench) -> None:
        stage = patient()

        class Job(Resting):
            behaviours: ClassVar[Any] = {**Process.behaviours, State.WAITING: stage}

        process = await bench.create(Job)
        background(process)
        await until(lambda: len(stage.rounds) >= 3)
        assert await process.kill()
        assert process.killed()

    # --- cancelling those who wait -----------------------------------------------------------------------------

    async def test_a_waiter_that_times_out_changes_nothing(self, bench: Bench) -> None:
        process = await bench.create(Resting)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(process.wait(), 0.01)
        await until(lambda: process.state is State.WAITING)
        process.resume("still there")
        await process
        assert process.result() == ["still there"]

    async def test_a_cancelled_waiter_changes_nothing_even_inside_a_step(self, bench: Bench) -> None:
        process = await bench.create(slow())
        waiters = [asyncio.get_running_loop().create_task(process.wait()) for _ in range(3)]
        await until(lambda: bool(process.began))
        for waiter in waiters:
            waiter.cancel()
        await asyncio.gather(*waiters, return_exceptions=True)
        assert all(waiter.cancelled() for waiter in waiters)
        process.gate.set()
        await process
        assert process.result() == "through"
        assert process.began == ["run"]

    async def test_a_cancelled_gather_changes_nothing(self, bench: Bench) -> None:
        processes = [await bench.create(Resting) for _ in range(3)]
        gathered = asyncio.gather(*processes)
        await until(lambda: all(process.state is State.WAITING for process in processes))
        gathered.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gathered
        await settle()
        assert all(process.state is State.WAITING for process in processes)

    async def test_only_cancelling_the_future_kills(self, bench: Bench) -> None:
        process = await bench.create(Resting)
        background(process)
        await until(lambda: process.state is State.WAITING)
        waiter = asyncio.get_running_loop().create_task(process.wait())
        await settle()
        assert process.future().cancel()
        await until(process.has_terminated)
        assert process.killed()
        assert "future" in (process.killed_msg() or "")
        with pytest.raises(KilledError):
            await waiter
        with pytest.raises(KilledError):
            await process
        assert process.future().cancelled()

    async def test_a_future_cancelled_inside_a_step_kills_at_its_end(self, bench: Bench) -> None:
        process = await bench.create(slow())
        waiter = asyncio.get_running_loop().create_task(process.wait())
        await until(lambda: bool(process.began))
        process.future().cancel()
        await settle()
        assert process.state is State.RUNNING
        process.gate.set()
        with pytest.raises(KilledError):
            await waiter

    async def test_a_future_that_is_over_cannot_be_cancelled(self, bench: Bench) -> None:
        process = await bench.create(Ending)
        background(process)
        await until(lambda: process.state is State.WAITING)
        future = process.future()
        process.resume()
        assert await future == {}
        assert not future.cancel()
        assert process.state is State.FINISHED

    async def test_cancelling_the_task_that_steps_writes_nothing_and_the_step_is_taken_again(
        self, bench: Bench
    ) -> None:
        process = await bench.create(slow())
        task = background(process)
        await until(lambda: bool(process.began))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert process.state is State.RUNNING
        await settle()
        process.gate.set()
        await process
        assert process.result() == "through"
        assert process.began == ["run", "run"]

    async def test_cancelling_the_task_that_steps_a_waiting_process_leaves_it_waiting(self, bench: Bench) -> None:
        process = await bench.create(Resting)
        task = background(process)
        await until(lambda: process.state is State.WAITING)
        await settle()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert process.state is State.WAITING
        process.resume("again")
        await process
        assert process.result() == ["again"]

    async def test_what_a_verb_asked_for_of_a_cancelled_step_did_not_happen(self, bench: Bench) -> None:
        process = await bench.create(slow())
        task = background(process)
        await until(lambda: bool(process.began))
        action = process.pause()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await action is False
        process.gate.set()
        await process

    # --- who waits ---------------------------------------------------------------------------------------------

    async def test_everybody_who_waits_gets_the_outputs_and_the_steps_are_taken_once(self, bench: Bench) -> None:
        process = await bench.create(slow())
        process.gate.set()
        first, second, third = await asyncio.gather(process.wait(), process.wait(), process.future())
        assert first == second == third == {}
        assert process.began == ["run"]
        assert await process == {}

    async def test_everybody_who_waits_gets_the_exception_with_its_traceback(self, bench: Bench) -> None:
        class Failing(Process):
            async def run(self) -> Any:
                self.deep()

            def deep(self) -> None:
                raise LookupError("not found")

        process = await bench.create(Failing)
        found = await asyncio.gather(process.wait(), process.wait(), return_exceptions=True)
        assert [type(error) for error in found] == [LookupError, LookupError]
        assert process.exception() in found
        assert "in deep" in (process.traceback_text() or "")
        with pytest.raises(LookupError, match="not found"):
            process.result()
        with pytest.raises(LookupError, match="not found"):
            await process.future()

    async def test_two_who_step_one_process_do_not_step_it_twice(self, bench: Bench) -> None:
        process = await bench.create(slow())
        tasks = [asyncio.get_running_loop().create_task(process.step_until_terminated()) for _ in range(2)]
        await until(lambda: bool(process.began))
        process.gate.set()
        await asyncio.gather(*tasks)
        assert process.began == ["run"]

    # --- closing -----------------------------------------------------------------------------------------------

    async def test_a_closed_process_takes_no_step(self, bench: Bench) -> None:
        process = await bench.create(slow())
        process.close()
        process.close()
        for run in (process.step, process.step_until_terminated, process.wait):
            with pytest.raises(ClosedError):
                await run()
        with pytest.raises(ClosedError):
            process.execute()
        assert process.state is State.CREATED
        assert process.began == []

    async def test_closing_while_it_runs_ends_the_stepping_and_tells_who_waits(self, bench: Bench) -> None:
        process = await bench.create(Resting)
        waiter = asyncio.get_running_loop().create_task(process.wait())
        await until(lambda: process.state is State.WAITING)
        await settle()
        process.close()
        with pytest.raises(ClosedError):
            await waiter
        assert process.state is State.WAITING

    async def test_closing_inside_a_step_lets_it_end_and_starts_no_other(self, bench: Bench) -> None:
        took: list[str] = []

        class Closing(Process):
            def run(self) -> Any:
                took.append("run")
                self.close()
                return Continue(self.after)

            def after(self) -> Any:
                took.append("after")

        process = await bench.create(Closing)
        with pytest.raises(ClosedError):
            await process
        await settle(20)
        assert took == ["run"]

    async def test_a_process_is_let_go_of_once(self, bench: Bench) -> None:
        closed: list[str] = []

        class Counting(Process):
            def run(self) -> Any:
                return None

            def on_close(self) -> None:
                closed.append(str(self.state))

        ended, closing = await bench.create(Counting), await bench.create(Counting)
        await ended
        ended.close()
        closing.close()
        closing.close()
        assert closed == ["finished", "created"]

    async def test_a_process_that_ended_is_closed_already_and_keeps_its_outcome(self, bench: Bench) -> None:
        process = await bench.create(slow())
        process.gate.set()
        await process
        process.close()
        await process.step()
        assert await process == {}
        assert process.execute() == {}
