"""Commands on a store in PostgreSQL: the same as on a file, with no broker and with RabbitMQ, and no password is ever shown."""

import signal
import tempfile
from pathlib import Path

import pytest

from tests.cli.shell import Answer, Shell, worker
from tests.messaging.rabbitmq.conftest import broker_url as broker_url
from tests.storage.postgres.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.service("postgres")]

MORE = """
from drupe import Wait

class Asks(Process):
    def run(self):
        return Wait(self.end, msg="approval", signal="approve")

    def end(self, who):
        return f"approved by {who}"
"""
SECRET = "hu5h-h4sh"


def shell_for(folder: Path, url: str, broker: str = "local") -> Shell:
    folder.mkdir(exist_ok=True)
    (folder / "drupe.toml").write_text(f'store = "{url}"\nbroker = "{broker}"\n')
    shell = Shell(folder)
    with (folder / "flows.py").open("a") as flows:
        flows.write(MORE)
    return shell


@pytest.fixture
def drupe(tmp_path: Path, postgres_url: str) -> Shell:
    return shell_for(tmp_path / "here", postgres_url)


def test_a_killed_command_is_resumed_where_it_was(drupe: Shell) -> None:
    with drupe.blocked() as (command, pid):
        command.kill()
        assert command.wait() == -signal.SIGKILL
    assert drupe.ok("show", pid, "--json").json["state"] == "running"
    with drupe.blocked("resume", pid) as (command, resumed):
        assert resumed == pid
        drupe.open_gate()
        assert command.wait() == 0
    assert drupe.diary() == ["first", "block", "block", "last"]
    assert not list(drupe.folder.rglob("store.db"))


def test_every_command_that_looks_finds_what_was_run(drupe: Shell) -> None:
    pid = drupe.pid("run", "flows.py:Sum")
    assert [row["pid"] for row in drupe.ok("ps", "--all", "--json").json][-1] == pid
    assert drupe.ok("show", pid[-8:], "--json").json["outputs"] == {"found": {"sum": 6.0}}
    assert "finished" in drupe.ok("history", pid).out
    assert drupe.ok("status", pid, "--json").json[0]["state"] == "finished"
    assert drupe("pause", pid).code != 0
    doctor = {finding["subject"]: finding for finding in drupe.ok("doctor", "--json").json}
    assert "a commit takes" in doctor["store"]["said"]
    assert {finding["grade"] for finding in doctor.values()} == {"good"}


@pytest.mark.parametrize("broker", ["local", "rabbitmq"])
def test_what_is_submitted_is_run_and_steered_by_workers(tmp_path, postgres_url, broker, request) -> None:
    url = "local" if broker == "local" else request.getfixturevalue("broker_url")
    drupe = shell_for(tmp_path / "here", postgres_url, url)
    with worker(drupe):
        chain = drupe.ok("submit", "flows.py:Sum", "--wait", "--deadline", "30", "--json")
        assert chain.json["outputs"] == {"found": {"sum": 6.0}}
        assert drupe("submit", "flows.py:Bad", "--wait", "--deadline", "30").code == 3
        pid = drupe.ok("submit", "flows.py:Asks").out.strip()
        for words in (["pause", pid], ["play", pid], ["signal", pid, "approve", '"me"']):
            assert until_told(drupe, *words).code == 0
        assert drupe.ok("wait", pid, "--deadline", "30").out.splitlines()[-1] == "result: approved by me"


def until_told(drupe: Shell, *words: str) -> Answer:
    """Give a command to a process that a worker may not have made yet."""
    for _ in range(60):
        if (answer := drupe(*words)).code != 8:  # unknown
            break
    return answer


def test_another_machine_needs_no_broker(tmp_path: Path, postgres_url: str) -> None:
    """Two folders, as two machines have them: they share no socket and no file, and meet in the database alone."""
    here, there = shell_for(tmp_path / "here", postgres_url), shell_for(tmp_path / "there", postgres_url)
    with worker(there):
        there.ok("submit", "flows.py:Double", "--input", "number=1", "--wait", "--deadline", "30")  # it knows the class
        found = here.ok("submit", "flows.py:Double", "--input", "number=4", "--wait", "--deadline", "30", "--json")
        assert found.json["outputs"] == {"double": 8.0}


def test_a_worker_goes_on_when_the_server_was_killed(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="drupe-pg-") as folder:
        server = Server(Path(folder))
        server.create()
        try:
            server.start()
            drupe = shell_for(tmp_path / "here", server.url())
            with worker(drupe) as command:
                drupe.ok("submit", "flows.py:Double", "--input", "number=1", "--wait", "--deadline", "30")
                server.crash()
                server.start()
                found = drupe.ok("submit", "flows.py:Sum", "--wait", "--deadline", "30", "--json")
                assert found.json["outputs"] == {"found": {"sum": 6.0}}
                assert command.poll() is None
        finally:
            server.close()


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{SECRET}@127.0.0.1:1/db?connect_timeout=1",
        f"postgresql://me:{SECRET}@far.example/db",
        f"postgresql://me:{SECRET}#@127.0.0.1:1/db",
        f"postgresql://127.0.0.1:1/db?user=me&password={SECRET}",
    ],
)
def test_a_password_is_shown_by_no_command(tmp_path: Path, url: str) -> None:
    drupe = shell_for(tmp_path / "here", url)
    for words in (["config"], ["config", "--json"], ["doctor"], ["ps"], ["run", "flows.py:Double", "--debug"]):
        answer = drupe(*words, "--log-level", "debug")
        assert SECRET not in answer.out + answer.err
        assert (answer.code == 0) is (words[0] == "config"), answer
    assert "postgresql://" in drupe.ok("config").out
