"""`drupe migrate`: what was begun on a file goes on in a database, and no command says more than it should."""

import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from drupe.storage.postgres import address
from tests.cli.shell import Shell, environment, worker
from tests.e2e.test_commands_terminal import Terminal
from tests.messaging.rabbitmq.conftest import broker_url as broker_url

pytestmark = [pytest.mark.slow, pytest.mark.service("postgres")]

MORE = '''
from drupe import Wait

class Asks(Process):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("big", valid_type=str, default="")
        spec.output("answer")

    def run(self):
        return Wait(self.end, msg="Ærø?", signal="approve")

    def end(self, who):
        self.out("answer", f"{who}, {len(self.inputs.big)}")

class Family(WorkChain):
    """Waits for a child that waits itself."""
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("answer")
        spec.outline(cls.ask, cls.tell)

    def ask(self):
        return ToContext(child=self.submit(Asks))

    def tell(self):
        self.out("answer", self.ctx.child["answer"])

class Fragile(Process):
    """Fails until somebody mends it."""
    def run(self):
        if not Path("mended").exists():
            raise ValueError("broken")
'''
PARTS = ["process", "inputs", "checkpoint", "event", "inbox", "task"]


@pytest.fixture
def drupe(tmp_path: Path) -> Shell:
    folder = tmp_path / "here"
    folder.mkdir()
    shell = Shell(folder)
    with (folder / "flows.py").open("a") as flows:
        flows.write(MORE)
    return shell


def reaches(drupe: Shell, pid: str, state: str) -> None:
    for _ in range(60):
        answer = drupe("show", pid, "--json")
        if answer.code in (0, 3) and answer.json["state"] == state:
            return
    raise AssertionError(answer)


def begun(drupe: Shell) -> dict[str, str]:
    """Processes in every stage: ended in every way, waiting, paused, half-done with a dead owner, and some not begun."""
    pids = {
        "finished": drupe.pid("run", "flows.py:Sum"),
        "bad": drupe.pid("run", "flows.py:Bad"),
        "fragile": drupe.pid("run", "flows.py:Fragile"),
    }
    (drupe.folder / "big.json").write_text('{"big": "%s"}' % ("x" * 500_000))
    with worker(drupe) as command:
        for name, words in {
            "asks": ["flows.py:Asks", "--inputs", "big.json"],
            "family": ["flows.py:Family"],
            "paused": ["flows.py:Asks"],
            "killed": ["flows.py:Asks"],
        }.items():
            pids[name] = drupe.ok("submit", *words).out.strip()
            reaches(drupe, pids[name], "waiting")
        drupe.ok("pause", pids["paused"], "--reason", "by hand")
        drupe.ok("kill", pids["killed"])
        command.send_signal(signal.SIGTERM)
        assert command.wait() == 0
    drupe.ok("signal", pids["asks"], "approve", '"Ærøskøbing"', "--deadline", "0")
    with drupe.blocked() as (command, pids["half"]):
        command.kill()
        command.wait()
    pids["queued"] = drupe.ok("submit", "flows.py:Double", "--input", "number=21").out.strip()
    return pids


def outputs(drupe: Shell, pid: str) -> object:
    return drupe("wait", pid, "--deadline", "40", "--json").json["outputs"]


def ended(drupe: Shell, pids: dict[str, str]) -> None:
    """A worker comes to the end of everything that was begun."""
    with worker(drupe):
        drupe.open_gate()  # until then its step blocks the worker
        assert drupe.ok("wait", pids["half"], "--deadline", "40")
        assert outputs(drupe, pids["queued"]) == {"double": 42.0}
        assert outputs(drupe, pids["asks"]) == {"answer": "Ærøskøbing, 500000"}
        drupe.ok("play", pids["paused"])
        drupe.ok("signal", pids["paused"], "approve", "1")
        assert outputs(drupe, pids["paused"]) == {"answer": "1, 0"}
        (child,) = [row["pid"] for row in drupe.ok("ps", "--parent", pids["family"], "--json").json]
        drupe.ok("signal", child, "approve", "2")
        assert outputs(drupe, pids["family"]) == {"answer": "2, 0"}
        (drupe.folder / "mended").touch()
        (again,) = drupe.ok("retry", pids["fragile"]).out.split()
        assert drupe.ok("wait", again, "--deadline", "40")
    assert drupe.diary() == ["first", "block", "block", "last"]
    assert [drupe("wait", pids[name]).code for name in ("finished", "bad", "killed")] == [0, 3, 4]


def seen(drupe: Shell, pids: dict[str, str]) -> list[object]:
    """What is shown of some, in whose rows a move changes nothing."""
    return [
        drupe(*words, "--json").json for words in (["show", pids["asks"]], ["history", pids["bad"]], ["ps", "--paused"])
    ]


@pytest.mark.timeout(180)  # some fifty commands
def test_what_was_begun_on_a_file_ends_in_a_database(drupe: Shell, postgres_url: str) -> None:
    pids = begun(drupe)
    before = seen(drupe, pids)
    moved = drupe.ok("migrate", "--to", postgres_url)
    counted = [line.split(maxsplit=2) for line in moved.out.splitlines()]
    assert [name for name, _, _ in counted] == PARTS
    assert {said for _, _, said in counted} == {"the same"}
    assert all(int(rows) > 0 for _, rows, _ in counted)
    assert "set `store` in drupe.toml" in moved.err
    (drupe.folder / "drupe.toml").write_text(f'store = "{postgres_url}"\n')
    assert seen(drupe, pids) == before
    ended(drupe, pids)


@pytest.mark.untraced
@pytest.mark.timeout(180)
def test_so_it_does_with_a_broker_that_gets_the_tasks(drupe: Shell, postgres_url: str, broker_url: str) -> None:
    pids = begun(drupe)
    moved = drupe.ok("migrate", "--to", postgres_url, "--broker", broker_url, "--json").json
    assert 1 <= moved["tasks_sent"] == moved["rows"]["task"]
    assert drupe.ok("migrate", "--to", postgres_url, "--broker", broker_url, "--json").json["tasks_sent"] == 0
    (drupe.folder / "drupe.toml").write_text(f'store = "{postgres_url}"\nbroker = "{broker_url}"\n')
    ended(drupe, pids)


def test_a_task_that_cannot_be_read_is_in_nobodys_way(drupe: Shell, broker_url: str) -> None:
    for number in range(2):
        drupe.ok("submit", "flows.py:Double", "--input", f"number={number}")
    with closing(sqlite3.connect(drupe.folder / ".drupe" / "store.db")) as db, db:
        db.execute("UPDATE task SET body = x'00' WHERE number = 1")
        db.execute("CREATE TABLE energies (n)")
    moved = drupe.ok("migrate", "--to", "there.db", "--broker", broker_url)
    assert "sent to the broker: 1" in moved.err
    assert "cannot be read, and stay in the store: 1" in moved.err
    assert "not moved, since they are not drupe's: energies" in moved.err


def test_a_broker_that_the_project_has_already_is_told_of(drupe: Shell, broker_url: str) -> None:
    drupe.pid("run", "flows.py:Sum")
    (drupe.folder / "drupe.toml").write_text(f'broker = "{broker_url}"\n')
    assert "tasks that wait at the broker" in drupe.ok("migrate", "--to", "there.db").err


def test_somebody_at_a_terminal_sees_a_table(drupe: Shell) -> None:
    drupe.pid("run", "flows.py:Sum")
    code, seen = Terminal(drupe.folder, "migrate", "--to", "there.db").end()
    assert code == 0
    assert "─" in seen
    assert re.search(r"\n *process +3 +the same\n", seen)


def test_results_for_programs(drupe: Shell, tmp_path: Path) -> None:
    drupe.pid("run", "flows.py:Sum")
    found = drupe.ok("migrate", "--to", "other.db", "--json").json
    assert found["rows"]["process"] == 3
    assert (found["before"], found["tasks_sent"], found["not_moved"]) == (False, 0, [])
    assert found["to"] == str(drupe.folder / "other.db")
    again = drupe.ok("migrate", "--to", "other.db", "--json").json
    assert (again["id"], again["before"]) == (found["id"], True)


def test_a_store_in_use_is_left_to_those_who_use_it(drupe: Shell) -> None:
    with drupe.blocked() as (command, pid):
        answer = drupe("migrate", "--to", "other.db")
        assert answer.code == 7
        assert f"program {command.pid}" in answer.error
        assert f"kill -TERM {command.pid}" in answer.error
        assert drupe("migrate", "--to", "other.db", "--json").code == 7
        assert not (drupe.folder / "other.db").exists()
        drupe.open_gate()
        assert command.wait() == 0
    drupe.ok("migrate", "--to", "other.db")
    assert drupe.ok("show", pid, "--store", "other.db", "--json").json["state"] == "finished"


def test_whoever_comes_to_a_store_that_was_moved_is_told_where(drupe: Shell) -> None:
    pid = drupe.pid("run", "flows.py:Sum")
    drupe.ok("migrate", "--to", "other.db")
    for words in (
        ["ps"],
        ["show", pid],
        ["run", "flows.py:Sum"],
        ["worker"],
        ["submit", "flows.py:Sum"],
        ["pause", pid],
    ):
        answer = drupe(*words)
        assert answer.code == 6, answer
        assert f"it was moved to {drupe.folder / 'other.db'}: use that one" in answer.err
    assert "was moved to" in drupe("doctor").out
    answer = drupe("ps", "--json")
    assert '"store-moved"' in answer.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--to", "full.db"], 2, "there is something already, in checkpoint, event, inputs, process"),
        (["--to", ".drupe/store.db"], 2, "is the store that is to be moved"),
        (["--to", "postgresql://me:hu5h@127.0.0.1:1/db?connect_timeout=1"], 6, "cannot be used now"),
        (["--to", "postgresql://me:hu5h@far.example/db"], 2, "another machine"),
        (["--to", "flows.py"], 6, "not a"),
        ([], 2, "--to"),
        (["--to", "other.db", "--store", "none.db"], 6, "there is no store"),
        (["--to", "other.db", "--broker", "amqp://nobody:hu5h@127.0.0.1:1/"], 10, "broker"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(drupe: Shell, words: list[str], code: int, said: str) -> None:
    drupe.pid("run", "flows.py:Double", "--input", "number=1", "--store", "full.db")
    pid = drupe.pid("run", "flows.py:Double", "--input", "number=1")
    answer = drupe("migrate", *words)
    assert answer.code == code, answer
    assert said in answer.err
    assert "hu5h" not in answer.out + answer.err
    assert [line for line in answer.err.splitlines() if line.startswith("error: ")] == answer.err.splitlines()[-1:]
    if code != 10:  # then it is moved already, and the same command again sends the tasks
        assert drupe.ok("show", pid, "--json").json["state"] == "finished"


def test_a_move_that_was_killed_is_finished_or_taken_back(drupe: Shell, postgres_url: str) -> None:
    pid = drupe.pid("run", "flows.py:Sum")
    for finish in (False, True):
        killed_while_it_fills(drupe, postgres_url)
        answer = drupe("ps")
        assert answer.code == 6
        assert "being moved to postgresql://" in answer.error
        assert "--undo takes it back" in answer.error
        if not finish:
            assert "in use again" in drupe.ok("migrate", "--to", postgres_url, "--undo").err
            assert drupe.ok("show", pid, "--json").json["state"] == "finished"
            assert "no move to be taken back" in drupe.ok("migrate", "--to", postgres_url, "--undo").err
    drupe.ok("migrate", "--to", postgres_url)
    assert drupe.ok("show", pid, "--store", postgres_url, "--json").json["state"] == "finished"
    answer = drupe("migrate", "--to", postgres_url, "--undo")
    assert answer.code == 6
    assert "in use since" in answer.error


@pytest.mark.parametrize("kind", ["file", "database"])
def test_a_worker_that_was_frozen_meanwhile_ends_by_itself(drupe: Shell, kind: str, postgres_url: str) -> None:
    store = "here.db" if kind == "file" else postgres_url
    (drupe.folder / "drupe.toml").write_text(f'store = "{store}"\nlease = 0.6\n')
    with worker(drupe, "--alone") as frozen:
        pid = drupe.ok("submit", "flows.py:Asks").out.strip()
        reaches(drupe, pid, "waiting")
        frozen.send_signal(signal.SIGSTOP)
        for _ in range(60):
            if (answer := drupe("migrate", "--to", "there.db")).code != 7:
                break
        assert answer.code == 0, answer
        frozen.send_signal(signal.SIGCONT)
        assert frozen.wait(30) == 6
        said = frozen.stderr.read()
        assert "was declared dead" in said
        assert "it was moved to" in said.splitlines()[-1]
    (drupe.folder / "drupe.toml").write_text('store = "there.db"\n')
    with worker(drupe):
        drupe.ok("signal", pid, "approve", "1")
        assert outputs(drupe, pid) == {"answer": "1, 0"}


def test_ctrl_c_leaves_a_move_that_can_be_finished(drupe: Shell, postgres_url: str) -> None:
    """Somebody has the target locked: it is interrupted while it waits for that."""
    pid = drupe.pid("run", "flows.py:Sum")
    drupe.ok("ps", "--store", postgres_url)
    found = address.parse(postgres_url)
    with psycopg.connect(**found.parameters) as db:
        db.execute(f"LOCK TABLE {found.schema}.process IN SHARE MODE")
        with drupe.started("migrate", "--to", postgres_url) as command:
            while drupe("ps").code != 6:  # it is closed when it is filled
                assert command.poll() is None
            command.send_signal(signal.SIGINT)
            assert command.wait(30) == 130
            assert "the same command again goes on, --undo takes it back" in command.stderr.read()
    drupe.ok("migrate", "--to", postgres_url)
    assert drupe.ok("show", pid, "--store", postgres_url, "--json").json["state"] == "finished"


KILLED = """
import os, signal, sys
from pathlib import Path
from drupe.service.migrating import destination, migrate
from drupe.service.profile import load

def probe(place):
    if place == "move.filled":
        os.kill(os.getpid(), signal.SIGKILL)

migrate(load(), destination(sys.argv[1]), probe=probe)
"""


def killed_while_it_fills(drupe: Shell, url: str) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, url], cwd=drupe.folder, env=environment(), check=False)
    assert done.returncode == -signal.SIGKILL
