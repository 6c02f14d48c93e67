"""What a host promises about hooks: which are called, in which order, and what an exception in one leads to."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from drupe.core.command import Continue, Kill, Wait
from drupe.core.lifecycle import State
from drupe.engine.hooks import Hooks
from drupe.engine.process import Process
from drupe.errors import KilledError
from drupe.testing.host_case import Bench, HostCase, Resumer, answer_of, until

BEFORE = ["on_exiting", "on_run", "on_wait", "on_finish", "on_kill", "on_pausing"]
AFTER = [
    "on_entered",
    "on_running",
    "on_waiting",
    "on_paused",
    "on_playing",
    "on_finished",
    "on_excepted",
    "on_killed",
    "on_terminated",
    "on_close",
]


class RefusedError(Exception):
    """What the hooks of these tests raise."""


def traced(process_class: type[Process], trace: list[str]) -> type[Process]:
    """Get a subclass whose hooks write down that they were called, and with what."""

    def tracing(name: str) -> Callable[..., None]:
        def hook(process: Process, *details: Any) -> None:
            said = [detail if isinstance(detail, str) else str(detail) for detail in details if detail is not None]
            trace.append(" ".join([name, *said]))

        return hook

    names = [name for name in vars(Hooks) if name.startswith("on_")]
    return type(f"Traced{process_class.__name__}", (process_class,), {name: tracing(name) for name in names})


def refusing(process_class: type[Process], hook: str) -> type[Process]:
    """Get a subclass of which one hook raises."""

    def refuse(process: Process, *_: Any) -> None:
        raise RefusedError(hook)

    return type(f"Refusing{process_class.__name__}", (process_class,), {hook: refuse})


class Journey(Process):
    """Runs, goes on, waits, and finishes with what it was resumed with."""

    def run(self) -> Any:
        return Continue(self.rest)

    def rest(self) -> Any:
        return Wait(self.arrive, "for a train", {"platform": 9})

    def arrive(self, value: Any = None) -> Any:
        return value


class Failing(Process):
    """Ends by an exception."""

    def run(self) -> Any:
        raise ValueError("no ticket")


class Resting(Process):
    """Waits until it is resumed."""

    def run(self) -> Any:
        return Wait(self.arrive)

    def arrive(self) -> Any:
        return "there"


class HostHookContract(HostCase):
    """Hooks."""

    # --- order -------------------------------------------------------------------------------------------

    async def test_the_hooks_of_a_whole_life_come_in_order(self, bench: Bench) -> None:
        trace: list[str] = []
        process = await bench.create(traced(Journey, trace))
        assert trace == ["on_entering created", "on_create", "on_entered"]
        trace.clear()

        process.add_process_listener(Resumer("home"))
        await process

        running = ["on_exiting", "on_entering running", "on_run"]
        assert trace == [
            *[*running, "on_entered created", "on_running"],
            *[*running, "on_entered running", "on_running"],
            *["on_exiting", "on_entering waiting", "on_wait {'platform': 9}", "on_entered running", "on_waiting"],
            *[*running, "on_entered waiting", "on_running"],
            *["on_exiting", "on_entering finished", "on_finish home True", "on_entered running", "on_finished"],
            *["on_terminated", "on_close"],
        ]

    async def test_the_hooks_of_an_exception_come_in_order(self, bench: Bench) -> None:
        trace: list[str] = []
        process = await bench.create(traced(Failing, trace))
        with pytest.raises(Exception, match="no ticket"):
            await process
        assert [line.partition(" (")[0] for line in trace[-6:]] == [
            "on_entering excepted",
            "on_except",
            "on_entered running",
            "on_excepted",
            "on_terminated",
            "on_close",
        ]
        assert "ValueError" in trace[-5]

    async def test_the_hooks_of_a_kill_come_in_order(self, bench: Bench) -> None:
        trace: list[str] = []
        process = await bench.create(traced(Resting, trace))
        trace.clear()
        assert await answer_of(process.kill("enough"))
        assert trace == [
            *["on_exiting", "on_entering killed", "on_kill enough"],
            *["on_entered created", "on_killed", "on_terminated", "on_close"],
        ]

    async def test_the_hooks_of_a_pause_come_in_order_and_leave_the_state(self, bench: Bench) -> None:
        trace: list[str] = []
        process = await bench.create(traced(Resting, trace))
        trace.clear()
        await answer_of(process.pause("coffee"))
        await answer_of(process.play())
        assert trace == ["on_pausing coffee", "on_paused coffee", "on_playing"]
        assert process.state is State.CREATED

    async def test_the_hooks_of_an_output_come_in_order(self, bench: Bench) -> None:
        trace: list[str] = []

        class Giving(Process):
            @classmethod
            def define(cls, spec: Any) -> None:
                super().define(spec)
                spec.output("fixed")
                spec.output_namespace("free", dynamic=True)

            def run(self) -> Any:
                self.out("fixed", 1)
                self.out("free.any", 2)

        process = await bench.create(traced(Giving, trace))
        await process
        assert [line for line in trace if "output" in line] == [
            *["on_output_emitting fixed 1", "on_output_emitted fixed 1 False"],
            *["on_output_emitting free.any 2", "on_output_emitted free.any 2 True"],
        ]

    async def test_the_state_changes_between_the_hooks_before_and_after(self, bench: Bench) -> None:
        seen: list[tuple[str, State]] = []

        class Seeing(Process):
            def on_exiting(self) -> None:
                seen.append(("exiting", self.state))

            def on_run(self) -> None:
                seen.append(("run", self.state))

            def on_finish(self, result: Any, successful: bool) -> None:  # noqa: FBT001 (the hook's signature)
                seen.append(("finish", self.state))

            def on_entered(self, from_state: State | None) -> None:
                seen.append(("entered", self.state))

            def run(self) -> Any:
                return None

        await (await bench.create(Seeing))
        assert seen == [
            ("entered", State.CREATED),
            *[("exiting", State.CREATED), ("run", State.CREATED), ("entered", State.RUNNING)],
            *[("exiting", State.RUNNING), ("finish", State.RUNNING), ("entered", State.FINISHED)],
        ]

    # --- exceptions before the commit ----------------------------------------------------------------------

    async def test_an_exception_in_on_create_goes_to_the_caller(self, bench: Bench) -> None:
        with pytest.raises(RefusedError, match="on_create"):
            await bench.create(refusing(Journey, "on_create"))

    @pytest.mark.parametrize("hook", BEFORE)
    async def test_an_exception_before_the_commit_leads_to_excepted(self, bench: Bench, hook: str) -> None:
        process = await bench.create(refusing(Journey, hook))
        process.add_process_listener(Resumer())
        if hook == "on_pausing":
            assert not await answer_of(process.pause())
        elif hook == "on_kill":
            assert not await answer_of(process.kill())
        with pytest.raises(Exception, match=hook):
            await process
        assert process.state is State.EXCEPTED
        assert isinstance(process.exception(), RefusedError)

    async def test_an_exception_on_entering_leads_to_excepted(self, bench: Bench) -> None:
        class Choosy(Journey):
            def on_entering(self, state: State) -> None:
                if state is State.WAITING:
                    raise RefusedError("not to wait")

        process = await bench.create(Choosy)
        with pytest.raises(RefusedError, match="not to wait"):
            await process
        assert process.state is State.EXCEPTED

    @pytest.mark.parametrize("hook", ["on_output_emitting", "on_output_emitted"])
    async def test_an_exception_around_an_output_leads_to_excepted(self, bench: Bench, hook: str) -> None:
        class Giving(Process):
            @classmethod
            def define(cls, spec: Any) -> None:
                super().define(spec)
                spec.output("x")

            def run(self) -> Any:
                self.out("x", 1)

        process = await bench.create(refusing(Giving, hook))
        with pytest.raises(RefusedError, match=hook):
            await process
        assert process.state is State.EXCEPTED
        assert ("x" in process.outputs) is (hook == "on_output_emitted")

    async def test_an_exception_in_on_except_is_the_last_word_and_tells_the_first(self, bench: Bench) -> None:
        process = await bench.create(refusing(Failing, "on_except"))
        with pytest.raises(RefusedError):
            await process
        assert process.state is State.EXCEPTED
        error = process.exception()
        assert error is not None
        assert isinstance(error.__context__, ValueError)
        assert "no ticket" in (process.traceback_text() or "")

    # --- exceptions after the commit -----------------------------------------------------------------------

    @pytest.mark.parametrize("hook", AFTER)
    async def test_an_exception_after_the_commit_is_logged_and_given_to_who_waits_and_changes_no_state(
        self, bench: Bench, hook: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        base: type[Process] = Failing if hook == "on_excepted" else Journey
        process = await bench.create(refusing(base, hook))
        process.add_process_listener(Resumer())
        if hook in ("on_paused", "on_playing"):
            assert await answer_of(process.pause())
            assert await answer_of(process.play())
        if hook == "on_killed":
            assert await answer_of(process.kill())
        with caplog.at_level(logging.ERROR, "drupe"), pytest.raises(Exception) as caught:  # noqa: PT011 (looked at below)
            await process
        expected = {"on_killed": State.KILLED, "on_excepted": State.EXCEPTED}.get(hook, State.FINISHED)
        assert process.state is expected
        if expected is State.FINISHED:
            assert isinstance(caught.value, RefusedError)
        assert any(process.pid in record.getMessage() for record in caplog.records) or hook in EARLY

    async def test_a_kill_command_is_a_kill(self, bench: Bench) -> None:
        class Suicidal(Process):
            def run(self) -> Any:
                return Kill("tired")

        trace: list[str] = []
        process = await bench.create(traced(Suicidal, trace))
        with pytest.raises(KilledError, match="tired"):
            await process
        assert process.killed_msg() == "tired"
        assert "on_kill tired" in trace

    async def test_current_is_the_process_in_its_hooks_while_it_runs(self, bench: Bench) -> None:
        found: list[Any] = []

        class Asking(Journey):
            def on_run(self) -> None:
                found.append(Process.current())

            def on_running(self) -> None:
                found.append(Process.current())

        process = await bench.create(Asking)
        process.add_process_listener(Resumer())
        await process
        assert found == [process] * 6
        assert Process.current() is None

    async def test_a_process_may_be_steered_from_its_own_hooks(self, bench: Bench) -> None:
        class Hasty(Resting):
            def on_waiting(self) -> None:
                self.kill("too slow")

        process = await bench.create(Hasty)
        with pytest.raises(KilledError, match="too slow"):
            await process
        await until(process.has_terminated)


EARLY = ("on_paused", "on_playing", "on_killed")
"""Hooks that these tests call before they look at the log."""
