"""What a host promises about signals: each is taken once, by a wait that names it, whenever it was sent."""

import asyncio
from typing import Any

import pytest

from drupe.core.command import Continue, Wait
from drupe.core.lifecycle import State
from drupe.engine.field import field
from drupe.engine.process import Process
from drupe.errors import InvalidStateError, KilledError
from drupe.testing.host_case import Bench, HostCase, answer_of, background, settle, until
from drupe.testing.host_chain_contract import chain


class Listening(Process):
    """Writes down the news until the last ones."""

    heard: list[Any] = field(factory=list)

    def run(self) -> Any:
        return Wait(self.hear, "for news", signal="news")

    def hear(self, payload: Any) -> Any:
        self.heard = [*self.heard, payload]
        return self.heard if payload == "last" else Wait(self.hear, "for more news", signal="news")


class Ending(Process):
    """Ends with what comes with a signal."""

    def run(self) -> Any:
        return Wait(signal="end")


class Choosing(Process):
    """Waits for one signal and then for another."""

    def run(self) -> Any:
        return Wait(self.then, signal="first")

    def then(self, first: Any) -> Any:
        return Wait(self.last, data=first, signal="second")

    def last(self, *values: Any) -> Any:
        return list(values)


async def sent(process: Process, name: str, payload: Any = None) -> bool:
    """Get what the sender of a signal is told in the end."""
    return await answer_of(process.signal(name, payload))


async def waiting(bench: Bench, process_class: type[Process]) -> Any:
    """Get a process that waits, and is being run."""
    process = await bench.create(process_class)
    background(process)
    await until(lambda: process.state is State.WAITING)
    await settle()
    return process


class HostSignalContract(HostCase):
    """Signals."""

    # --- before and after --------------------------------------------------------------------------------------

    async def test_a_signal_ends_the_wait_for_it_and_its_payload_goes_to_the_step(self, bench: Bench) -> None:
        process = await waiting(bench, Listening)
        assert await sent(process, "news", "last")
        await process
        assert process.result() == ["last"]

    async def test_signals_sent_before_the_wait_are_taken_by_it_in_their_order(self, bench: Bench) -> None:
        process = await bench.create(Listening)
        for payload in (1, None, {"three": [3]}, "last"):
            assert await sent(process, "news", payload)
        await process
        assert process.result() == [1, None, {"three": [3]}, "last"]

    async def test_signals_sent_together_are_taken_in_their_order(self, bench: Bench) -> None:
        process = await waiting(bench, Listening)
        answers = [process.signal("news", payload) for payload in (1, 2, 3, "last")]
        await process
        assert [await answer_of(answer) for answer in answers] == [True] * 4
        assert process.result() == [1, 2, 3, "last"]

    async def test_a_signal_of_another_name_lies_until_it_is_waited_for(self, bench: Bench) -> None:
        process = await waiting(bench, Choosing)
        assert await sent(process, "second", "two")
        await settle(20)
        assert process.stage.listening == "first"
        assert await sent(process, "first", "one")
        await process
        assert process.result() == ["two"]

    async def test_without_a_step_the_process_finishes_with_the_payload(self, bench: Bench) -> None:
        process = await waiting(bench, Ending)
        assert await sent(process, "end", [1, 2])
        await process
        assert process.result() == [1, 2]

    async def test_a_process_may_send_a_signal_to_itself(self, bench: Bench) -> None:
        class Remembering(Ending):
            async def run(self) -> Any:
                assert await sent(self, "end", "to me")
                return super().run()

        process = await bench.create(Remembering)
        await process
        assert process.result() == "to me"

    # --- resume, pause, kill -----------------------------------------------------------------------------------

    async def test_a_resume_ends_the_wait_too_and_the_signal_lies_for_the_next(self, bench: Bench) -> None:
        process = await waiting(bench, Listening)
        process.resume("resumed")
        process.resume("too late")
        assert await sent(process, "news", "last")
        await process
        assert process.result() == ["resumed", "last"]

    async def test_a_wait_without_a_name_takes_no_signal(self, bench: Bench) -> None:
        class Resting(Process):
            def run(self) -> Any:
                return Wait()

        process = await waiting(bench, Resting)
        assert await sent(process, "news")
        await settle(20)
        assert process.state is State.WAITING
        process.resume("awake")
        await process
        assert process.result() == "awake"

    async def test_a_paused_process_takes_a_signal_when_it_is_played(self, bench: Bench) -> None:
        process = await waiting(bench, Listening)
        assert await answer_of(process.pause())
        assert await sent(process, "news", "last")
        await settle(20)
        assert process.heard == []
        assert process.state is State.WAITING
        assert await answer_of(process.play())
        await process
        assert process.result() == ["last"]

    async def test_a_pause_that_comes_right_after_a_signal_does_not_lose_it(self, bench: Bench) -> None:
        process = await waiting(bench, Listening)
        answer = process.signal("news", "last")
        pause = process.pause()
        assert await answer_of(answer)
        assert await answer_of(pause)
        assert await answer_of(process.play())
        await process
        assert process.result() == ["last"]

    async def test_a_killed_process_takes_no_signal(self, bench: Bench) -> None:
        process = await waiting(bench, Listening)
        assert await answer_of(process.kill())
        assert not await sent(process, "news", "last")
        with pytest.raises(KilledError):
            await process
        assert process.heard == []

    async def test_who_cancels_the_sending_takes_nothing_back(self, bench: Bench) -> None:
        process = await waiting(bench, Listening)
        answer = process.signal("news", "last")
        assert answer is True or not answer.cancel()
        await process
        assert process.result() == ["last"]

    async def test_a_child_that_is_not_created_yet_cannot_be_sent_a_signal(self, bench: Bench) -> None:
        class Parent(Process):
            def run(self) -> Any:
                if not bench.durable:
                    return "created at once"
                child = self.launch(Ending)
                with pytest.raises(InvalidStateError, match="not created yet"):
                    child.signal("end")
                return child.pid

        process = await bench.create(Parent)
        await process

    # --- where the steps go on ---------------------------------------------------------------------------------

    async def test_cancelling_the_stepping_loses_no_signal(self, bench: Bench) -> None:
        process = await bench.create(Listening)
        task = background(process)
        await until(lambda: process.state is State.WAITING)
        await settle()
        assert await sent(process, "news", 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await sent(process, "news", "last")
        await process
        assert process.result() == [1, "last"]

    async def test_a_step_of_a_chain_may_wait_for_a_signal(self, bench: Bench) -> None:
        def hear(self: Any, payload: Any) -> None:
            self.ctx.heard = payload

        process = await bench.create(
            chain(
                "one",
                "two",
                one=lambda self: Wait(self.hear, signal="news"),
                hear=hear,
                two=lambda self: self.ctx.heard,
            )
        )
        background(process)
        await until(lambda: process.state is State.WAITING)
        assert await sent(process, "news", "heard")
        await process
        assert process.result() == "heard"

    async def test_a_chain_that_waits_for_a_signal_without_a_step_goes_on_with_its_outline(self, bench: Bench) -> None:
        process = await bench.create(chain("one", "two", one=lambda _: Wait(signal="go"), two=lambda _: "two"))
        assert await sent(process, "go", "dropped")
        await process
        assert process.result() == "two"

    async def test_a_step_may_answer_a_subclass_of_wait(self, bench: Bench) -> None:
        class Patience(Wait):
            pass

        class Patient(Process):
            def run(self) -> Any:
                return Continue(self.wait_for_it)

            def wait_for_it(self) -> Any:
                return Patience(signal="end")

        process = await waiting(bench, Patient)
        assert await sent(process, "end", 3)
        await process
        assert process.result() == 3
