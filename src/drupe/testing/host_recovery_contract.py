"""What only a host that keeps its processes promises: after a crash a process goes on, and finds its children again."""

import asyncio
from typing import Any

import pytest

from drupe.core.command import Continue, Wait
from drupe.core.lifecycle import State
from drupe.core.record import Query
from drupe.engine.field import field
from drupe.engine.process import Process
from drupe.engine.saving import save
from drupe.engine.workchain import ToContext
from drupe.errors import ChildMismatchError, InvalidStateError, UnsavableError
from drupe.testing.host_case import HostCase, StoredBench, background, settle, until
from drupe.testing.host_chain_contract import chain


class Count(Process):
    """Counts to three, one step each."""

    count: int = field(0)

    def run(self) -> Any:
        self.count += 1
        return Continue(self.run) if self.count < 3 else self.count


class HostRecoveryContract(HostCase):
    """Crashes, and children that are there already."""

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

    async def test_a_step_that_is_repeated_has_its_key_again_and_a_higher_token(self, bench: StoredBench) -> None:
        seen: list[tuple[str, int]] = []

        class Keyed(Process):
            async def run(self) -> Any:
                seen.append((self.step_key, self.fencing_token))
                return Continue(self.second)

            async def second(self) -> Any:
                seen.append((self.step_key, self.fencing_token))
                if len(seen) == 2:
                    await asyncio.Event().wait()  # until its interpreter is gone

        process = await bench.create(Keyed)
        task = background(process)
        await until(lambda: len(seen) == 2)
        task.cancel()
        again = await bench.resumed(process)
        await again
        (first, _), (given_up, before), (repeated, after) = seen
        assert repeated == given_up != first
        assert after > before

    async def test_a_pause_leaves_the_key_as_it_is(self, bench: StoredBench) -> None:
        seen: list[str] = []

        class Keyed(Process):
            async def run(self) -> Any:
                seen.append(self.step_key)
                if len(seen) == 1:
                    await asyncio.Event().wait()

        process = await bench.create(Keyed)
        await process.step()
        task = background(process)
        await until(lambda: len(seen) == 1)
        task.cancel()
        again = await bench.resumed(process)
        await again.pause("tea")
        await again.play()
        await again
        assert seen[1] == seen[0]

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
        process = await bench.create(Count)
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
