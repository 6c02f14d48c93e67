"""Progress: a line for each change of state, or a picture that is redrawn and then gone."""

import asyncio
import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from drupe import Continue, Process, Wait
from drupe.cli.progress import ROWS, Lines, Screen


class Steps(Process):
    def run(self) -> Any:
        return Continue(self.second)

    def second(self) -> Any:
        self.set_status("nearly\nthere")
        return Wait(self.third, "for somebody")

    def third(self) -> None:
        """Nothing is left to do."""


class Broken(Process):
    def run(self) -> None:
        raise ValueError("bad")


def lines(process: Process, *, meanwhile: Callable[[], None] = lambda: None) -> list[str]:
    found: list[str] = []
    with Lines(found.append) as progress:
        process.add_process_listener(progress.listener)
        meanwhile()
        if not process.has_terminated():
            process.execute()
    return "\n".join(found).splitlines()


def test_a_line_for_each_change_of_state_and_none_for_steps() -> None:
    class Woken(Steps):
        def on_waiting(self) -> None:
            self.resume()

    assert lines(Woken(pid="p")) == [
        f"{Woken.__qualname__}  p  running  run",
        f"{Woken.__qualname__}  p  waiting  nearly",
        f"{Woken.__qualname__}  p  running  nearly",
        f"{Woken.__qualname__}  p  finished  nearly",
    ]


def test_an_exception_is_a_line_with_its_text() -> None:
    found: list[str] = []
    process = Broken(pid="p")
    with Lines(found.append) as progress:
        process.add_process_listener(progress.listener)
        with pytest.raises(ValueError, match="bad"):
            process.execute()

    assert "\n".join(found).splitlines()[-1] == "Broken  p  excepted  ValueError: bad"


def test_pausing_playing_and_killing_are_lines() -> None:
    process = Steps(pid="p")

    def steer() -> None:
        process.pause()
        process.play()
        process.kill("enough")

    assert lines(process, meanwhile=steer) == ["Steps  p  paused", "Steps  p  created", "Steps  p  killed  enough"]


async def test_the_lines_of_one_turn_of_the_loop_are_written_together() -> None:
    found: list[str] = []
    processes = [Steps(pid=pid) for pid in "abc"]
    with Lines(found.append) as progress:
        for process in processes:
            process.add_process_listener(progress.listener)
            process.pause()
        await asyncio.sleep(0)
    assert [text.split("\n") for text in found] == [[f"Steps  {pid}  paused" for pid in "abc"]]


def drawn(processes: list[Process], message: str | None = None) -> str:
    console = Console(file=io.StringIO(), width=100, record=True)
    screen = Screen(console)
    screen.message = message
    for process in processes:
        process.add_process_listener(screen.listener)
        process.pause("on hold")
    console.print(screen)
    return console.export_text()


def test_the_picture_has_a_row_for_each_process_and_a_message_below() -> None:
    text = drawn([Steps(pid="one"), Steps(pid="two")], "stopping: wait")

    assert [row.split()[1:4] for row in text.splitlines()[:2]] == [
        ["Steps", "one", "paused"],
        ["Steps", "two", "paused"],
    ]
    assert "on hold" in text
    assert text.rstrip().endswith("stopping: wait")


def test_of_many_processes_the_picture_counts_the_rest() -> None:
    text = drawn([Steps(pid=f"number{index}") for index in range(ROWS + 5)])

    assert "and 5 more" in text
    assert len(text.splitlines()) == ROWS + 1


def test_what_ended_is_counted_and_the_picture_is_gone_in_the_end() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    screen = Screen(console)
    process = Steps(pid="p")
    with screen:
        process.add_process_listener(screen.listener)
        process.pause()
        process.kill()
        console.print(screen)

    written = console.file.getvalue()  # type: ignore[attr-defined]
    assert "killed" in written
    assert "\x1b[?25h" in written  # the cursor is there again
