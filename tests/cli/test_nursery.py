"""The parent's rules, with real children that do as they are told, or not."""

import os
import signal
import socket
import sys
import threading

import pytest

from drupe.cli.nursery import Child, Nursery
from drupe.cli.readiness import Readiness
from drupe.cli.wire import Wire
from drupe.runtime.clock import tick

OBEYS = "import os, signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit({code})); "
SAYS = "os.write(int(os.environ['DRUPE_PARENT']), b'r'); "
HAS_ENOUGH = "os.kill(os.getppid(), signal.SIGTERM); signal.pause()"


def program(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code]


def dead_child() -> Child:
    """One that has ended at once, so that the next one is started by its words."""
    pid = os.posix_spawn(sys.executable, program("raise SystemExit(1)"), os.environ)
    wire, theirs = socket.socketpair()
    theirs.close()
    return Child(pid, wire)


@pytest.fixture
def noted() -> list[str]:
    return []


@pytest.fixture
def nursery(noted):
    def make(command, *children, patience=60.0):
        readiness = Readiness({}, file=None, note=noted.append)
        return Nursery(children or [dead_child()], command, patience=patience, readiness=readiness, note=noted.append)

    return make


@pytest.mark.slow
@pytest.mark.parametrize("code", [0, 7])
def test_a_child_that_was_told_to_end_gives_the_exit_code(nursery, noted, code):
    assert nursery(program(OBEYS.format(code=code) + SAYS + HAS_ENOUGH)).run() == code
    assert noted == ["a worker ended (exit code 1): another one is started"]


@pytest.mark.slow
def test_one_that_is_ended_by_a_signal_instead_gives_the_code_that_shells_give(nursery):
    code = "import os, signal; signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGKILL)); "

    assert nursery(program(code + SAYS + HAS_ENOUGH)).run() == 128 + signal.SIGKILL


@pytest.mark.slow
def test_a_second_signal_ends_children_that_do_not_end(nursery):
    code = "import os, signal; signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getppid(), signal.SIGTERM)); "
    again = "os.kill(os.getppid(), signal.SIGTERM)\nwhile True: signal.pause()"

    assert nursery(program(code + SAYS + again)).run() == 130


@pytest.mark.slow
def test_what_is_wrong_with_the_words_is_not_tried_again(nursery, noted):
    assert nursery(program("raise SystemExit(2)")).run() == 2
    assert len(noted) == 1


@pytest.mark.slow
def test_a_program_that_is_gone_is_named_before_it_is_given_up(nursery, noted):
    assert nursery(["/nowhere/python", "-m", "drupe"]).run() == 13
    assert any("/nowhere/python: [Errno 2]" in line for line in noted)
    assert "giving up" in noted[-1]


def test_a_child_that_does_not_live_for_long_is_waited_for_longer_each_time():
    child = dead_child()
    os.waitpid(child.pid, 0)
    pauses = []
    for _ in range(9):
        child.fail(started=True)
        pauses.append(round(child.due - tick(), 1))
    child._born -= 60
    child.fail(started=True)
    pauses.append(round(child.due - tick(), 1))
    child.wire.close()

    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 6.4, 6.4, 6.4, 0.1]
    assert child.failures == 0


@pytest.mark.slow
@pytest.mark.parametrize("lapsed", [True, False])
def test_a_parent_that_was_stopped_itself_blames_nobody(nursery, noted, lapsed):
    """Of a parent and a child that were both stopped, the parent may be the first to go on."""
    pid = os.posix_spawn(sys.executable, program("import signal; signal.pause()"), os.environ)
    wire, theirs = socket.socketpair()
    child = Child(pid, wire)
    parent = nursery(["/nowhere"], child, patience=1.0)
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
    child.heard -= 5
    if lapsed:
        parent._looked -= 5
    parent._look()
    assert child.is_stopped
    assert bool(noted) is not lapsed

    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    wire.close()
    theirs.close()


@pytest.mark.slow
@pytest.mark.parametrize("said", ["!", "."])
def test_with_a_watchdog_a_child_that_says_that_it_is_not_well_is_ended_and_another_one_is_not(tmp_path, said):
    noted, told = [], []
    wire = "import os, time; wire = int(os.environ['DRUPE_PARENT']); os.write(wire, b'r')\n"
    code = wire + f"for _ in range(30): os.write(wire, b'{said}'); time.sleep(0.05)"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        variables = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "600000"}

        def listen():
            while not told or not told[-1].startswith(b"STOPPING=1"):
                told.append(manager.recv(4096))

        def note(line):
            noted.append(line)
            if len(noted) == 2:
                os.kill(os.getpid(), signal.SIGTERM)

        listener = threading.Thread(target=listen)
        listener.start()
        readiness = Readiness(variables, file=None, note=note)
        Nursery([dead_child()], program(code), patience=60, readiness=readiness, note=note).run()
        listener.join()

    assert ("has not been well" in noted[1]) is (said == "!")
    assert b"READY=1\nSTATUS=1 of 1 workers take tasks" in told
    assert b"WATCHDOG=1" in told, "the parent itself is well"


def test_a_child_says_a_byte_for_each_thing_and_notices_that_nobody_listens():
    orphaned = []
    ours, theirs = socket.socketpair()
    wire = Wire(theirs.detach(), lambda: orphaned.append(True))
    wire.ready()
    assert wire.beat(None)
    assert wire.beat("no lease")
    wire.stopping()
    wire.close()
    assert ours.recv(100) == b"r.!s"
    while True:  # until it is full
        try:
            os.write(wire._wire, b"." * 4096)
        except BlockingIOError:
            break
    assert wire.beat(None), "a parent that does not read is one nevertheless"
    ours.close()
    assert not wire.beat(None)
    assert orphaned == [True]
    os.close(wire._wire)
