"""What a host promises about pause, play, kill and fail, at every point of a process's life."""

import asyncio
from typing import Any

import pytest

from drupe.core.command import Continue, Wait
from drupe.core.lifecycle import State
from drupe.engine.action import ControlAction
from drupe.engine.process import Process
from drupe.errors import KilledError
from drupe.testing.host_case import Bench, HostCase, answer_of, background, settle, until


class Gated(Process):
    """A step that runs until a gate is opened, and one after it. Each test makes its own gate by a subclass."""

    entered: asyncio.Event
    gate: asyncio.Event
    took: list[str]

    async def run(self) -> Any:
        self.took.append("run")
        self.entered.set()
        await self.gate.wait()
        return Continue(self.after)

    def after(self) -> Any:
        self.took.append("after")
        return "over"


class Blocking(Process):
    """A step that asks for a verb from inside, without ever waiting."""

    verb: str

    def run(self) -> Any:
        self.answers.append(getattr(self, self.verb)())
        return Continue(self.after)

    def after(self) -> Any:
        return "over"

    answers: list[Any]


class Resting(Process):
    """Waits until it is resumed, with whatever."""

    def run(self) -> Any:
        return Wait(self.wake, "for you")

    def wake(self, *values: Any) -> Any:
        return list(values)


class Short(Process):
    """Ends at once."""

    def run(self) -> Any:
        return 1


def gated() -> type[Gated]:
    """Get a class with a gate of its own."""
    return type("Gate", (Gated,), {"entered": asyncio.Event(), "gate": asyncio.Event(), "took": []})


async def inside(bench: Bench) -> Any:
    """Get a process that is inside its first step."""
    process = await bench.create(gated())
    background(process)
    await process.entered.wait()
    return process


async def resting(bench: Bench) -> Any:
    """Get a process that waits, and is being run."""
    process = await bench.create(Resting)
    background(process)
    await until(lambda: process.state is State.WAITING)
    await settle()
    return process


async def told(process: Process, verb: str) -> bool:
    """Get what a verb is answered with in the end."""
    return await answer_of(getattr(process, verb)())


class HostVerbContract(HostCase):
    """Pause, play, kill, fail."""

    # --- pause and play --------------------------------------------------------------------------------------

    async def test_a_paused_process_takes_no_step_until_it_is_played(self, bench: Bench) -> None:
        process = await bench.create(Short)
        assert await told(process, "pause")
        assert process.paused
        task = background(process)
        await settle(20)
        assert process.state is State.CREATED
        assert await told(process, "play")
        assert not process.paused
        await task
        assert process.result() == 1

    async def test_a_pause_inside_a_step_takes_effect_at_its_end(self, bench: Bench) -> None:
        process = await inside(bench)
        action = process.pause("later")
        assert isinstance(action, ControlAction)
        await settle()
        assert not action.done()
        assert not process.paused
        process.gate.set()
        assert await action
        assert process.paused
        assert process.status == "later"
        await settle(20)
        assert process.took == ["run"]
        assert await told(process, "play")
        await process
        assert process.took == ["run", "after"]
        assert process.status is None

    async def test_a_play_before_the_end_of_the_step_takes_the_pause_back(self, bench: Bench) -> None:
        process = await inside(bench)
        action = process.pause()
        assert await told(process, "play")
        process.gate.set()
        assert await answer_of(action) is False
        await process
        assert process.result() == "over"

    async def test_a_pause_can_be_cancelled_until_it_happened(self, bench: Bench) -> None:
        process = await inside(bench)
        action = process.pause()
        assert isinstance(action, ControlAction)
        assert action.cancel()
        assert action.cancelled()
        process.gate.set()
        await process
        assert process.result() == "over"

    async def test_a_pause_that_happened_cannot_be_cancelled(self, bench: Bench) -> None:
        process = await inside(bench)
        action = process.pause()
        assert isinstance(action, ControlAction)
        process.gate.set()
        await action
        assert not action.cancel()
        assert process.paused
        await told(process, "play")
        await process

    async def test_asking_twice_to_pause_is_asking_once(self, bench: Bench) -> None:
        process = await inside(bench)
        first, second = process.pause(), process.pause()
        process.gate.set()
        assert await answer_of(first)
        assert await answer_of(second)
        assert await told(process, "pause")
        first, second = process.play(), process.play()
        assert await answer_of(first)
        assert await answer_of(second)
        await process

    async def test_a_waiting_process_is_paused_at_once_and_a_resume_counts_when_it_is_played(
        self, bench: Bench
    ) -> None:
        process = await resting(bench)
        assert await told(process, "pause")
        process.resume("while paused")
        await settle(20)
        assert process.state is State.WAITING
        assert await told(process, "play")
        await process
        assert process.result() == ["while paused"]

    async def test_a_waiting_process_goes_on_waiting_after_a_pause(self, bench: Bench) -> None:
        process = await resting(bench)
        assert await told(process, "pause")
        assert await told(process, "play")
        await settle(20)
        assert process.state is State.WAITING
        process.resume("now")
        await process
        assert process.result() == ["now"]

    async def test_the_status_is_the_reason_of_the_pause_and_then_what_it_was(self, bench: Bench) -> None:
        process = await bench.create(Short)
        process.set_status("ready")
        await answer_of(process.pause("lunch"))
        assert process.status == "lunch"
        await told(process, "play")
        assert process.status == "ready"
        await answer_of(process.pause())
        assert process.status == "ready"

    @pytest.mark.parametrize("verb", ["pause", "kill"])
    async def test_a_verb_from_inside_a_step_that_never_waits_acts_at_its_end(self, bench: Bench, verb: str) -> None:
        kind: type[Blocking] = type("Block", (Blocking,), {"verb": verb, "answers": []})
        process = await bench.create(kind)
        background(process)
        await until(lambda: bool(process.answers))
        assert await answer_of(process.answers[0])
        assert process.paused is (verb == "pause")
        assert process.killed() is (verb == "kill")
        if verb == "pause":
            await told(process, "play")
            await process

    # --- kill ------------------------------------------------------------------------------------------------

    async def test_a_created_process_is_killed_at_once(self, bench: Bench) -> None:
        process = await bench.create(Short)
        assert await told(process, "kill")
        assert process.state is State.KILLED
        with pytest.raises(KilledError):
            await process

    async def test_a_waiting_process_is_killed_at_once(self, bench: Bench) -> None:
        process = await resting(bench)
        assert await answer_of(process.kill("stop"))
        assert process.killed_msg() == "stop"

    async def test_a_paused_process_is_killed_at_once(self, bench: Bench) -> None:
        process = await resting(bench)
        await told(process, "pause")
        assert await told(process, "kill")
        assert process.state is State.KILLED
        assert not process.paused

    async def test_a_kill_inside_a_step_takes_effect_at_its_end(self, bench: Bench) -> None:
        process = await inside(bench)
        action = process.kill("enough")
        assert isinstance(action, ControlAction)
        await settle()
        assert process.state is State.RUNNING
        process.gate.set()
        assert await action
        assert process.killed_msg() == "enough"
        assert process.took == ["run"]

    async def test_a_kill_overtakes_a_pause(self, bench: Bench) -> None:
        process = await inside(bench)
        pause, kill = process.pause(), process.kill()
        assert await told(process, "pause") is False
        assert await told(process, "play") is False
        process.gate.set()
        assert await answer_of(kill)
        assert await answer_of(pause) is False
        assert process.killed()

    async def test_a_kill_can_be_cancelled_until_it_happened(self, bench: Bench) -> None:
        process = await inside(bench)
        action = process.kill()
        assert isinstance(action, ControlAction)
        assert action.cancel()
        process.gate.set()
        await process
        assert process.result() == "over"

    async def test_a_kill_comes_too_late_for_the_last_step_only_if_it_was_not_asked_in_it(self, bench: Bench) -> None:
        class Last(Gated):
            entered = asyncio.Event()
            gate = asyncio.Event()

            async def run(self) -> Any:
                self.entered.set()
                await self.gate.wait()
                return "end"

        process = await bench.create(Last)
        background(process)
        await process.entered.wait()
        kill = process.kill()
        process.gate.set()
        assert await answer_of(kill)
        assert process.killed()

    async def test_a_kill_of_a_killed_process_says_yes_of_a_finished_one_no(self, bench: Bench) -> None:
        killed, finished = await bench.create(Short), await bench.create(Short)
        await told(killed, "kill")
        await finished
        assert await told(killed, "kill") is True
        assert await told(finished, "kill") is False
        assert finished.state is State.FINISHED

    @pytest.mark.parametrize("verb", ["pause", "play"])
    async def test_the_dead_stay_dead(self, bench: Bench, verb: str) -> None:
        killed, finished = await bench.create(Short), await bench.create(Short)
        await told(killed, "kill")
        await finished
        for process, state in ((killed, State.KILLED), (finished, State.FINISHED)):
            assert await told(process, verb) is False
            process.fail(ValueError("too late"))
            await settle()
            assert process.state is state
            assert not process.paused

    async def test_a_step_that_fails_fails_although_it_was_to_be_killed(self, bench: Bench) -> None:
        class Falling(Gated):
            entered = asyncio.Event()
            gate = asyncio.Event()

            async def run(self) -> Any:
                self.entered.set()
                await self.gate.wait()
                raise ValueError("fell")

        process = await bench.create(Falling)
        background(process)
        await process.entered.wait()
        kill = process.kill()
        process.gate.set()
        assert await answer_of(kill) is False
        assert process.state is State.EXCEPTED

    # --- fail ------------------------------------------------------------------------------------------------

    async def test_fail_ends_a_process_that_is_not_in_a_step_at_once(self, bench: Bench) -> None:
        created, waits, paused = await bench.create(Short), await resting(bench), await resting(bench)
        await told(paused, "pause")
        for process in (created, waits, paused):
            process.fail(ValueError("from outside"))
            await until(process.has_terminated)
            assert process.state is State.EXCEPTED
            with pytest.raises(Exception, match="from outside"):
                await process

    async def test_fail_inside_a_step_takes_effect_at_its_end_and_overtakes_a_kill(self, bench: Bench) -> None:
        process = await inside(bench)
        kill = process.kill()
        process.fail(ValueError("from outside"))
        await settle()
        assert process.state is State.RUNNING
        process.gate.set()
        assert await answer_of(kill) is False
        assert isinstance(process.exception(), ValueError)

    # --- from elsewhere --------------------------------------------------------------------------------------

    async def test_a_process_is_steered_while_a_thousand_steps_run(self, bench: Bench) -> None:
        class Busy(Process):
            def run(self) -> Any:
                return Continue(self.run)

        process = await bench.create(Busy)
        background(process)
        await settle(3)
        assert await told(process, "pause")
        assert process.paused
        assert await told(process, "play")
        assert await told(process, "kill")
        assert process.killed()
