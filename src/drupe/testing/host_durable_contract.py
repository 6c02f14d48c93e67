"""What only a host that keeps its processes promises: nothing is told before it is committed, and a crash repeats little."""

import asyncio
from typing import Any

import pytest

from drupe.core.command import Continue, Wait
from drupe.core.lifecycle import State
from drupe.core.record import Query
from drupe.engine.field import field
from drupe.engine.listener import ProcessListener
from drupe.engine.process import Process
from drupe.engine.saving import save
from drupe.engine.workchain import ToContext
from drupe.errors import ChildMismatchError, InvalidStateError, UnsavableError
from drupe.testing.host_case import HostCase, StoredBench, background, settle, until
from drupe.testing.host_chain_contract import chain


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


class StoredHostContract(HostCase):
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

    # --- crashes -----------------------------------------------------------------------------------------------

    async def test_another_runner_goes_on_after_the_last_committed_step(self, bench: StoredBench) -> None:
        took: list[int] = []

        class Steps(Process):
            count: int = field(0)

            def run(self) -> Any:
                took.append(self.count)
                self.count += 1
                return Continue(self.run) if self.count < 5 else self.count

        process = await bench.create(Steps)
        for _ in range(4):
            await process.step()
        again = await bench.resumed(process)
        await again
        assert again is not process
        assert again.result() == 5
        assert took == [0, 1, 2, 3, 4]

    async def test_a_waiting_process_waits_in_another_runner(self, bench: StoredBench) -> None:
        process = await bench.create(chain("one", "two", one=lambda _: Wait(None, "why"), two=lambda _: "two"))
        background(process)
        await until(lambda: process.state is State.WAITING)
        again = await bench.resumed(process)
        await settle(20)
        assert again.state is State.WAITING
        assert again.stage.label() == "why"
        again.resume()
        await again
        assert again.result() == "two"

    async def test_a_paused_process_is_paused_in_another_runner(self, bench: StoredBench) -> None:
        process = await bench.create(type("Counting", (Count,), {"told": []}))
        await process.pause("tea")
        again = await bench.resumed(process)
        await settle(20)
        assert again.paused
        assert again.status == "tea"
        await again.play()
        await again
        assert again.result() == 3

    async def test_what_cannot_be_saved_is_waited_for_by_taking_the_step_again(self, bench: StoredBench) -> None:
        asked: list[asyncio.Future[int]] = []

        def ask(self: Any) -> Any:
            asked.append(asyncio.get_running_loop().create_future())
            return ToContext(answer=asked[-1])

        process = await bench.create(chain("ask", "end", ask=ask, end=lambda self: self.ctx.answer))
        background(process)
        await until(lambda: process.state is State.WAITING)
        assert (await bench.runner.store.record(process.pid)).state is State.WAITING
        with pytest.raises(UnsavableError, match="children"):
            save(process)
        again = await bench.resumed(process)
        await until(lambda: len(asked) == 2)
        asked[1].set_result(42)
        await again
        assert again.result() == 42

    async def test_an_exception_leaves_the_last_checkpoints_contents(self, bench: StoredBench) -> None:
        class Falling(Process):
            count: int = field(0)

            def run(self) -> Any:
                self.count = 1
                return Continue(self.fall)

            def fall(self) -> Any:
                self.count = 2
                raise LookupError("fell")

        process = await bench.create(Falling)
        with pytest.raises(LookupError):
            await process
        loaded = await bench.runner.load(process.pid)
        assert loaded.count == 1
        assert "in fall" in loaded.traceback_text()

    # --- children ----------------------------------------------------------------------------------------------

    async def test_a_step_that_is_taken_again_finds_its_children(self, bench: StoredBench) -> None:
        ran: list[int] = []
        gate = asyncio.Event()

        class Child(Process):
            @classmethod
            def define(cls, spec: Any) -> None:
                super().define(spec)
                spec.input("x", valid_type=int)
                spec.output("y")

            def run(self) -> Any:
                ran.append(self.inputs.x)
                self.out("y", self.inputs.x)

        class Parent(Process):
            async def run(self) -> Any:
                found = [(await self.submit(Child, x=0)).y]
                found += [(await self.submit(Child, x=1, key="one")).y, Child({"x": 2}).execute().y]
                await gate.wait()
                return found

        process = await bench.create(Parent)
        background(process)
        await until(lambda: ran == [0, 1, 2])
        again = await bench.resumed(process)
        gate.set()
        await again
        assert again.result() == [0, 1, 2]
        assert ran == [0, 1, 2]
        page = await bench.runner.store.list(Query(parent=process.pid))
        assert len(page.records) == 3

    async def test_children_of_a_committed_step_are_found_by_the_chain_that_waits(self, bench: StoredBench) -> None:
        gate = asyncio.Event()
        ran: list[str] = []

        class Child(Process):
            @classmethod
            def define(cls, spec: Any) -> None:
                super().define(spec)
                spec.output("y")

            async def run(self) -> Any:
                ran.append("run")
                await gate.wait()
                self.out("y", 1)

        process = await bench.create(
            chain(
                "ask",
                "end",
                ask=lambda self: ToContext(both=[self.submit(Child), self.submit(Child)]),
                end=lambda self: [child.y for child in self.ctx.both],
            )
        )
        background(process)
        await until(lambda: len(ran) == 2)
        again = await bench.resumed(process)
        await until(lambda: len(ran) == 4)
        gate.set()
        await again
        assert again.result() == [1, 1]
        assert len((await bench.runner.store.list(Query(parent=process.pid))).records) == 2

    async def test_a_step_that_asks_for_another_child_when_it_is_taken_again_is_refused(
        self, bench: StoredBench
    ) -> None:
        inputs = [1]
        gate = asyncio.Event()

        class Child(Process):
            @classmethod
            def define(cls, spec: Any) -> None:
                super().define(spec)
                spec.input("x", valid_type=int)

            def run(self) -> Any:
                gate.set()

        class Parent(Process):
            async def run(self) -> Any:
                await self.submit(Child, x=inputs[0])
                await asyncio.get_running_loop().create_future()

        process = await bench.create(Parent)
        background(process)
        await gate.wait()
        inputs[0] = 2
        again = await bench.resumed(process)
        with pytest.raises(ChildMismatchError, match="Child"):
            await again
        assert again.state is State.EXCEPTED

    async def test_a_child_cannot_be_steered_before_its_creation_is_committed(self, bench: StoredBench) -> None:
        class Child(Process):
            def run(self) -> Any:
                return "over"

        class Parent(Process):
            async def run(self) -> Any:
                child = self.launch(Child)
                for verb in (child.pause, child.play, child.kill):
                    with pytest.raises(InvalidStateError, match="not created yet"):
                        verb()
                await child
                return child.result()

        process = await bench.create(Parent)
        await process
        assert process.result() == "over"

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
