"""Workers that a parent looks after: killed, frozen, blocked, told to stop, and left alone by it."""

import os
import signal
from pathlib import Path

import pytest

from tests.cli.shell import Shell, line_with

pytestmark = pytest.mark.slow

LEASE = 0.6


@pytest.fixture
def drupe(tmp_path: Path) -> Shell:
    (tmp_path / "drupe.toml").write_text(f"lease = {LEASE}\n")
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
    (drupe.folder / ".drupe").mkdir(mode=0o700)
    (drupe.folder / ".drupe/store.db").write_bytes(b"no database" * 100)

    answer = drupe("worker", "--processes", "1")

    assert answer.code == 13
    assert "giving up" in answer.err
    assert answer.err.count("error: ") == 5
