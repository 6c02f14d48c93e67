"""Workers that a parent looks after: killed, frozen, blocked, told to stop, and left alone by it."""

import contextlib
import os
import pty
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.cli.shell import Shell, children_of, environment, line_with

pytestmark = pytest.mark.slow

LEASE = PATIENCE = 0.6


@pytest.fixture
def drupe(tmp_path: Path) -> Shell:
    (tmp_path / "drupe.toml").write_text(f"lease = {LEASE}\npatience = {PATIENCE}\n")
    os.mkfifo(tmp_path / "pipe")
    return Shell(tmp_path)


def at_work(parent) -> int:
    """Wait until a child is at work, and get its pid, with which the name of an owner begins."""
    return int(line_with(parent.stdout, "worker ").split()[1].partition("-")[0])


def test_a_child_that_is_killed_has_a_successor_which_goes_on(drupe: Shell) -> None:
    with drupe.started("worker", "--processes", "1") as parent:
        child = at_work(parent)
        pid = drupe.ok("submit", "flows.py:Gate").out.strip()
        line_with(parent.stdout, "blocked")
        os.kill(child, signal.SIGKILL)
        assert "ended (SIGKILL): another one is started" in line_with(parent.stderr, "another")
        assert at_work(parent) != child
        line_with(parent.stdout, "blocked")
        drupe.open_gate()
        assert drupe.ok("wait", pid, "--deadline", "40").out.startswith("state: finished")

        parent.send_signal(signal.SIGTERM)
        assert parent.wait() == 0

    assert drupe.diary() == ["first", "block", "block", "last"]


def test_a_child_that_is_frozen_is_ended(drupe: Shell) -> None:
    with drupe.started("worker", "--processes", "2") as parent:
        children = {at_work(parent), at_work(parent)}
        frozen = min(children)
        os.kill(frozen, signal.SIGSTOP)
        assert f"worker {frozen} has been stopped" in line_with(parent.stderr, "stopped")
        assert at_work(parent) not in children


def test_a_child_in_a_step_that_blocks_for_many_leases_is_left_alone_and_loses_none(drupe: Shell) -> None:
    with drupe.started("worker", "--processes", "1") as parent:
        at_work(parent)
        pid = drupe.ok("submit", "flows.py:Gate").out.strip()
        line_with(parent.stdout, "blocked")
        (owner,) = {row["owner"] for row in drupe.ok("ps", "--json").json}
        for _ in range(100):
            (status,) = drupe.ok("status", pid, "--json").json
            if status["blocked"] and status["blocked"]["seconds"] > 6 * LEASE:
                break
        assert (status["owner"], status["blocked"]["step"]) == (owner, "block")
        drupe.open_gate()
        drupe.ok("wait", pid, "--deadline", "40")

    assert drupe.diary() == ["first", "block", "last"]


def test_a_signal_lets_running_steps_end_and_a_second_one_does_not(drupe: Shell) -> None:
    for signals, code, steps in ((1, 0, ["first", "block"]), (2, 130, ["first", "block", "first", "block"])):
        with drupe.started("worker", "--processes", "1") as parent:
            at_work(parent)
            drupe.ok("submit", "flows.py:Gate")
            line_with(parent.stdout, "blocked")
            parent.send_signal(signal.SIGINT)
            line_with(parent.stderr, "stopping")
            if signals == 2:
                parent.send_signal(signal.SIGINT)
            else:
                drupe.open_gate()
            assert parent.wait() == code
        drupe.ok("kill", "--all")
        assert drupe.diary() == steps


def test_children_end_when_their_parent_does(drupe: Shell) -> None:
    with drupe.started("worker", "--processes", "2") as parent:
        at_work(parent)
        at_work(parent)
        parent.kill()

        parent.stdout.read()  # up to its end: nobody has it open any more


def test_a_parent_whose_children_never_get_to_work_gives_up(drupe: Shell) -> None:
    (drupe.folder / "dies.py").write_text("import os\nos._exit(3)\n")

    answer = drupe("worker", "--import", "dies")

    assert answer.code == 13
    assert "giving up" in answer.err
    assert answer.err.count("a worker ended (exit code 3)") == 4


def test_what_cannot_be_mended_by_another_worker_is_not_tried_again(drupe: Shell) -> None:
    (drupe.folder / ".drupe").mkdir(mode=0o700)
    (drupe.folder / ".drupe/store.db").write_bytes(b"no database" * 100)

    answer = drupe("worker", "--processes", "2")

    assert answer.code == 6
    assert answer.err.count("error: ") in (1, 2)  # each may have said it before the first was heard


def test_one_worker_has_a_parent_too_which_has_imported_next_to_nothing(drupe: Shell) -> None:
    with drupe.started("worker") as parent:
        child = at_work(parent)
        assert children_of(parent.pid) == [child]
        mapped = Path(f"/proc/{parent.pid}/maps").read_text()
        assert "msgspec" not in mapped
        assert "sqlite" not in mapped
        assert resident(parent.pid) < resident(child) / 2
        os.kill(child, signal.SIGKILL)
        assert at_work(parent) != child
        parent.send_signal(signal.SIGTERM)
        assert parent.wait() == 0


def resident(pid: int) -> int:
    """Kilobytes of memory that a program has for itself."""
    return int(re.search(r"RssAnon:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())[1])


def test_without_a_parent_a_worker_that_is_killed_is_gone(drupe: Shell) -> None:
    with drupe.started("worker", "--alone") as worker:
        assert at_work(worker) == worker.pid
        assert children_of(worker.pid) == []
        worker.kill()
        assert worker.wait() == -signal.SIGKILL


def test_several_that_have_no_parent_are_refused(drupe: Shell) -> None:
    answer = drupe("worker", "--alone", "--processes", "2")

    assert answer.code == 2
    assert "--processes takes one" in answer.error


def test_what_is_wrong_with_the_settings_is_told_once(drupe: Shell) -> None:
    (drupe.folder / "drupe.toml").write_text("patience = 'much'\n")

    answer = drupe("worker", "--processes", "2")

    assert answer.code == 2
    assert "setting patience" in answer.error


def test_a_parent_whose_words_nobody_reads_goes_on(drupe: Shell) -> None:
    with drupe.started("worker") as parent:
        child = at_work(parent)
        parent.stderr.close()
        os.kill(child, signal.SIGKILL)
        assert at_work(parent) != child
        parent.send_signal(signal.SIGTERM)
        assert parent.wait() == 0


def test_a_signal_that_comes_to_parent_and_children_is_one(drupe: Shell) -> None:
    """As systemd sends it by default; the second one that a child got ended it in the middle of its step."""
    with drupe.started("worker") as parent:
        child = at_work(parent)
        drupe.ok("submit", "flows.py:Gate")
        line_with(parent.stdout, "blocked")
        for pid in (child, parent.pid):
            os.kill(pid, signal.SIGTERM)
        line_with(parent.stderr, "stopping")
        drupe.ok("ps")  # it takes more than the time in which a signal is handed on
        os.kill(child, signal.SIGTERM)
        drupe.open_gate()
        assert parent.wait() == 0

    assert drupe.diary() == ["first", "block"]


def test_a_terminal_that_stops_those_in_the_background_does_not_stop_a_worker(drupe: Shell) -> None:
    """A child is in a process group of its own, and writes."""
    command = f"stty tostop; exec {sys.executable} -m drupe worker"
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(drupe.folder)
        os.execve("/bin/sh", ["sh", "-c", command], environment())
    with os.fdopen(terminal, "rb", buffering=0) as said:
        found = b""
        while b"slots" not in found:
            found += said.read(1000)
        os.kill(pid, signal.SIGTERM)
        with contextlib.suppress(OSError):  # the other side is closed
            while said.read(1000):
                pass
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
