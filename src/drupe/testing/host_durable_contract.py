"""What only a host that keeps its processes promises: nothing is told before it is committed."""

import asyncio
from typing import Any

import pytest

from drupe.core.command import Continue
from drupe.core.lifecycle import State
from drupe.engine.field import field
from drupe.engine.listener import ProcessListener
from drupe.engine.process import Process
from drupe.testing.host_case import HostCase, StoredBench, background, settle, until


class Count(Process):
    """Counts to three, one step each."""

    count: int = field(0)
    ended: list[str]

    def run(self) -> Any:
        self.count += 1
        return Continue(self.run) if self.count < 3 else self.count

    def on_entered(self, from_state: State | None) -> None:
        self.told.append(f"hook {self.state}")

    told: list[str]


class Told(ProcessListener):
    """Writes down what it hears of."""

    def __init__(self, told: list[str]) -> None:
        self._told = told

    def on_process_running(self, process: Any) -> None:
        self._told.append("listener running")

    def on_process_finished(self, process: Any, outputs: Any) -> None:
        self._told.append("listener finished")


class HostDurableContract(HostCase):
    """Durability, as far as one interpreter can see it."""

    # --- write, then tell --------------------------------------------------------------------------------------

    async def test_nobody_learns_of_a_transition_before_it_is_committed(self, bench: StoredBench) -> None:
        told: list[str] = []
        process: Any = await bench.create(type("Counting", (Count,), {"told": told}))
        process.add_process_listener(Told(told))
        future = process.future()
        told.clear()
        for state, was in ((State.RUNNING, State.CREATED), (State.RUNNING, State.RUNNING)):
            bench.saves.hold()
            task = asyncio.get_running_loop().create_task(process.step())
            await bench.saves.reached.wait()
            await settle(20)
            assert told == []
            assert process.state is was
            assert (await bench.runner.store.record(process.pid)).state is was
            bench.saves.release()
            await task
            assert told == [f"hook {state}", "listener running"]
            told.clear()
        await process.step()
        told.clear()
        bench.saves.hold()
        task = asyncio.get_running_loop().create_task(process.step())
        await bench.saves.reached.wait()
        await settle(20)
        assert (told, process.state, future.done()) == ([], State.RUNNING, False)
        bench.saves.release()
        await future
        assert told == ["hook finished", "listener finished"]
        await task

    @pytest.mark.parametrize("verb", ["pause", "kill"])
    async def test_a_verb_is_answered_when_it_is_committed(self, bench: StoredBench, verb: str) -> None:
        process = await bench.create(type("Counting", (Count,), {"told": []}))
        bench.saves.hold()
        action = getattr(process, verb)()
        await bench.saves.reached.wait()
        await settle(20)
        assert not action.done()
        assert not process.paused
        assert process.state is State.CREATED
        assert getattr(process, verb)() is action
        bench.saves.release()
        assert await action
        row = await bench.runner.store.record(process.pid)
        assert (row.paused, row.state is State.KILLED) == (verb == "pause", verb == "kill")

    async def test_verbs_during_a_held_back_commit_come_after_it(self, bench: StoredBench) -> None:
        process = await bench.create(type("Counting", (Count,), {"told": []}))
        bench.saves.hold()
        task = background(process)
        await bench.saves.reached.wait()
        pause = process.pause()
        await settle(20)
        assert not pause.done()
        bench.saves.release()
        assert await pause
        assert process.paused
        assert await process.play()
        await task
        assert process.result() == 3

    async def test_a_request_that_waits_for_another_ones_commit_can_be_taken_back(self, bench: StoredBench) -> None:
        process = await bench.create(type("Counting", (Count,), {"told": []}))
        bench.saves.hold()
        pause, kill = process.pause(), process.kill()
        await bench.saves.reached.wait()
        assert kill.cancel()
        bench.saves.release()
        assert await pause
        await settle(20)
        assert process.state is State.CREATED
        assert await process.play()
        await process

    async def test_a_request_whose_own_commit_is_on_its_way_cannot_be_taken_back(self, bench: StoredBench) -> None:
        process = await bench.create(type("Counting", (Count,), {"told": []}))
        bench.saves.hold()
        pause, kill = process.pause(), process.kill()
        await bench.saves.reached.wait()
        pause.add_done_callback(lambda _: bench.saves.hold())
        bench.saves.release()
        await pause
        await bench.saves.reached.wait()
        assert not kill.cancel()
        bench.saves.release()
        assert await kill
        assert process.killed()

    async def test_requests_take_effect_in_the_order_they_were_made(self, bench: StoredBench) -> None:
        process = await bench.create(type("Counting", (Count,), {"told": []}))
        bench.saves.hold()
        actions = [process.pause(), process.play(), process.pause(), process.kill()]
        await bench.saves.reached.wait()
        bench.saves.release()
        assert await asyncio.gather(*actions) == [True, True, True, True]
        assert process.killed()
        assert (await bench.events(process))[1:] == ["paused", "played", "paused", "killed"]

    # --- cancelling --------------------------------------------------------------------------------------------

    async def test_a_commit_on_its_way_is_not_torn_by_cancelling_the_stepping(self, bench: StoredBench) -> None:
        told: list[str] = []
        process: Any = await bench.create(type("Counting", (Count,), {"told": told}))
        await process.step()
        told.clear()
        bench.saves.hold()
        task = background(process)
        await bench.saves.reached.wait()
        task.cancel()
        await settle(20)
        bench.saves.release()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert told == ["hook running"]
        assert process.count == 1
        await process
        assert process.result() == 3
        assert (await bench.events(process)).count("step") == 2

    async def test_a_pause_on_its_way_is_not_torn_by_cancelling_the_stepping(self, bench: StoredBench) -> None:
        gate = asyncio.Event()

        class Gated(Process):
            async def run(self) -> Any:
                gate.set()
                await asyncio.sleep(0)
                return Continue(self.end)

            def end(self) -> Any:
                return "over"

        process = await bench.create(Gated)
        await process.step()
        task = background(process)
        await gate.wait()
        pause = process.pause()
        bench.saves.hold()
        await bench.saves.reached.wait()
        bench.saves.release()
        await until(lambda: process.state is State.RUNNING and process.stage.label() == "end")
        bench.saves.hold()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        bench.saves.release()
        happened = await pause
        assert process.paused is happened
        process.play()
        await process
        assert process.result() == "over"

    async def test_a_step_given_up_midway_starts_again_from_the_checkpoint(self, bench: StoredBench) -> None:
        gate = asyncio.Event()

        class Half(Process):
            count: int = field(0)

            @classmethod
            def define(cls, spec: Any) -> None:
                super().define(spec)
                spec.output("seen", required=False)
                spec.output("late", required=False)

            async def run(self) -> Any:
                self.count += 1
                self.out("seen" if gate.is_set() else "late", self.count)
                await gate.wait()
                return self.count

        process = await bench.create(Half)
        task = background(process)
        await until(lambda: process.count == 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        gate.set()
        found = dict(await process)
        assert found == {"seen": 1}, (found, process.count)
        assert process.result() == 1

    @pytest.mark.parametrize("verb", ["pause", "kill"])
    async def test_what_a_step_given_up_midway_left_behind_is_not_kept_by_a_verb(
        self, bench: StoredBench, verb: str
    ) -> None:
        began = asyncio.Event()

        class Half(Process):
            count: int = field(0)

            async def run(self) -> Any:
                self.count += 1
                began.set()
                return await asyncio.get_running_loop().create_future()

        process = await bench.create(Half)
        task = background(process)
        await began.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await getattr(process, verb)()
        assert process.count == 0
        assert (await bench.runner.load(process.pid)).count == 0

    # --- numbers -----------------------------------------------------------------------------------------------

    async def test_checkpoints_are_numbered_from_one_without_a_gap(self, bench: StoredBench) -> None:
        process = await bench.create(type("Counting", (Count,), {"told": []}))
        seen = [1]
        while not process.has_terminated():
            await process.step()
            seen.append((await bench.runner.store.record(process.pid)).seq)
        assert seen == [1, 2, 3, 4, 5]
        history = await bench.runner.store.history(process.pid)
        assert [event.event for event in history] == ["created", "running", "step", "step", "finished"]
