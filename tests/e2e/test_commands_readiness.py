"""A worker tells systemd, by a real socket, and whoever looks at a file, when it takes tasks and when no more."""

import os
import signal
from pathlib import Path

import pytest

from tests.cli.shell import Shell, children_of, line_with
from tests.e2e.manager import Manager

pytestmark = pytest.mark.slow

MORE = '''

class Tells(Process):
    """Tells which variables it was started with."""
    def run(self):
        return sorted(name for name in os.environ if name.startswith(("NOTIFY", "WATCHDOG", "DRUPE_")))

class Holds(Process):
    """Keeps Python's global lock for longer than anybody waits."""
    def run(self):
        import re
        note("holds")
        re.match(r"(a|a)+$", "a" * 40 + "b")
'''
BOTH = pytest.mark.parametrize("words", [(), ("--alone",)], ids=["parent", "alone"])


@pytest.fixture
def drupe(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path)
    with (tmp_path / "flows.py").open("a") as flows:
        flows.write(MORE)
    os.mkfifo(tmp_path / "pipe")
    return shell


@pytest.fixture
def manager(tmp_path):
    found = Manager(tmp_path / "notify")
    yield found
    found.close()


@BOTH
def test_systemd_hears_of_the_beginning_and_the_end_of_its_work(drupe: Shell, manager: Manager, words) -> None:
    with drupe.started("worker", *words, NOTIFY_SOCKET=manager.address) as worker:
        assert "take" in manager.heard("READY=1")
        assert drupe.ok("submit", "flows.py:Double", "--input", "number=1").err == "", "it takes tasks"
        drupe.ok("submit", "flows.py:Gate")
        line_with(worker.stdout, "blocked")
        worker.send_signal(signal.SIGTERM)
        assert "STATUS=running steps have time to end" in manager.heard("STOPPING=1"), "also while a step blocks"
        drupe.open_gate()
        assert worker.wait() == 0


@BOTH
def test_the_watchdog_is_fed_also_while_a_step_blocks_the_loop(drupe: Shell, manager: Manager, words) -> None:
    with drupe.started("worker", *words, NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="1000000") as worker:
        manager.heard("WATCHDOG=1")
        drupe.ok("submit", "flows.py:Gate")
        line_with(worker.stdout, "blocked")
        manager.drain()
        for _ in range(8):  # two of its times at least
            manager.heard("WATCHDOG=1")
        drupe.open_gate()
        line_with(worker.stderr, "finished")

    assert drupe.diary() == ["first", "block", "last"]


def test_a_child_that_is_not_well_for_as_long_as_the_watchdog_waits_has_a_successor(
    drupe: Shell, manager: Manager
) -> None:
    """Native code that keeps the global lock is left alone otherwise: nothing of it is frozen."""
    (drupe.folder / "drupe.toml").write_text("lease = 1\nattempts = 1\n")
    drupe.ok("submit", "flows.py:Holds")
    with drupe.started("worker", NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="1500000") as parent:
        line_with(parent.stderr, "has not been well for")
        line_with(parent.stderr, "another one is started")
        line_with(parent.stderr, "quarantined")
        assert "1 of 1" in manager.heard("READY=1")


@BOTH
def test_steps_see_nothing_of_how_their_worker_is_looked_after(drupe: Shell, manager: Manager, words) -> None:
    variables = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "60000000"}
    with drupe.started("worker", *words, **variables) as worker:
        manager.heard("READY=1")
        pid = drupe.ok("submit", "flows.py:Tells").out.strip()
        assert drupe.ok("wait", pid, "--deadline", "40", "--json").json["result"] == []
        if not words:
            (child,) = children_of(worker.pid)
            os.kill(child, signal.SIGKILL)
            manager.heard("READY=1")
            pid = drupe.ok("submit", "flows.py:Tells").out.strip()
            assert drupe.ok("wait", pid, "--deadline", "40", "--json").json["result"] == []


@BOTH
def test_the_file_is_there_as_long_as_tasks_are_taken(drupe: Shell, manager: Manager, words) -> None:
    ready = drupe.folder / "ready"
    ready.write_text("1\n")
    with drupe.started("worker", *words, "--ready-file", "ready", NOTIFY_SOCKET=manager.address) as worker:
        manager.heard("READY=1")
        line_with(worker.stdout, "worker")
        assert ready.read_text() == f"{worker.pid}\n"
        drupe.ok("submit", "flows.py:Gate")
        line_with(worker.stdout, "blocked")
        worker.send_signal(signal.SIGTERM)
        manager.heard("STOPPING=1")
        assert not ready.exists(), "it takes none while running steps end"
        drupe.open_gate()
        assert worker.wait() == 0

    assert not list(drupe.folder.glob("ready*"))


def test_the_file_is_away_while_there_is_no_child_at_work(drupe: Shell, manager: Manager) -> None:
    ready = drupe.folder / "ready"
    with drupe.started("worker", "--ready-file", "ready", NOTIFY_SOCKET=manager.address) as worker:
        manager.heard("READY=1")
        (child,) = children_of(worker.pid)
        os.kill(child, signal.SIGKILL)
        assert manager.heard("STATUS=0") == "STATUS=0 of 1 workers take tasks"
        assert not ready.exists()
        manager.heard("READY=1")
        assert ready.exists()


@pytest.mark.parametrize("file", ["gone/ready", "."])
def test_a_file_that_could_not_be_written_is_refused_at_once(drupe: Shell, file: str) -> None:
    answer = drupe("worker", "--ready-file", file)

    assert answer.code == 2
    assert "expected a file in a folder that can be written to" in answer.error
