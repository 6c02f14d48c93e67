"""What a host promises about children: when they are made, who waits for them, what their end means to their parent."""

import asyncio
import gc
from typing import Any

import pytest

from drupe.core.command import Continue, Kill, Stop, Wait
from drupe.core.lifecycle import State
from drupe.engine.process import Process
from drupe.engine.workchain import ToContext, WorkChain
from drupe.errors import DrupeError, ExceptedError, InputError, KilledError
from drupe.testing.host_case import Bench, HostCase, background, settle, until
from drupe.testing.host_chain_contract import chain


class Double(Process):
    """Gives twice its input."""

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input("x", valid_type=int)
        spec.output("y")

    def run(self) -> Any:
        self.out("y", 2 * self.inputs.x)


class Lost(Process):
    """Ends by an exception."""

    def run(self) -> Any:
        raise LookupError("lost")


class Doomed(Process):
    """Kills itself."""

    def run(self) -> Any:
        return Kill("doomed")


class HostChildContract(HostCase):
    """Children."""

    # --- waiting for them --------------------------------------------------------------------------------------

    async def test_a_child_may_be_awaited_in_the_step_that_makes_it(self, bench: Bench) -> None:
        class Parent(Process):
            async def run(self) -> Any:
                return [(await self.submit(Double, x=1)).y, (await self.submit(Double, {"x": 2})).y]

        process = await bench.create(Parent)
        await process
        assert process.result() == [2, 4]

    async def test_children_may_be_gathered(self, bench: Bench) -> None:
        class Parent(Process):
            async def run(self) -> Any:
                found = await asyncio.gather(*[self.submit(Double, x=x) for x in range(10)])
                return [outputs.y for outputs in found]

        process = await bench.create(Parent)
        await process
        assert process.result() == list(range(0, 20, 2))

    async def test_a_child_may_be_awaited_twice_at_once(self, bench: Bench) -> None:
        class Parent(Process):
            async def run(self) -> Any:
                child = self.submit(Double, x=3)

                async def wait() -> Any:
                    return (await child).y

                return await asyncio.gather(wait(), wait())

        process = await bench.create(Parent)
        await process
        assert process.result() == [6, 6]

    async def test_a_chain_puts_the_outputs_of_its_children_into_its_context(self, bench: Bench) -> None:
        def ask(self: Any) -> Any:
            self.to_context(one=self.submit(Double, x=1))
            return ToContext(more=[self.submit(Double, x=x) for x in (2, 3)], named={"four": self.submit(Double, x=4)})

        def end(self: Any) -> Any:
            return [self.ctx.one.y, [more.y for more in self.ctx.more], self.ctx.named["four"].y]

        process = await bench.create(chain("ask", "end", ask=ask, end=end))
        await process
        assert process.result() == [2, [4, 6], 8]

    async def test_a_chain_may_await_in_a_step_and_put_into_its_context(self, bench: Bench) -> None:
        async def ask(self: Any) -> Any:
            first = await self.submit(Double, x=1)
            return ToContext(second=self.submit(Double, x=first.y))

        process = await bench.create(chain("ask", "end", ask=ask, end=lambda self: self.ctx.second.y))
        await process
        assert process.result() == 4

    async def test_chains_may_have_chains_for_children(self, bench: Bench) -> None:
        class Nest(WorkChain):
            @classmethod
            def define(cls, spec: Any) -> None:
                super().define(spec)
                spec.input("depth", valid_type=int)
                spec.output("deep")
                spec.outline(cls.go_down, cls.come_up)

            def go_down(self) -> Any:
                if self.inputs.depth:
                    return ToContext(below=self.submit(Nest, depth=self.inputs.depth - 1))
                return None

            def come_up(self) -> None:
                self.out("deep", self.ctx.below.deep + 1 if "below" in self.ctx else 0)

        assert await (await bench.create(Nest, {"depth": 8})) == {"deep": 8}

    async def test_a_parent_can_be_killed_while_it_waits_and_the_child_lives_on(self, bench: Bench) -> None:
        children: list[Any] = []

        class Resting(Process):
            def run(self) -> Any:
                return Wait()

        def ask(self: Any) -> Any:
            children.append(self.launch(Resting))
            return ToContext(child=children[0])

        process = await bench.create(chain("ask", ask=ask))
        background(process)
        await until(lambda: process.state is State.WAITING and children[0].state is State.WAITING)
        process.kill()
        with pytest.raises(KilledError):
            await process
        assert children[0].state is State.WAITING
        children[0].resume()
        await children[0]

    # --- how they end ------------------------------------------------------------------------------------------

    async def test_a_failing_child_that_is_awaited_raises_in_the_step(self, bench: Bench) -> None:
        class Parent(Process):
            async def run(self) -> Any:
                with pytest.raises((LookupError, ExceptedError), match="lost"):
                    await self.submit(Lost)
                with pytest.raises(KilledError, match="doomed"):
                    await self.submit(Doomed)
                return "coped"

        process = await bench.create(Parent)
        await process
        assert process.result() == "coped"

    @pytest.mark.parametrize(("child", "says"), [(Lost, "lost"), (Doomed, "doomed")])
    async def test_a_child_that_ends_badly_ends_the_chain_that_waits_for_it(
        self, bench: Bench, child: type[Process], says: str
    ) -> None:
        process = await bench.create(
            chain("ask", "end", ask=lambda self: ToContext(child=self.submit(child)), end=lambda _: "never")
        )
        with pytest.raises((DrupeError, LookupError), match=says):
            await process
        assert process.state is State.EXCEPTED
        assert says in process.traceback_text()

    async def test_nothing_is_only_logged_when_several_children_fail(self, bench: Bench) -> None:
        complaints: list[Any] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        process = await bench.create(
            chain("ask", ask=lambda self: ToContext(children=[self.submit(Lost) for _ in range(3)]))
        )
        with pytest.raises((ExceptedError, LookupError)):
            await process
        await settle(20)
        del process
        gc.collect()
        await settle()
        loop.set_exception_handler(None)
        assert complaints == [], complaints

    async def test_a_child_that_did_not_do_well_is_still_finished(self, bench: Bench) -> None:
        class Poor(Process):
            def run(self) -> Any:
                return Stop(1, successful=False)

        class Parent(Process):
            async def run(self) -> Any:
                child = self.launch(Poor)
                await child
                return [child.state.value, child.is_successful()]

        process = await bench.create(Parent)
        await process
        assert process.result() == ["finished", False]

    # --- making them -------------------------------------------------------------------------------------------

    async def test_inputs_that_do_not_fit_raise_in_the_step_and_nothing_is_created(self, bench: Bench) -> None:
        class Parent(Process):
            def run(self) -> Any:
                with pytest.raises(InputError, match="x"):
                    self.submit(Double, x="two")
                with pytest.raises(InputError, match="x"):
                    self.launch(Double)
                return "coped"

        process = await bench.create(Parent)
        await process
        assert process.result() == "coped"

    async def test_a_child_that_nobody_waits_for_runs(self, bench: Bench) -> None:
        children: list[Any] = []

        class Parent(Process):
            def run(self) -> Any:
                children.append(self.launch(Double, x=4))
                return Continue(self.end)

            def end(self) -> Any:
                return "over"

        process = await bench.create(Parent)
        await process
        assert process.result() == "over"
        await until(children[0].has_terminated)
        assert children[0].outputs == {"y": 8}

    async def test_a_child_knows_its_parent_and_has_a_pid_of_its_own(self, bench: Bench) -> None:
        class Parent(Process):
            async def run(self) -> Any:
                first, second = self.launch(Double, x=1), self.launch(Double, x=1)
                await first
                await second
                return [first.parent, second.parent, len({self.pid, first.pid, second.pid})]

        process = await bench.create(Parent)
        await process
        assert process.parent is None
        assert process.result() == [process.pid, process.pid, 3]

    async def test_a_step_that_fails_leaves_no_child_behind(self, bench: Bench) -> None:
        ran: list[str] = []

        class Child(Process):
            def run(self) -> Any:
                ran.append("child")

        class Parent(Process):
            def run(self) -> Any:
                self.submit(Child)
                raise LookupError("lost")

        process = await bench.create(Parent)
        with pytest.raises(LookupError):
            await process
        for _ in range(20):
            await asyncio.sleep(0)
        assert ran == []

    # --- nested execution --------------------------------------------------------------------------------------

    async def test_a_process_executed_inside_a_plain_step_is_run_to_its_end_there(self, bench: Bench) -> None:
        seen: list[Any] = []

        class Parent(Process):
            def run(self) -> Any:
                child = Double({"x": 5})
                outputs = child.execute()
                seen.append((child.parent == self.pid, Process.current() is self))
                return outputs.y

        process = await bench.create(Parent)
        await process
        assert process.result() == 10
        assert seen == [(True, True)]

    async def test_a_process_executed_inside_a_coroutine_step_is_run_to_its_end_there(self, bench: Bench) -> None:
        class Parent(Process):
            async def run(self) -> Any:
                await asyncio.sleep(0)
                first = Double({"x": 5}).execute().y
                await asyncio.sleep(0)
                return [first, (await Double({"x": 6})).y]

        process = await bench.create(Parent)
        await process
        assert process.result() == [10, 12]

    async def test_an_exception_of_an_executed_process_reaches_the_step(self, bench: Bench) -> None:
        class Parent(Process):
            def run(self) -> Any:
                with pytest.raises((LookupError, ExceptedError), match="lost"):
                    Lost().execute()
                with pytest.raises(KilledError, match="doomed"):
                    Doomed().execute()
                return "coped"

        process = await bench.create(Parent)
        await process
        assert process.result() == "coped"
