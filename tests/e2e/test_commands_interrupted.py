"""Ctrl-C, SIGTERM and SIGKILL against real commands: what was committed is not run again, what was not is."""

import signal
import subprocess
from pathlib import Path

import pytest

from drupe.storage.sqlite.store import SqliteStore
from tests.cli.shell import SIGNALS, Shell, line_with

pytestmark = pytest.mark.slow


@pytest.fixture
def drupe(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def finish(drupe: Shell, pid: str) -> None:
    """Resume a process that begins with the step that blocks, and let it go on to its end."""
    with drupe.blocked("resume", pid) as (command, resumed):
        assert resumed == pid
        drupe.open_gate()
        assert command.wait() == 0


@pytest.mark.parametrize("number", SIGNALS.values(), ids=SIGNALS)
def test_the_first_interrupt_waits_for_the_running_step_and_starts_no_new_one(drupe: Shell, number: int) -> None:
    with drupe.blocked() as (command, pid):
        command.send_signal(number)
        stopping = line_with(command.stderr, "stopping")
        assert command.poll() is None
        drupe.open_gate()
        out, err = command.communicate()

    assert f"waiting for Gate.block ({pid[-8:]})" in stopping
    assert command.returncode == 130
    assert out.splitlines()[-1] == "state: running"
    assert err.splitlines()[-1] == f"interrupted; resume with: drupe resume {pid[-8:]}"
    assert drupe.ok("resume", pid).out.splitlines()[-1] == "state: finished"
    assert drupe.diary() == ["first", "block", "last"]


def test_the_second_interrupt_ends_at_once_inside_a_step_that_blocks(drupe: Shell) -> None:
    with drupe.blocked() as (command, pid):
        command.send_signal(signal.SIGINT)
        line_with(command.stderr, "stopping")
        command.send_signal(signal.SIGINT)
        assert command.wait() == -signal.SIGINT

    assert drupe.ok("show", pid, "--json").json["state"] == "running"
    finish(drupe, pid)
    assert drupe.diary() == ["first", "block", "block", "last"]


def test_a_killed_command_is_resumed_where_it_was(drupe: Shell) -> None:
    with drupe.blocked() as (command, pid):
        command.kill()
        assert command.wait() == -signal.SIGKILL

    finish(drupe, pid)

    assert drupe.diary() == ["first", "block", "block", "last"]
    assert drupe.ok("show", pid, "--json").json["state"] == "finished"


def test_an_interrupted_command_for_programs_still_writes_one_object(drupe: Shell) -> None:
    subprocess.run(["mkfifo", str(drupe.folder / "pipe")], check=True)
    with drupe.started("run", "flows.py:Gate", "--json") as command:
        line_with(command.stderr, "blocked")
        command.send_signal(signal.SIGINT)
        line_with(command.stderr, "stopping")
        drupe.open_gate()
        out, _ = command.communicate()

    assert command.returncode == 130
    assert '"state": "running"' in out
    assert out.startswith("{")


def test_an_interrupt_while_nothing_runs_ends_at_once(drupe: Shell) -> None:
    (drupe.folder / "waiter.py").write_text(
        "from drupe import Process, Wait\n"
        "class Waiter(Process):\n"
        "    def run(self): return Wait(self.go, 'for ever')\n"
        "    def go(self): pass\n"
    )
    with drupe.started("run", "waiter.py:Waiter") as command:
        line_with(command.stderr, "waiting")
        command.send_signal(signal.SIGINT)
        assert "no step is running" in line_with(command.stderr, "stopping")
        assert command.wait() == 130


def test_an_interrupt_during_an_import_is_one_line(drupe: Shell) -> None:
    subprocess.run(["mkfifo", str(drupe.folder / "pipe")], check=True)
    (drupe.folder / "slow.py").write_text("import sys\nprint('here', file=sys.stderr, flush=True)\nopen('pipe')\n")
    with drupe.started("run", "slow.py:Slow") as command:
        line_with(command.stderr, "here")
        command.send_signal(signal.SIGINT)
        assert command.stderr is not None
        assert command.stderr.read() == "error: interrupted\n"
        assert command.wait() == 130


async def test_a_command_whose_process_was_taken_over_says_so_and_ends(drupe: Shell) -> None:
    (drupe.folder / "waiter.py").write_text(
        "from drupe import Process, Wait\n"
        "class Waiter(Process):\n"
        "    def run(self): return Wait(self.go, 'for ever')\n"
        "    def go(self): pass\n"
    )
    (drupe.folder / "drupe.toml").write_text("lease = 0.3")
    with drupe.started("run", "waiter.py:Waiter", "--pid", "mine") as command:
        line_with(command.stderr, "waiting")
        store = SqliteStore(drupe.folder / ".drupe" / "store.db")
        await store.open()
        owner = (await store.record("mine")).owner
        assert owner is not None
        await store.join("thief", lease=60)
        await store.claim("mine", owner="thief", dead=[owner])
        await store.close()
        assert "process mine" in line_with(command.stderr, "error: ")
        assert command.wait() == 7


def test_a_process_that_runs_is_left_to_its_owner(drupe: Shell) -> None:
    with drupe.blocked() as (command, pid):
        other = drupe("resume", pid)
        assert other.code == 7
        assert "owned by" in other.err
        drupe.open_gate()
        assert command.wait() == 0

    assert drupe.diary() == ["first", "block", "last"]
