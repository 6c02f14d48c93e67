"""A database or a broker that is not there yet, goes away, or is frozen: who works waits for it, who asks is through in time."""

import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.shell import Shell, line_with
from tests.messaging.rabbitmq.conftest import broker_url as broker_url
from tests.messaging.rabbitmq.node import Node, free_ports
from tests.storage.postgres.server import QUICK, Server, a_server

pytestmark = [pytest.mark.slow, pytest.mark.service("postgres")]

LEASE = 1.5
MORE = """
import asyncio

class Steps(Process):
    async def run(self, number=0):
        note(f"step-{number}")
        await asyncio.sleep(0.2)
        return Continue(self.run, number + 1) if number < 9 else "done"
"""


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that is not started."""
    with a_server(*QUICK) as server:
        yield server


def shell_for(folder: Path, url: str | None, broker: str = "local") -> Shell:
    store = "" if url is None else f'store = "{url}"\n'
    (folder / "drupe.toml").write_text(f'{store}broker = "{broker}"\nlease = {LEASE}\n')
    shell = Shell(folder)
    with (folder / "flows.py").open("a") as flows:
        flows.write(MORE)
    return shell


def note(shell: Shell, word: str) -> None:
    """Wait until a step has written something."""
    until = time.monotonic() + 40
    while not (shell.folder / "diary").exists() or word not in shell.diary():
        assert time.monotonic() < until
        time.sleep(0.02)


def submit(drupe: Shell) -> str:
    return drupe.ok("submit", "flows.py:Steps").out.strip()


def history(drupe: Shell, pid: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = drupe.ok("history", pid, "--json").json
    return found


# --- in the beginning ----------------------------------------------------------------------------------------


def test_a_worker_waits_for_a_database_that_comes_up_later(tmp_path: Path, server: Server) -> None:
    drupe = shell_for(tmp_path, server.url())
    with drupe.started("worker") as command:
        for _ in range(2):
            assert "cannot be used now" in line_with(command.stderr, "it is tried again in")
        server.start()
        assert line_with(command.stdout, "worker")
        assert drupe.ok("submit", "flows.py:Double", "--input", "number=1", "--wait", "--deadline", "30", "--json").json


@pytest.mark.service("rabbitmq")
def test_a_worker_waits_for_a_broker_that_comes_up_later(tmp_path: Path, broker_url: str) -> None:
    """It leaves nothing behind in the store each time that it could not join."""
    with tempfile.TemporaryDirectory(prefix="drupe-broker-") as folder:
        node = Node(Path(folder))
        drupe = shell_for(tmp_path, None, node.url)
        try:
            with drupe.started("worker") as command:
                for _ in range(2):
                    assert line_with(command.stderr, "it is tried again in")
                assert drupe("workers", "--json", "--broker", "local").json == []
                node.start()
                assert line_with(command.stdout, "worker")
                command.send_signal(signal.SIGTERM)
                assert command.wait() == 0
        finally:
            node.close()


@pytest.mark.parametrize(("store", "code"), [("postgresql://me@127.0.0.1:{}/none", 6), (None, 10)])
def test_it_gives_up_when_it_is_told_to(tmp_path: Path, store: str | None, code: int) -> None:
    """Also that of whoever does no work: it has none."""
    (port,) = free_ports(1)
    drupe = shell_for(
        tmp_path, store and store.format(port), "local" if store else f"amqp://guest:guest@127.0.0.1:{port}/"
    )
    answer = drupe("worker", "--give-up", "1")
    assert (answer.code, answer.out) == (code, "")
    assert "it is tried again in" in answer.err
    assert answer.err.splitlines()[-1].startswith("error: ")
    assert drupe("submit", "flows.py:Double", "--input", "number=1").code == code


def test_a_worker_that_waits_can_be_stopped(tmp_path: Path, server: Server) -> None:
    drupe = shell_for(tmp_path, server.url())
    for words in ([], ["--processes", "1"]):
        with drupe.started("worker", *words) as command:
            line_with(command.stderr, "it is tried again in")
            command.send_signal(signal.SIGTERM)
            assert command.wait() == 0


def test_a_store_that_cannot_be_is_not_waited_for(tmp_path: Path) -> None:
    drupe = shell_for(tmp_path, None)
    (tmp_path / ".drupe").mkdir(mode=0o700)
    (tmp_path / ".drupe/store.db").mkdir()
    answer = drupe("worker")
    assert (answer.code, answer.out) == (6, "")
    assert answer.error


# --- later ---------------------------------------------------------------------------------------------------


def test_a_worker_whose_database_is_frozen_gives_up_and_goes_on_with_it(tmp_path: Path, server: Server) -> None:
    server.start()
    drupe = shell_for(tmp_path, server.url())
    with drupe.started("worker") as command:
        first = line_with(command.stdout, "worker")
        pid = submit(drupe)
        note(drupe, "step-2")
        server.freeze()
        begun = time.monotonic()
        assert "could not be renewed for" in line_with(command.stderr, "it joins anew")
        assert time.monotonic() - begun < 20
        steps = drupe.diary()
        for verb in ("pause", "status", "wait"):
            begun = time.monotonic()
            asked = drupe(verb, pid, "--deadline", "1")
            assert asked.code == 10
            assert "within 1 s" in asked.error
            assert time.monotonic() - begun < 7
        assert drupe.diary() == steps  # nothing was begun meanwhile
        server.thaw()
        assert line_with(command.stdout, "worker") != first
        assert drupe.ok("wait", pid, "--deadline", "40").out.splitlines()[-1] == "result: done"
    seqs = [event["seq"] for event in history(drupe, pid)]
    assert seqs == sorted(set(seqs))
    diary = drupe.diary()
    assert sorted(set(diary)) == [f"step-{number}" for number in range(10)]
    assert len(diary) <= 11  # the one that was given up, once more
    assert drupe.ok("show", pid, "--json").json["attempts"] == 0


def test_a_worker_that_was_declared_dead_joins_anew(tmp_path: Path, server: Server) -> None:
    server.start()
    drupe = shell_for(tmp_path, server.url())
    with drupe.started("worker", "--alone") as frozen:
        first = line_with(frozen.stdout, "worker")
        pid = submit(drupe)
        note(drupe, "step-1")
        frozen.send_signal(signal.SIGSTOP)
        with drupe.started("worker") as other:
            line_with(other.stdout, "worker")
            assert drupe.ok("wait", pid, "--deadline", "40").out.splitlines()[-1] == "result: done"
        frozen.send_signal(signal.SIGCONT)
        assert "was declared dead" in line_with(frozen.stderr, "it joins anew")
        assert line_with(frozen.stdout, "worker") != first
        frozen.send_signal(signal.SIGTERM)
        assert frozen.wait() == 0


def test_who_runs_something_himself_gives_up_too_and_resumes_later(tmp_path: Path, server: Server) -> None:
    server.start()
    drupe = shell_for(tmp_path, server.url())
    with drupe.started("run", "flows.py:Steps") as command:
        pid = line_with(command.stdout, "").strip()
        note(drupe, "step-2")
        server.freeze()
        assert command.wait(30) == 7
        assert "could not be renewed for" in command.stderr.read()
    server.thaw()
    resumed = drupe("resume", pid)  # its lease has run out meanwhile
    assert (resumed.code, resumed.out.splitlines()[-1]) == (0, "result: done")
    assert [event["seq"] for event in history(drupe, pid)] == list(range(1, 13))
