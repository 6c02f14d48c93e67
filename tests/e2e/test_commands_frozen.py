"""A worker that is stopped in the middle of a write keeps everybody else on its machine from writing: not for long."""

import contextlib
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.shell import Shell, children_of, line_with

pytestmark = pytest.mark.slow

PATIENCE = 1.0

MORE = '''

class Long(Process):
    """Writes for long, in the transaction of its step; the second time there is nothing to be done."""
    def run(self):
        note("long")
        if Path("once").exists():
            return
        Path("once").touch()
        with self.transaction() as transaction:
            transaction.execute("CREATE TABLE IF NOT EXISTS mine (n INTEGER)")
            transaction.execute(
                "INSERT INTO mine WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c WHERE n < 1000000000)"
                " SELECT max(n) FROM c"
            )
'''


@pytest.fixture
def drupe(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path)
    (tmp_path / "drupe.toml").write_text(f"patience = {PATIENCE}\n")
    with (tmp_path / "flows.py").open("a") as flows:
        flows.write(MORE)
    return shell


def can_write(folder: Path, *, wait: float) -> bool:
    """Tell whether somebody else gets the lock for writing within some seconds."""
    with contextlib.closing(sqlite3.connect(folder / ".drupe/store.db", timeout=wait, isolation_level=None)) as db:
        try:
            db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            return False
        db.execute("ROLLBACK")
        return True


@contextlib.contextmanager
def stopped_in_a_write(drupe: Shell, child: int) -> Iterator["subprocess.Popen[str]"]:
    """Have a child write, and stop it meanwhile; get the command that waits for the end of what wrote."""
    with drupe.started("submit", "flows.py:Long", "--wait", "--deadline", "40") as submitting:
        while not (drupe.folder / "once").exists() or can_write(drupe.folder, wait=0):
            pass
        while True:
            os.kill(child, signal.SIGSTOP)
            if not can_write(drupe.folder, wait=0.3):
                break
            os.kill(child, signal.SIGCONT)  # it was just about to begin
        yield submitting


def test_others_can_write_again_once_its_parent_has_ended_it(drupe: Shell) -> None:
    with drupe.started("worker") as parent:
        line_with(parent.stdout, "worker ")
        (child,) = children_of(parent.pid)
        with stopped_in_a_write(drupe, child) as submitting:
            assert can_write(drupe.folder, wait=PATIENCE + 5)
            assert submitting.wait() == 0

        assert f"worker {child} has been stopped for {PATIENCE:g} s" in line_with(parent.stderr, "stopped")
        assert "SIGKILL" in line_with(parent.stderr, "another one is started")
        parent.send_signal(signal.SIGTERM)
        assert parent.wait() == 0

    assert drupe.diary() == ["long", "long"]


def test_without_a_parent_they_cannot(drupe: Shell) -> None:
    """So that the test above can fail."""
    with drupe.started("worker", "--alone") as worker:
        line_with(worker.stdout, "worker ")
        with stopped_in_a_write(drupe, worker.pid):
            assert not can_write(drupe.folder, wait=2 * PATIENCE)


def test_a_child_that_is_stopped_for_less_long_is_left_alone(drupe: Shell) -> None:
    (drupe.folder / "drupe.toml").write_text("patience = 60\n")
    with drupe.started("worker") as parent:
        line_with(parent.stdout, "worker ")
        (child,) = children_of(parent.pid)
        os.kill(child, signal.SIGSTOP)
        (found,) = drupe.ok("workers", "--json").json  # it waits for an answer for two seconds
        assert not found["answered"]
        os.kill(child, signal.SIGCONT)
        drupe.ok("submit", "flows.py:Double", "--input", "number=1", "--wait", "--deadline", "40")
        assert children_of(parent.pid) == [child]
