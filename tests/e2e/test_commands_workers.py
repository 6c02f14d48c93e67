"""`drupe workers`: who runs processes, who is silent, and who is blocked."""

import os
import signal
from pathlib import Path

import pytest

from drupe.version import __version__
from tests.cli.shell import Shell, line_with

pytestmark = pytest.mark.slow


@pytest.fixture
def drupe(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    shell("run", "flows.py:Double", "--input", "number=1")  # makes the store
    return shell


def test_a_worker_tells_of_itself_and_names_the_step_that_blocks_it(drupe: Shell) -> None:
    with drupe.started("worker", "--slots", "3", "--alone") as worker:
        name = line_with(worker.stdout, "worker").split()[1].rstrip(":")
        (found,) = drupe.ok("workers", "--json", "--check").json
        assert (found["name"], found["held"], found["answered"]) == (name, 0, True)
        assert (found["program"], found["version"]) == (worker.pid, __version__)
        assert (found["queue"], found["slots"], found["active"]) == ("tasks", 3, 0)
        assert found["left"] > 0
        assert drupe.ok("workers").out.endswith("waits for work\n")

        drupe.ok("submit", "flows.py:Gate")
        line_with(worker.stdout, "blocked")
        for _ in range(60):
            (found,) = drupe.ok("workers", "--json").json
            if found["blocked"] is not None:
                break
        assert (found["held"], found["active"], found["blocked"]["step"]) == (1, 1, "block")
        assert "by flows:Gate.block" in drupe.ok("workers").out
        drupe.open_gate()


def test_who_is_silent_is_listed_nevertheless_and_fails_the_check(drupe: Shell) -> None:
    with drupe.started("worker", "--alone") as worker:
        line_with(worker.stdout, "worker")
        os.kill(worker.pid, signal.SIGSTOP)
        (found,) = drupe.ok("workers", "--json").json
        assert found["answered"] is False
        silent = drupe("workers", "--check")
        assert silent.code == 12
        assert "does not answer" in silent.out
        assert silent.err == "no worker answers\n"


def test_nobody_is_no_line(drupe: Shell) -> None:
    assert drupe.ok("workers").out == ""
    assert drupe("workers", "--check").code == 12
