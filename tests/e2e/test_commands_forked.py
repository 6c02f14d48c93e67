"""A worker is killed while a program lives on that one of its steps forked: others take over at once."""

import os
import signal

import pytest

from tests.cli.shell import Shell, line_with, worker

pytestmark = pytest.mark.slow

FORKING = '''

class Forking(Process):
    """Forks a program, once, that stays when the worker is killed."""
    def run(self):
        if not Path("child").exists():
            if (child := os.fork()) == 0:
                os.read(os.open("pipe", os.O_RDWR), 1)
                os._exit(0)
            Path("child.new").write_text(str(child))
            Path("child.new").rename("child")
            print("forked", flush=True)
            with open("pipe") as pipe:
                pipe.read()
        return os.getpid()
'''


@pytest.fixture
def drupe(tmp_path):
    shell = Shell(tmp_path)
    with (tmp_path / "flows.py").open("a") as flows:
        flows.write(FORKING)
    os.mkfifo(tmp_path / "pipe")
    return shell


def test_a_worker_that_was_killed_is_known_to_be_dead_though_its_child_lives(drupe):
    (drupe.folder / "drupe.toml").write_text("lease = 300\n")
    with worker(drupe, "--alone") as first:
        pid = drupe.ok("submit", "flows.py:Forking").out.strip()
        line_with(first.stdout, "forked")
        child = int((drupe.folder / "child").read_text())
        try:
            with worker(drupe, "--alone") as second:
                first.send_signal(signal.SIGKILL)
                first.wait()
                ended = drupe.ok("wait", pid, "--deadline", "40")
                assert f"result: {second.pid}" in ended.out
                os.kill(child, 0)  # it was there all the time
        finally:
            os.kill(child, signal.SIGKILL)
