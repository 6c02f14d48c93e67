"""What systemd, and whoever looks at a file, are told of a program, by real sockets and files."""

import os
import socket

import pytest

from drupe.cli.heart import Alone
from drupe.cli.readiness import Readiness


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    """The socket of a service manager, and its address as the variable has it."""
    address = str(tmp_path / "notify") if request.param == "path" else f"@drupe-test-{os.getpid()}-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.bind(address.replace("@", "\0", 1))
        found.setblocking(False)
        yield found, address


def heard(manager: socket.socket) -> list[str]:
    """What was told since the last time."""
    lines = []
    while True:
        try:
            lines += manager.recv(4096).decode().splitlines()
        except BlockingIOError:
            return lines


def complaints() -> tuple[list[str], object]:
    noted: list[str] = []
    return noted, noted.append


def test_a_manager_hears_of_the_beginning_the_end_and_what_is_between(manager):
    socket_, address = manager
    noted, note = complaints()
    readiness = Readiness({"NOTIFY_SOCKET": address}, file=None, note=note)
    readiness.ready("all is well")
    readiness.alive()
    readiness.unready("not now")
    readiness.stopping("good bye")
    readiness.close()

    assert heard(socket_) == ["READY=1", "STATUS=all is well", "STATUS=not now", "STOPPING=1", "STATUS=good bye"]
    assert not noted


def test_a_watchdog_is_fed_at_least_twice_in_its_time_and_not_much_more_often(manager):
    socket_, address = manager
    variables = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "3600000000", "WATCHDOG_PID": str(os.getpid())}
    readiness = Readiness(variables, file=None, note=print)
    for _ in range(5):
        readiness.alive()
    readiness.close()

    assert readiness.watchdog == 3600
    assert heard(socket_) == ["WATCHDOG=1"]


@pytest.mark.parametrize(
    "variables",
    [
        {"WATCHDOG_USEC": "1000000"},
        {"NOTIFY_SOCKET": "@nobody", "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"},
        {"NOTIFY_SOCKET": "@nobody", "WATCHDOG_USEC": "soon"},
        {"NOTIFY_SOCKET": "@nobody", "WATCHDOG_USEC": "0"},
    ],
)
def test_a_watchdog_that_is_not_ours_is_not_fed(variables):
    noted, note = complaints()
    readiness = Readiness(variables, file=None, note=note)
    readiness.alive()
    readiness.close()

    assert readiness.watchdog is None
    assert not noted


def test_the_variables_are_for_no_program_that_is_started_from_here():
    variables = {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "HOME": "/root"}
    Readiness(variables, file=None, note=print)

    assert variables == {"HOME": "/root"}


@pytest.mark.parametrize("address", ["/nowhere/notify", "@drupe-nobody-listens-here", "vsock:2:1234"])
def test_a_manager_that_is_not_there_is_told_of_once_and_costs_nothing_else(address):
    noted, note = complaints()
    readiness = Readiness({"NOTIFY_SOCKET": address}, file=None, note=note)
    readiness.ready("all is well")
    readiness.stopping("good bye")
    readiness.close()

    (complaint,) = noted
    assert "NOTIFY_SOCKET" in complaint
    assert address in complaint


def test_a_manager_that_was_started_anew_is_told_too(tmp_path):
    noted, note = complaints()
    address = tmp_path / "notify"
    readiness = Readiness({"NOTIFY_SOCKET": str(address)}, file=None, note=note)
    for _ in range(2):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(address))
            manager.setblocking(False)
            readiness.say("all is well")
            assert heard(manager) == ["STATUS=all is well"]
        address.unlink()
    readiness.say("nobody is there")
    readiness.say("nobody is there")
    readiness.close()

    assert len(noted) == 1


def test_the_file_is_there_as_long_as_tasks_are_taken(tmp_path):
    file = tmp_path / "ready"
    file.write_text("999999\n")  # left behind by somebody who was killed
    readiness = Readiness({}, file=str(file), note=print)
    assert not file.exists()
    readiness.ready("all is well")
    assert file.read_text() == f"{os.getpid()}\n"
    readiness.unready("not now")
    assert not file.exists()
    readiness.ready("again")
    readiness.ready("and again")
    readiness.stopping("good bye")
    readiness.close()

    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_told_of(tmp_path):
    noted, note = complaints()
    readiness = Readiness({}, file=str(tmp_path / "gone" / "ready"), note=note)
    readiness.ready("all is well")
    readiness.close()

    assert [complaint.partition(":")[0] for complaint in noted] == ["warning"]
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_removed_is_told_of(tmp_path):
    noted, note = complaints()
    (tmp_path / "ready").mkdir()
    Readiness({}, file=str(tmp_path / "ready"), note=note)

    assert "cannot be removed" in noted[0]


def test_a_worker_that_is_unwell_says_why_and_does_not_feed_the_watchdog(manager):
    socket_, address = manager
    variables = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1"}
    alone = Alone(Readiness(variables, file=None, note=print), "takes tasks")
    alone.ready()
    assert heard(socket_) == ["READY=1", "STATUS=takes tasks", "WATCHDOG=1"]
    assert alone.beat("no lease")
    assert alone.beat("no lease")
    assert heard(socket_) == ["STATUS=no lease"]
    alone.beat(None)
    assert heard(socket_) == ["WATCHDOG=1", "STATUS=takes tasks"]
    alone.stopping()
    alone.beat("no lease")
    assert heard(socket_) == ["STOPPING=1", "STATUS=running steps have time to end"]
    alone.close()
