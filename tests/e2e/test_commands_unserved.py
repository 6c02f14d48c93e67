"""What no worker can run, and what nobody takes, is shown to a person, with what to do."""

import subprocess
import sys

import pytest

from tests.cli.shell import Shell, environment, line_with, worker

pytestmark = pytest.mark.slow

ONCE = """

class Once(Process):
    version = {}
    def run(self):
        Path("ran").touch()
"""
MAKE = """
import asyncio, flows
from drupe.service import profile, wiring

async def make():
    async with wiring.open_runner(profile.load()) as runner:
        print((await runner.create(flows.Once)).pid)

asyncio.run(make())
"""
VERSION = "no worker for flows:Once v3"
START = "no worker is running; start one with: drupe worker"
NOBODY = f"{START}, or have it run here with: drupe resume PID"


@pytest.fixture
def drupe(tmp_path):
    shell = Shell(tmp_path)
    shell.ok("run", "flows.py:Double", "--input", "number=1")  # puts the file on the project's list
    return shell


@pytest.fixture
def left(drupe):
    """The pid of a process of version 3 of a class whose code in the folder is version 2."""
    flows = drupe.folder / "flows.py"
    text = flows.read_text()
    flows.write_text(text + ONCE.format(3))
    made = subprocess.run(
        [sys.executable, "-c", MAKE], cwd=drupe.folder, env=environment(), capture_output=True, text=True, check=True
    )
    flows.write_text(text + ONCE.format(2))
    return made.stdout.strip()


def test_what_no_worker_can_run_is_said_wherever_a_person_looks(drupe, left):
    assert f"  nobody goes on with it: {NOBODY}\n" in drupe.ok("status", left).out
    assert f"lacks: {NOBODY}\n" in drupe.ok("show", left).out
    listed = drupe.ok("ps")
    assert "no worker" not in listed.out
    assert listed.err == f"{NOBODY}\n"
    assert "care stuck: 1 could go on, and no worker is running" in drupe.ok("doctor").out

    with worker(drupe, "--alone") as older:
        assert f"{left} is left as it is" in line_with(older.stderr, "left as it is")
        (status,) = drupe.ok("status", left, "--json").json
        assert status["lack"]["said"] == VERSION
        assert status["lack"]["advice"] == "the newest has v2 of it: start workers anew with newer code"
        assert drupe.ok("show", left, "--json").json["lack"]["said"] == VERSION
        listed = drupe.ok("ps", "--json").json
        assert [row.get("lack", {}).get("said") for row in listed] == [VERSION, None]
        assert f"care stuck: 1 could go on, and {VERSION}" in drupe.ok("doctor").out
        assert drupe.ok("workers").err.startswith(f"{VERSION}; the newest has v2 of it")

    (drupe.folder / "flows.py").write_text(
        (drupe.folder / "flows.py").read_text().replace("version = 2", "version = 3")
    )
    with worker(drupe, "--alone"):
        drupe.ok("wait", left, "--deadline", "30")
    assert (drupe.folder / "ran").exists()
    assert drupe.ok("ps").err == ""


def test_a_class_that_no_worker_has_is_to_be_imported(drupe, left):
    text = (drupe.folder / "flows.py").read_text()
    (drupe.folder / "flows.py").write_text(text.replace("class Once", "class Twice"))

    with worker(drupe, "--alone") as other:
        line_with(other.stderr, "left as it is")
        found = drupe.ok("status", left).out

    assert f"  nobody goes on with it: {VERSION}; start one that has it: drupe worker --import FILE\n" in found


def test_what_lies_in_a_queue_is_looked_at_and_steered_and_run_as_it_was_left(drupe):
    pids = [drupe.ok("submit", "flows.py:Double", "--input", f"number={number}").out.strip() for number in (1, 2, 3)]
    killed, paused, left = pids
    assert f"{left}  flows:Double  created\n  step: run\n  in the queue tasks: no worker has taken it so far\n" in (
        drupe.ok("status", left).out
    )
    assert line_with(drupe.ok("ps").out.splitlines(), left).endswith("  in a queue")
    other = drupe.ok("submit", "flows.py:Double", "--input", "number=4", "--queue", "gpu").out.strip()
    assert line_with(drupe.ok("ps").out.splitlines(), other).endswith("  in the queue gpu")
    assert drupe.ok("kill", killed, "--reason", "not needed").out == f"{killed}  killed\n"
    drupe.ok("pause", paused)

    with worker(drupe):
        drupe.ok("wait", left)
        assert "not needed" in drupe("wait", killed).out
        assert "created, paused" in drupe.ok("status", paused).out
        drupe.ok("play", paused)
        drupe.ok("wait", paused)
    assert "running" not in drupe.ok("history", killed).out


def test_what_is_submitted_to_nobody_says_so(drupe):
    words = ("submit", "flows.py:Double", "--input", "number=1")

    assert drupe.ok(*words).err.endswith(f"it lies in the queue 'tasks' until one does: {START}\n")
    waits = drupe(*words, "--wait", "--deadline", "4")
    assert waits.code == 10
    assert START in waits.err
    with worker(drupe, "--alone"):
        assert "no worker is running" not in drupe.ok(*words).err
        said = drupe.ok(*words, "--queue", "gpu").err
    assert said.endswith("no worker for queue gpu; start one with: drupe worker --queue gpu\n")
