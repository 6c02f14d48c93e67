"""Processes that run elsewhere: submitted, watched and steered from a second terminal, whatever becomes of their workers."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.cli.shell import Shell, line_with, worker

pytestmark = pytest.mark.slow

MORE = '''

from drupe import Wait

class Approval(Process):
    """Waits until somebody says yes."""
    def run(self):
        return Wait(self.end, msg="approval", signal="approve")

    def end(self, who):
        note(f"approved-by-{who}")
        return f"approved by {who}"

class Family(WorkChain):
    """Waits for two who wait."""
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.outline(cls.ask)

    def ask(self):
        return ToContext(both=[self.submit(Approval) for _ in range(2)])
'''


@pytest.fixture
def drupe(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path)
    with (tmp_path / "flows.py").open("a") as flows:
        flows.write(MORE)
    os.mkfifo(tmp_path / "pipe")
    return shell


def submit(drupe: Shell, kind: str, *words: str) -> str:
    return drupe.ok("submit", f"flows.py:{kind}", *words).out.strip()


def until(drupe: Shell, pid: str, **wanted: object) -> dict[str, object]:
    """Ask for the status until it is as wanted; the asking itself takes its time."""
    for _ in range(60):
        (status,) = drupe.ok("status", pid, "--json").json
        if all(status[name] == value for name, value in wanted.items()):
            return status
    raise AssertionError(status)


def test_what_is_submitted_waits_for_a_worker_and_is_run_by_it(drupe: Shell) -> None:
    waits = drupe.ok("submit", "flows.py:Double", "--input", "number=4")
    early = waits.out.strip()
    assert "no worker has taken it" in waits.err

    with worker(drupe):
        assert drupe.ok("wait", early, "--deadline", "30").out.splitlines()[-2:] == [
            "outputs.double: 8.0",
            "result: done",
        ]
        chain = drupe.ok("submit", "flows.py:Sum", "--wait", "--deadline", "30", "--json")

    assert chain.json["outputs"] == {"found": {"sum": 6.0}}


def test_the_exit_code_of_a_wait_is_that_of_the_end(drupe: Shell) -> None:
    with worker(drupe):
        assert drupe("submit", "flows.py:Bad", "--wait", "--deadline", "30").code == 3
        assert drupe("wait", submit(drupe, "Killer"), "--deadline", "30").code == 4
        assert drupe("wait", submit(drupe, "Unlucky"), "--deadline", "30").code == 5
        waiting = drupe("wait", submit(drupe, "Approval"), "--deadline", "0.1")

    assert waiting.code == 10
    assert "has not ended" in waiting.error


def test_what_does_not_fit_is_refused_before_anybody_is_asked(drupe: Shell) -> None:
    answer = drupe("submit", "flows.py:Double", "--input", "number=much")

    assert answer.code == 2
    assert "number" in answer.error
    assert not (drupe.folder / ".drupe" / "store.db").exists()


def test_submitting_twice_with_one_pid_makes_one_process(drupe: Shell) -> None:
    with worker(drupe):
        for _ in range(2):
            drupe.ok("submit", "flows.py:Double", "--input", "number=1", "--pid", "once", "--wait", "--deadline", "30")

    assert [row["pid"] for row in drupe.ok("ps", "--json").json] == ["once"]


def test_a_process_is_paused_played_and_killed_from_elsewhere(drupe: Shell) -> None:
    with worker(drupe):
        pid = submit(drupe, "Approval")
        until(drupe, pid, state="waiting")

        assert drupe.ok("pause", pid, "--reason", "lunch").out == f"{pid}  paused\n"
        assert until(drupe, pid, paused=True)["status"] == "lunch"
        assert drupe.ok("play", pid).out == f"{pid}  played\n"
        assert drupe.ok("kill", pid, "--reason", "enough").out == f"{pid}  killed\n"
        refused = drupe("pause", pid)

    assert (refused.code, refused.out) == (11, f"{pid}  refused: the process is killed\n")
    assert drupe.ok("kill", pid).out == f"{pid}  killed\n"
    assert drupe.ok("show", pid, "--json").json["state"] == "killed"


def test_a_signal_is_taken_once_whether_it_comes_early_or_late(drupe: Shell) -> None:
    with worker(drupe, "--alone") as command:
        late = submit(drupe, "Approval")
        until(drupe, late, state="waiting")
        assert drupe.ok("signal", late, "approve", '"Ada"').out == f"{late}  taken\n"
        assert drupe.ok("wait", late, "--deadline", "30").out.splitlines()[-1] == "result: approved by Ada"
        other = submit(drupe, "Approval")
        until(drupe, other, state="waiting")
        command.kill()
        command.wait()
    early = drupe.ok("signal", other, "approve", "Bob", "--deadline", "0.2")
    assert early.out.startswith(f"{other}  sent")

    with worker(drupe):
        assert drupe.ok("wait", other, "--deadline", "30").out.splitlines()[-1] == "result: approved by Bob"

    assert drupe.diary() == ["approved-by-Ada", "approved-by-Bob"]


def test_many_are_steered_at_once_and_with_what_came_from_them(drupe: Shell) -> None:
    with worker(drupe, "--slots", "2"):
        parent = submit(drupe, "Family")
        until(drupe, parent, state="waiting")
        alone = submit(drupe, "Approval")
        until(drupe, alone, state="waiting")

        paused = drupe.ok("pause", "--class", "flows:Approval", "--json").json
        assert {receipt["outcome"] for receipt in paused} == {"applied"}
        assert len(paused) == 3
        killed = drupe.ok("kill", parent, "--cascade", "--json").json
        assert len(killed) == 3
        assert drupe.ok("kill", "--all").out == f"{alone}  killed\n"

    assert {row["state"] for row in drupe.ok("ps", "--json").json} == {"killed"}
    assert drupe.ok("kill", "--all").out == ""


def test_what_nobody_runs_is_steered_in_the_store(drupe: Shell) -> None:
    with worker(drupe) as command:
        pid = submit(drupe, "Approval")
        until(drupe, pid, state="waiting")
        command.send_signal(signal.SIGTERM)
        assert command.wait() == 0

    assert drupe.ok("pause", pid).out == f"{pid}  paused\n"
    assert drupe.ok("kill", pid).out == f"{pid}  killed\n"
    assert drupe.ok("show", pid, "--json").json["state"] == "killed"


def test_a_killed_worker_costs_its_processes_only_the_running_step(drupe: Shell) -> None:
    with worker(drupe, "--alone") as first:
        pid = submit(drupe, "Gate")
        line_with(first.stdout, "blocked")
        with worker(drupe) as second:
            first.kill()
            line_with(second.stdout, "blocked")
            drupe.open_gate()
            assert drupe.ok("wait", pid, "--deadline", "30").out.splitlines()[0] == "state: finished"

    assert drupe.diary() == ["first", "block", "block", "last"]


def test_a_step_that_blocks_is_named_while_it_blocks(drupe: Shell) -> None:
    with worker(drupe) as command:
        pid = submit(drupe, "Gate")
        line_with(command.stdout, "blocked")
        for _ in range(60):
            (status,) = drupe.ok("status", pid, "--json").json
            if status["blocked"]:
                break
        assert (status["blocked"]["kind"], status["blocked"]["step"]) == ("flows:Gate", "block")
        assert 'open("pipe")' in status["blocked"]["stack"]
        asked = drupe.ok("pause", pid, "--deadline", "0.2")
        assert asked.out == f"{pid}  pause requested: it comes when the running step ends\n"
        drupe.open_gate()
        until(drupe, pid, blocked=None)


def test_a_worker_that_is_to_stop_waits_for_running_steps_and_begins_none(drupe: Shell) -> None:
    with worker(drupe, "--grace", "30") as command:
        pid = submit(drupe, "Gate")
        line_with(command.stdout, "blocked")
        command.send_signal(signal.SIGTERM)
        line_with(command.stderr, "stopping")
        drupe.open_gate()
        assert command.wait() == 0

    assert drupe.diary() == ["first", "block"]
    assert drupe.ok("resume", pid).out.splitlines()[-1] == "state: finished"
    assert drupe.diary() == ["first", "block", "last"]


def test_a_worker_ends_in_time_also_if_a_step_blocks_it_for_good(drupe: Shell) -> None:
    with worker(drupe, "--grace", "0") as command:
        pid = submit(drupe, "Gate")
        line_with(command.stdout, "blocked")
        command.send_signal(signal.SIGTERM)
        assert f"abandoned: Gate ({pid[-8:]})" in line_with(command.stderr, "abandoned")
        assert command.wait() == 0

    assert drupe.ok("show", pid, "--json").json["owner"] is None
    with drupe.blocked("resume", pid) as (resumed, _):
        drupe.open_gate()
        assert resumed.wait() == 0
    assert drupe.diary() == ["first", "block", "block", "last"]


def test_changes_are_watched_as_they_come(drupe: Shell) -> None:
    with worker(drupe):
        pid = submit(drupe, "Approval")
        until(drupe, pid, state="waiting")
        with drupe.started("watch", pid, "--json") as watching:
            assert json.loads(watching.stdout.readline())["event"] == "created"
            line_with(watching.stdout, '"waiting"')
            drupe.ok("signal", pid, "approve", "Ada")
            assert json.loads(line_with(watching.stdout, '"finished"'))["pid"] == pid
            assert watching.wait() == 0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("pause",), "name processes"),
        (("kill", "x", "--all"), "name processes"),
        (("status", "nobody"), "no process"),
        (("worker", "--slots", "0"), "slots"),
        (("worker", "--broker", "ftp://x"), "amqp"),
        (("submit", "flows.py:Nothing"), "Nothing"),
    ],
)
def test_what_cannot_be_asked_is_told_in_a_line(drupe: Shell, words: tuple[str, ...], why: str) -> None:
    drupe("run", "flows.py:Double", "--input", "number=1")

    answer = drupe(*words)

    assert answer.code in (2, 8)
    assert why in answer.error
