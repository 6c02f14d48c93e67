"""The commands as somebody at a terminal sees them: pictures instead of lines, short pids, signs and tables."""

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.shell import Shell, environment

pytestmark = pytest.mark.slow

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A terminal of 100 columns, on which a command is given; what it writes is read as it comes."""

    def __init__(self, folder: Path, *words: str, **variables: str) -> None:
        self._ours, theirs = pty.openpty()
        inherited = {name: value for name, value in environment().items() if name != "NO_COLOR"}
        self.command = subprocess.Popen(
            [sys.executable, "-m", "drupe", *words],
            cwd=folder,
            env=inherited | {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"} | variables,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self.raw = ""

    def until(self, word: str | None) -> str:
        """Read until a word comes, or to the end."""
        while word is None or word not in self.raw:
            try:
                read = os.read(self._ours, 65536)
            except OSError:  # the other side is closed
                break
            if not read:
                break
            self.raw += read.decode(errors="replace")
        assert word is None or word in self.raw, self.raw
        return re.sub(r" +\n", "\n", CONTROL.sub("", self.raw).replace("\r", ""))

    def end(self) -> tuple[int, str]:
        """Read to the end, and get the exit code and what was seen."""
        seen = self.until(None)
        os.close(self._ours)
        return self.command.wait(), seen


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    shell = Shell(tmp_path_factory.mktemp("used"))
    shell.ok("run", "flows.py:Sum")
    shell("run", "flows.py:Bad", "--pid", "bad")
    return shell


def seen(shell: Shell, *words: str, **variables: str) -> str:
    code, text = Terminal(shell.folder, *words, **variables).end()
    assert code == 0, text
    return text


def test_a_run_ends_with_a_table_of_outputs(tmp_path: Path) -> None:
    text = seen(Shell(tmp_path), "run", "flows.py:Sum")

    assert re.match(r"[0-9a-f]{32}\n", text)
    assert "✓ finished after" in text
    assert re.search(r"^  found\.sum +6\.0$", text, re.MULTILINE)


def test_a_run_that_failed_says_where_the_traceback_is(tmp_path: Path) -> None:
    code, text = Terminal(Shell(tmp_path).folder, "run", "flows.py:Bad", "--pid", "bad").end()

    assert code == 3
    assert "✗ excepted" in text
    assert "ValueError: it went wrong" in text
    assert "drupe show bad has the traceback" in text
    assert "Traceback" not in text


def test_an_interrupt_says_what_is_waited_for_and_the_cursor_comes_back(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    terminal = Terminal(tmp_path, "run", "flows.py:Gate")
    terminal.until("blocked")
    terminal.command.send_signal(signal.SIGINT)
    terminal.until("waiting for Gate.block")
    terminal.command.send_signal(signal.SIGINT)
    code, _ = terminal.end()

    assert code == -signal.SIGINT
    assert terminal.raw.rindex("\x1b[?25h") > terminal.raw.rindex("\x1b[?25l")
    assert shell.diary() == ["first", "block"]


def test_ps_is_a_table_with_short_pids_and_signs(used: Shell) -> None:
    text = seen(used, "ps")

    assert re.search(r"bad +Bad +✗ excepted +3 +\d+ (s|min) ago", text)
    assert re.search(r"^ [0-9a-f]{8}   Double   ✓ finished .* [0-9a-f]{8}", text, re.MULTILINE)


def test_show_has_values_children_and_a_traceback(used: Shell) -> None:
    (total,) = used.ok("ps", "--class", "flows:Sum", "--json").json

    process, bad = seen(used, "show", total["pid"]), seen(used, "show", "bad")

    assert re.search(r"inputs\n +numbers +\[1\.0, 2\.0\]", process)
    assert re.search(r"children\n( +[0-9a-f]{8}  Double  ✓ finished\n){2}", process)
    assert "{'double': 2.0}" in process
    assert "Traceback (most recent call last)" in bad


def test_show_draws_a_class(used: Shell) -> None:
    text = seen(used, "show", "flows.py:Sum")

    assert re.search(r"numbers +list +default computed", text)
    assert re.search(r"outline\n  start\n  add", text)


def test_history_and_config_are_tables(used: Shell) -> None:
    assert re.search(r"1 +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} +\+0\.000 s +○ created", seen(used, "history", "bad"))
    assert re.search(r"lease +3\.0 +\$DRUPE_LEASE", seen(used, "config", DRUPE_LEASE="3"))


@pytest.mark.parametrize(("flags", "variables"), [(["--no-color"], {}), ([], {"NO_COLOR": "1"})])
def test_colours_can_be_switched_off(used: Shell, flags: list[str], variables: dict[str, str]) -> None:
    plain, colourful = Terminal(used.folder, "ps", *flags, **variables), Terminal(used.folder, "ps")
    plain.end()
    colourful.end()

    assert "\x1b[32m" in colourful.raw
    assert "\x1b[32m" not in plain.raw


def test_the_demonstration_is_a_picture(tmp_path: Path) -> None:
    text = seen(Shell(tmp_path), "demo")

    assert "SIGKILL to worker" in text
    # Which slices were in a step when the kill came is chance; that one was cut off and went on is not.
    assert re.search(r"slice \d  (■ )*✗ (■ ?)+\n", text)
    assert "✓ no step that was committed ran again" in text
