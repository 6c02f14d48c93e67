"""What a host promises about steps: what they may be, what they may answer, what they may emit."""

import asyncio
from typing import Any

import pytest

from drupe.core.command import Continue, Kill, Stop, Wait
from drupe.core.lifecycle import State
from drupe.engine.field import field
from drupe.engine.process import Process
from drupe.errors import InputError, InvalidStateError, KilledError, NotFinishedError, OutputError
from drupe.testing.host_case import Bench, HostCase, until


class Emitting(Process):
    """Emits what it is given, whatever that is."""

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input("emit", valid_type=dict, default=dict)
        spec.output("number", valid_type=int)
        spec.output("maybe", required=False)
        spec.output("deep.down", valid_type=int, required=False)
        spec.output_namespace("free", dynamic=True, valid_type=int)

    def run(self) -> Any:
        self.out_many(self.inputs.emit)
        return "done"


class HostStepContract(HostCase):
    """Steps, commands, outputs, inputs."""

    # --- steps and commands ----------------------------------------------------------------------------------

    async def test_a_step_may_be_a_coroutine(self, bench: Bench) -> None:
        class Slow(Process):
            async def run(self) -> Any:
                await asyncio.sleep(0)
                return Continue(self.second)

            async def second(self) -> Any:
                await asyncio.sleep(0)
                return 2

        process = await bench.create(Slow)
        await process
        assert process.result() == 2

    async def test_each_step_has_a_key_of_its_own(self, bench: Bench) -> None:
        keys: list[tuple[str, str]] = []

        class Named(Process):
            async def run(self) -> Any:
                before = self.step_key
                await asyncio.sleep(0)
                keys.append((before, self.step_key))
                return Continue(self.run) if len(keys) % 3 else None

        for _ in range(2):
            await (await bench.create(Named))
        assert all(before == after for before, after in keys)
        assert len({before for before, _ in keys}) == 6

    async def test_continue_hands_on_positional_and_named_arguments(self, bench: Bench) -> None:
        class Handing(Process):
            def run(self) -> Any:
                return Continue(self.second, 1, [2], three=3)

            def second(self, *args: Any, **kwargs: Any) -> Any:
                return Continue(self.third, args, kwargs)

            def third(self, args: Any, kwargs: Any) -> Any:
                return [list(args), kwargs]

        process = await bench.create(Handing)
        await process
        assert process.result() == [[1, [2]], {"three": 3}]

    async def test_a_plain_value_is_the_result(self, bench: Bench) -> None:
        class Plain(Process):
            def run(self) -> Any:
                return {"any": ["value"]}

        process = await bench.create(Plain)
        with pytest.raises(NotFinishedError):
            process.result()
        await process
        assert process.result() == {"any": ["value"]}
        assert process.is_successful()
        assert process.exception() is None
        assert process.traceback_text() is None

    @pytest.mark.parametrize("successful", [True, False])
    async def test_stop_finishes_with_a_result_and_says_whether_it_went_well(
        self, bench: Bench, *, successful: bool
    ) -> None:
        class Stopping(Process):
            def run(self) -> Any:
                return Stop(7, successful)

        process = await bench.create(Stopping)
        await process
        assert (process.state, process.result(), process.is_successful()) == (State.FINISHED, 7, successful)

    async def test_kill_ends_the_process_with_the_message(self, bench: Bench) -> None:
        class Killing(Process):
            async def run(self) -> Any:
                return Kill("no use")

        process = await bench.create(Killing)
        with pytest.raises(InvalidStateError):
            process.killed_msg()
        with pytest.raises(KilledError, match="no use"):
            await process
        assert process.killed()
        assert process.killed_msg() == "no use"
        with pytest.raises(KilledError):
            process.result()

    async def test_a_process_without_run_excepts(self, bench: Bench) -> None:
        process = await bench.create(type("Idle", (Process,), {}))
        with pytest.raises(NotImplementedError, match="Idle has no run"):
            await process

    async def test_a_command_may_be_of_a_subclass(self, bench: Bench) -> None:
        class Told(Stop):
            __slots__ = ()

        class Onward(Continue):
            __slots__ = ()

        class Telling(Process):
            def run(self) -> Any:
                return Onward(self.second)

            def second(self) -> Any:
                return Told(1)

        process = await bench.create(Telling)
        await process
        assert process.result() == 1

    async def test_step_takes_one_step_at_a_time(self, bench: Bench) -> None:
        took: list[int] = []

        class Steps(Process):
            def run(self) -> Any:
                took.append(1)
                return Continue(self.second)

            def second(self) -> Any:
                took.append(2)

        process = await bench.create(Steps)
        seen = []
        while not process.has_terminated():
            await process.step()
            seen.append((process.state, list(took)))
        assert seen == [(State.RUNNING, []), (State.RUNNING, [1]), (State.FINISHED, [1, 2])]
        await process.step()
        assert took == [1, 2]

    async def test_step_until_terminated_runs_in_the_task_that_awaits_it(self, bench: Bench) -> None:
        tasks: list[Any] = []

        class Asking(Process):
            def run(self) -> Any:
                tasks.append(asyncio.current_task())

        process = await bench.create(Asking)
        await process.step_until_terminated()
        assert tasks == [asyncio.current_task()]

    # --- inputs ------------------------------------------------------------------------------------------------

    async def test_inputs_that_do_not_fit_are_refused_at_once_and_nothing_is_created(self, bench: Bench) -> None:
        with pytest.raises(InputError, match="emit"):
            await bench.create(Emitting, {"emit": 3}, pid="refused")
        process = await bench.create(Emitting, {"emit": {"number": 1}}, pid="refused")
        await process

    async def test_inputs_are_read_only_and_complete(self, bench: Bench) -> None:
        process = await bench.create(Emitting)
        assert process.inputs.emit == {}
        with pytest.raises(AttributeError):
            process.inputs.emit = {}

    # --- outputs -----------------------------------------------------------------------------------------------

    async def test_outputs_are_what_was_emitted_with_dotted_names_as_namespaces(self, bench: Bench) -> None:
        emit = {"number": 1, "deep.down": 2, "free.a": 3, "free.b": 4}
        process = await bench.create(Emitting, {"emit": emit})
        outputs = await process
        assert outputs == {"number": 1, "deep": {"down": 2}, "free": {"a": 3, "b": 4}} == process.outputs
        assert outputs.deep.down == 2
        with pytest.raises(TypeError):
            outputs["number"] = 5

    @pytest.mark.parametrize(
        ("emit", "named"),
        [
            ({"unknown": 1}, "unknown"),
            ({"number": "one"}, "number"),
            ({"deep.up": 1}, "deep"),
            ({"deep.down": "one"}, r"deep\.down"),
            ({"free.a": "one"}, r"free\.a"),
            ({"number.below": 1}, "number"),
        ],
    )
    async def test_an_output_that_does_not_fit_is_refused_naming_its_port(
        self, bench: Bench, emit: dict[str, Any], named: str
    ) -> None:
        process = await bench.create(Emitting, {"emit": emit})
        with pytest.raises(OutputError, match=named):
            await process
        assert process.state is State.EXCEPTED

    async def test_a_step_may_go_on_when_an_output_was_refused(self, bench: Bench) -> None:
        class Forgiving(Emitting):
            def run(self) -> Any:
                with pytest.raises(OutputError):
                    self.out("unknown", 1)
                self.out("number", 1)

        process = await bench.create(Forgiving)
        assert await process == {"number": 1}

    async def test_finishing_without_a_required_output_is_finishing_badly_and_the_status_says_why(
        self, bench: Bench
    ) -> None:
        process = await bench.create(Emitting)
        await process
        assert process.state is State.FINISHED
        assert not process.is_successful()
        assert process.result() == "done"
        assert "number" in (process.status or "")

    async def test_stopping_without_success_needs_no_outputs(self, bench: Bench) -> None:
        class Stopping(Emitting):
            def run(self) -> Any:
                return Stop(3, successful=False)

        process = await bench.create(Stopping)
        await process
        assert process.result() == 3
        assert process.status is None

    async def test_outputs_of_several_steps_add_up(self, bench: Bench) -> None:
        class Adding(Emitting):
            def run(self) -> Any:
                self.out("free.a", 1)
                return Continue(self.second)

            def second(self) -> Any:
                self.out("free.b", 2)
                self.out("number", 3)

        process = await bench.create(Adding)
        assert await process == {"free": {"a": 1, "b": 2}, "number": 3}

    # --- what else a step can do -------------------------------------------------------------------------------

    async def test_the_status_is_what_the_process_says_of_itself(self, bench: Bench) -> None:
        class Saying(Process):
            def run(self) -> Any:
                self.set_status("half way")
                return Wait(self.end)

            def end(self) -> Any:
                return None

        process = await bench.create(Saying)
        await process.step()
        await process.step()
        assert process.status == "half way"

    async def test_a_field_has_its_default_until_it_is_set(self, bench: Bench) -> None:
        class Counting(Process):
            count: int = field(1)
            seen: list[int] = field(factory=list)

            def run(self) -> Any:
                self.seen.append(self.count)
                self.count += 1
                return Continue(self.run) if self.count < 4 else list(self.seen)

        first, second = await bench.create(Counting), await bench.create(Counting)
        await first
        await second
        assert first.result() == second.result() == [1, 2, 3]

    async def test_call_soon_calls_in_the_next_turn_as_part_of_the_process(self, bench: Bench) -> None:
        called: list[Any] = []

        class Calling(Process):
            async def run(self) -> Any:
                self.call_soon(self.note, 1)
                self.call_soon(self.note_later, 2)
                called.append("first")
                await until(lambda: len(called) == 3)

            def note(self, value: int) -> None:
                called.append((Process.current() is self, value))

            async def note_later(self, value: int) -> None:
                await asyncio.sleep(0)
                called.append((Process.current() is self, value))

        await (await bench.create(Calling))
        assert called == ["first", (True, 1), (True, 2)]

    @pytest.mark.parametrize("waiting", [True, False])
    async def test_an_exception_in_call_soon_ends_the_process(self, bench: Bench, *, waiting: bool) -> None:
        class Calling(Process):
            async def run(self) -> Any:
                self.call_soon(self.fall)
                if waiting:
                    return Wait(self.run)
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                return "never"

            def fall(self) -> None:
                raise ValueError("fell")

        process = await bench.create(Calling)
        with pytest.raises(ValueError, match="fell"):
            await process
        assert process.state is State.EXCEPTED

    async def test_something_cancelled_inside_a_step_is_the_steps_own_failure(self, bench: Bench) -> None:
        class Awaiting(Process):
            async def run(self) -> Any:
                future = asyncio.get_running_loop().create_future()
                future.cancel()
                await future

        process = await bench.create(Awaiting)
        with pytest.raises(asyncio.CancelledError):
            await process
        assert process.state is State.EXCEPTED

    async def test_many_processes_take_turns(self, bench: Bench) -> None:
        class Polite(Process):
            @classmethod
            def define(cls, spec: Any) -> None:
                super().define(spec)
                spec.input("place", valid_type=int)

            async def run(self) -> Any:
                await asyncio.sleep(0)
                return Continue(self.end)

            async def end(self) -> Any:
                await asyncio.sleep(0)
                assert Process.current() is self
                return self.inputs.place

        processes = [await bench.create(Polite, {"place": place}) for place in range(20)]
        await asyncio.gather(*processes)
        assert [process.result() for process in processes] == list(range(20))
