"""What a host promises about listeners: they hear of every event, after the commit and after the hooks."""

from typing import Any

import pytest

from drupe.core.command import Continue, Wait
from drupe.engine.listener import ProcessListener
from drupe.engine.process import Process
from drupe.testing.host_case import Bench, HostCase, Resumer, answer_of, settle


class Journey(Process):
    """Runs, goes on, waits, and finishes."""

    def run(self) -> Any:
        return Continue(self.rest)

    def rest(self) -> Any:
        return Wait(self.arrive)

    def arrive(self) -> Any:
        return "there"


class Failing(Process):
    """Ends by an exception."""

    def run(self) -> Any:
        raise ValueError("no ticket")


class Hearing(ProcessListener):
    """Writes down what it hears of."""

    def __init__(self, heard: list[str], *, details: bool = False) -> None:
        self._heard = heard
        self._details = details

    def _hear(self, event: str, detail: Any = None) -> None:
        self._heard.append(f"{event} {detail}" if self._details and detail is not None else event)

    def on_process_running(self, process: Any) -> None:
        self._hear("on_process_running")

    def on_process_waiting(self, process: Any) -> None:
        self._hear("on_process_waiting")

    def on_process_paused(self, process: Any) -> None:
        self._hear("on_process_paused")

    def on_process_played(self, process: Any) -> None:
        self._hear("on_process_played")

    def on_process_finished(self, process: Any, outputs: Any) -> None:
        self._hear("on_process_finished")

    def on_process_excepted(self, process: Any, reason: str) -> None:
        self._hear("on_process_excepted", reason)

    def on_process_killed(self, process: Any, msg: str | None) -> None:
        self._hear("on_process_killed", msg)


class HostListenerContract(HostCase):
    """Listeners."""

    async def test_listeners_come_after_the_hooks_and_before_the_future(self, bench: Bench) -> None:
        order: list[str] = []

        class Last(Process):
            def on_terminated(self) -> None:
                order.append("hook")

            def on_close(self) -> None:
                order.append("close")

            def run(self) -> Any:
                return None

        class Listening(ProcessListener):
            def on_process_finished(self, process: Any, outputs: Any) -> None:
                order.append(f"listener, future done: {process.future().done()}")

        process = await bench.create(Last)
        process.add_process_listener(Listening())
        process.future().add_done_callback(lambda _: order.append("future"))
        await process
        await settle()
        assert order == ["hook", "close", "listener, future done: False", "future"]

    async def test_a_failing_listener_is_heard_of_and_silences_no_other(
        self, bench: Bench, caplog: pytest.LogCaptureFixture
    ) -> None:
        heard: list[str] = []

        class Broken(ProcessListener):
            def on_process_running(self, process: Any) -> None:
                raise ValueError("listener")

        class Sound(ProcessListener):
            def on_process_running(self, process: Any) -> None:
                heard.append("running")

        process = await bench.create(Failing)
        process.add_process_listener(Broken())
        process.add_process_listener(Sound())
        with pytest.raises(Exception, match="no ticket"):
            await process
        assert heard == ["running"]
        assert "listener" in caplog.text

    async def test_a_listener_hears_of_every_event(self, bench: Bench) -> None:
        heard: list[str] = []
        process = await bench.create(Journey)
        listener = Hearing(heard)
        process.add_process_listener(listener)
        process.add_process_listener(listener)
        await answer_of(process.pause())
        await answer_of(process.play())
        process.add_process_listener(Resumer())
        await process
        assert heard == [
            *["on_process_paused", "on_process_played"],
            *["on_process_running", "on_process_running", "on_process_waiting", "on_process_running"],
            "on_process_finished",
        ]

    async def test_a_listener_hears_how_it_ended(self, bench: Bench) -> None:
        heard: list[str] = []
        failing, killed = await bench.create(Failing), await bench.create(Journey)
        for process in (failing, killed):
            process.add_process_listener(Hearing(heard, details=True))
        await answer_of(killed.kill("enough"))
        with pytest.raises(Exception, match="no ticket"):
            await failing
        assert heard == ["on_process_killed enough", "on_process_running", "on_process_excepted no ticket"]

    async def test_a_removed_listener_hears_no_more(self, bench: Bench) -> None:
        heard: list[str] = []
        process = await bench.create(Failing)
        listener = Hearing(heard)
        process.add_process_listener(listener)
        process.remove_process_listener(listener)
        process.remove_process_listener(listener)
        with pytest.raises(Exception, match="no ticket"):
            await process
        assert heard == []
