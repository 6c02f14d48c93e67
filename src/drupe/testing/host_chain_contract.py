"""What a host promises about work chains: the outline, the context, waiting for what is put into it."""

import asyncio
from typing import Any

import pytest

from drupe.core.command import Continue, Stop, Wait
from drupe.core.lifecycle import State
from drupe.core.outline import if_, return_, while_
from drupe.engine.process import Process
from drupe.engine.workchain import ToContext, WorkChain
from drupe.errors import DefinitionError, KilledError, OutlineError
from drupe.testing.host_case import Bench, HostCase, background, settle, until


def chain(*names: str, **methods: Any) -> type[WorkChain]:
    """Get a work chain of these steps; each is a method of the same name."""

    def define(cls: Any, spec: Any) -> None:
        super(made, cls).define(spec)
        spec.outline(*[getattr(cls, name) for name in names])

    made: type[WorkChain] = type("Chain", (WorkChain,), {**methods, "define": classmethod(define)})
    return made


class Branching(WorkChain):
    """Every instruction of an outline."""

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input("n", valid_type=int)
        spec.outline(
            cls.begin,
            if_(cls.is_small)(cls.note_small).elif_(cls.is_large)(cls.note_large).else_(cls.note_other),
            while_(cls.is_below)(cls.count, if_(cls.is_three)(return_(3))),
            cls.end,
        )

    def begin(self) -> None:
        self.ctx.seen = []
        self.ctx.count = 0

    def is_small(self) -> bool:
        return bool(self.inputs.n < 3)

    def is_large(self) -> bool:
        return bool(self.inputs.n > 9)

    def is_below(self) -> bool:
        return bool(self.ctx.count < self.inputs.n)

    def is_three(self) -> bool:
        return bool(self.ctx.count == 3)

    def note_small(self) -> None:
        self.ctx.seen.append("small")

    def note_large(self) -> None:
        self.ctx.seen.append("large")

    def note_other(self) -> None:
        self.ctx.seen.append("other")

    async def count(self) -> None:
        self.ctx.count += 1
        await asyncio.sleep(0)

    def end(self) -> Any:
        return self.ctx.seen


class HostChainContract(HostCase):
    """Work chains."""

    # --- outlines --------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("n", "result", "seen"), [(2, ["small"], "small"), (0, ["small"], "small"), (5, 3, "other"), (10, 3, "large")]
    )
    async def test_an_outline_is_followed(self, bench: Bench, n: int, result: Any, seen: str) -> None:
        process = await bench.create(Branching, {"n": n})
        await process
        assert process.result() == result
        assert process.ctx.seen == [seen]
        assert process.ctx.count == min(n, 3)

    async def test_steps_may_be_coroutines_and_run_in_order(self, bench: Bench) -> None:
        async def one(self: Any) -> None:
            self.ctx.took = ["one"]
            await asyncio.sleep(0)
            self.ctx.took.append("one still")

        def two(self: Any) -> None:
            self.ctx.took.append("two")

        process = await bench.create(chain("one", "two", one=one, two=two))
        await process
        assert process.ctx.took == ["one", "one still", "two"]
        assert process.result() is None

    async def test_one_step_of_the_outline_is_one_step_of_the_process(self, bench: Bench) -> None:
        process = await bench.create(
            chain("one", "two", one=lambda self: self.ctx.update(one=1), two=lambda self: self.ctx.update(two=2))
        )
        await process.step()
        assert process.ctx == {}
        await process.step()
        assert process.ctx == {"one": 1}
        await process.step()
        assert process.ctx == {"one": 1, "two": 2}

    async def test_a_chain_without_an_outline_is_refused(self, bench: Bench) -> None:
        with pytest.raises(DefinitionError, match="outline"):
            await bench.create(type("Aimless", (WorkChain,), {}))

    async def test_what_cannot_be_a_step_is_refused(self, bench: Bench) -> None:
        with pytest.raises(OutlineError):
            await bench.create(chain("wrong", wrong=3))

    async def test_a_failing_predicate_ends_the_chain(self, bench: Bench) -> None:
        class Doubtful(Branching):
            def is_small(self) -> bool:
                raise LookupError("no measure")

        process = await bench.create(Doubtful, {"n": 1})
        with pytest.raises(LookupError, match="no measure"):
            await process

    # --- what a step may answer ------------------------------------------------------------------------------

    async def test_a_value_ends_the_chain_with_it(self, bench: Bench) -> None:
        process = await bench.create(chain("one", "two", one=lambda _: 0, two=lambda _: 2))
        await process
        assert process.result() == 0

    async def test_a_stop_ends_the_chain(self, bench: Bench) -> None:
        process = await bench.create(chain("one", "two", one=lambda _: Stop(5, successful=False), two=lambda _: 2))
        await process
        assert (process.result(), process.is_successful()) == (5, False)

    async def test_a_continue_takes_a_detour_and_comes_back(self, bench: Bench) -> None:
        def aside(self: Any, value: int) -> None:
            self.ctx.took = [value]

        def two(self: Any) -> Any:
            return [*self.ctx.took, "two"]

        process = await bench.create(
            chain("one", "two", one=lambda self: Continue(self.aside, 1), aside=aside, two=two)
        )
        await process
        assert process.result() == [1, "two"]

    async def test_a_wait_goes_on_with_its_step_and_then_with_the_outline(self, bench: Bench) -> None:
        def woken(self: Any, value: Any) -> None:
            self.ctx.woken = value

        process = await bench.create(
            chain("one", "two", one=lambda self: Wait(self.woken), woken=woken, two=lambda self: self.ctx.woken)
        )
        background(process)
        await until(lambda: process.state is State.WAITING)
        process.resume("value")
        await process
        assert process.result() == "value"

    async def test_a_wait_without_a_step_goes_on_with_the_outline(self, bench: Bench) -> None:
        process = await bench.create(chain("one", "two", one=lambda _: Wait(), two=lambda _: "two"))
        background(process)
        await until(lambda: process.state is State.WAITING)
        process.resume("dropped")
        await process
        assert process.result() == "two"

    # --- waiting for what is put into the context ------------------------------------------------------------

    async def test_results_come_into_the_context_in_the_shape_they_were_asked_for(self, bench: Bench) -> None:
        def ask(self: Any) -> Any:
            loop = asyncio.get_running_loop()
            futures = [loop.create_future() for _ in range(5)]
            for place in (4, 2, 0, 1, 3):  # they end in another order
                loop.call_soon(futures[place].set_result, place)
            self.to_context(single=futures[0])
            return ToContext(some=[futures[1], futures[2]], pair=(futures[3],), named={"x": futures[4]})

        process = await bench.create(chain("ask", "end", ask=ask, end=lambda self: dict(self.ctx)))
        await process
        assert process.result() == {"single": 0, "some": [1, 2], "pair": (3,), "named": {"x": 4}}

    async def test_a_coroutine_and_a_task_may_be_waited_for(self, bench: Bench) -> None:
        async def work(value: int) -> int:
            await asyncio.sleep(0)
            return value

        def ask(self: Any) -> Any:
            return ToContext(coroutine=work(1), task=asyncio.get_running_loop().create_task(work(2)))

        process = await bench.create(chain("ask", "end", ask=ask, end=lambda self: [self.ctx.coroutine, self.ctx.task]))
        await process
        assert process.result() == [1, 2]

    async def test_the_chain_says_what_it_waits_for(self, bench: Bench) -> None:
        future = asyncio.get_running_loop().create_future()
        process = await bench.create(
            chain("ask", "end", ask=lambda _: ToContext(answer=future), end=lambda self: self.ctx.answer)
        )
        background(process)
        await until(lambda: process.state is State.WAITING)
        assert "answer" in process.stage.label()
        future.set_result(42)
        await process
        assert process.result() == 42

    async def test_the_first_exception_that_is_waited_for_ends_the_chain(self, bench: Bench) -> None:
        def ask(self: Any) -> Any:
            loop = asyncio.get_running_loop()
            failing, never = loop.create_future(), loop.create_future()
            loop.call_soon(failing.set_exception, LookupError("lost"))
            return ToContext(failing=failing, never=never)

        process = await bench.create(chain("ask", "end", ask=ask, end=lambda _: "never"))
        with pytest.raises(LookupError, match="lost"):
            await process

    async def test_what_is_no_awaitable_is_refused(self, bench: Bench) -> None:
        process = await bench.create(chain("ask", ask=lambda _: ToContext(answer=[42])))
        with pytest.raises(TypeError, match="answer"):
            await process

    async def test_a_chain_that_waits_can_be_paused_and_played(self, bench: Bench) -> None:
        future = asyncio.get_running_loop().create_future()
        process = await bench.create(
            chain("ask", "end", ask=lambda _: ToContext(answer=future), end=lambda self: self.ctx.answer)
        )
        background(process)
        await until(lambda: process.state is State.WAITING)
        await settle()
        paused = process.pause()
        assert paused is True or await paused
        future.set_result(1)
        await settle(20)
        assert process.state is State.WAITING
        process.play()
        await process
        assert process.result() == 1

    async def test_a_chain_that_waits_can_be_killed(self, bench: Bench) -> None:
        future = asyncio.get_running_loop().create_future()
        process = await bench.create(chain("ask", ask=lambda _: ToContext(answer=future)))
        background(process)
        await until(lambda: process.state is State.WAITING)
        process.kill("enough")
        with pytest.raises(KilledError):
            await process
        assert not future.done()

    async def test_a_process_made_in_a_step_may_be_waited_for(self, bench: Bench) -> None:
        class Giving(Process):
            @classmethod
            def define(cls, spec: Any) -> None:
                super().define(spec)
                spec.output("x")

            def run(self) -> Any:
                self.out("x", 1)

        process = await bench.create(
            chain(
                "ask", "end", ask=lambda self: ToContext(given=self.launch(Giving)), end=lambda self: self.ctx.given.x
            )
        )
        await process
        assert process.result() == 1
