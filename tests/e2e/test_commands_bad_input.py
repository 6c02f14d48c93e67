"""Bad input: one line that says what, where and what to do, an exit code, and nothing touched."""

import json
import os
import resource
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.shell import Shell

pytestmark = pytest.mark.slow


@pytest.fixture
def drupe(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def store(drupe: Shell) -> Path:
    """A store with two processes, ``one`` and ``another-one``."""
    for pid in ("one", "another-one"):
        drupe.ok("run", "flows.py:Double", "--input", "number=1", "--pid", pid)
    return drupe.folder / ".drupe" / "store.db"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["flaws.py:Double"], ["there is no file", "flaws.py", "did you mean 'flows.py'"]),
        (["flows.py:Doubl"], ["no 'Doubl'", "did you mean 'Double'"]),
        (["flows.py:note"], ["not a process class", "drupe.Process"]),
        (["flaws:Double"], ["no module 'flaws'"]),
        (["flows.py:Double"], ["inputs.number", "required", "float", "Any number."]),
        (["flows.py:Double", "--input", "number=1", "--input", "nummer=3"], ["inputs.nummer", "did you mean 'number'"]),
        (["flows.py:Double", "--input", "number=many"], ["inputs.number", "expected float", "'many'"]),
        (["flows.py:Double", "--input", "number"], ["write name=value"]),
        (["flows.py:Double", "--inputs", "bad.json"], ["bad.json", "line 2, column 7"]),
        (["flows.py:Double", "--inputs", "gone.json"], ["gone.json", "cannot be read"]),
        (["flows.py:Double", "--input", "number=1", "--pid", "a b"], ["--pid 'a b'", "64 letters"]),
        (["flows.py:Double", "--input", "number=1", "--nothing"], ["--nothing"]),
    ],
)
def test_a_run_that_cannot_be_makes_no_process(drupe: Shell, words: list[str], named: list[str]) -> None:
    (drupe.folder / "bad.json").write_text('{"a": 1,\n "b": }')

    answer = drupe("run", *words)

    assert answer.code == 2
    assert answer.out == ""
    assert all(word in answer.error for word in named), answer.err
    assert drupe("ps").out == ""


def test_a_wrong_run_leaves_the_store_as_it_was(drupe: Shell, store: Path) -> None:
    before = store.read_bytes()

    drupe("run", "flows.py:Double", "--input", "number=many")

    assert store.read_bytes() == before


def test_an_unknown_pid_is_told_with_the_newest(drupe: Shell, store: Path) -> None:
    for command in ("show", "history", "resume"):
        answer = drupe(command, "nobody")
        assert answer.code == 8
        assert "'nobody'; the newest are another-one (Double), one (Double)" in answer.error


def test_an_ambiguous_pid_is_told_with_the_candidates(drupe: Shell, store: Path) -> None:
    answer = drupe("show", "ne", "--json")

    assert answer.code == 8
    assert '"code":"ambiguous-pid"' in answer.err
    assert '"candidates":["one","another-one"]' in answer.err or '"candidates":["another-one","one"]' in answer.err
    assert drupe.ok("show", "one").out.startswith("pid: one\n")


def test_no_store_is_made_by_looking(drupe: Shell) -> None:
    for words in (["ps"], ["show", "x"], ["history", "x"], ["resume", "x"]):
        answer = drupe(*words)
        assert answer.code == 6
        assert "there is no store" in answer.error
        assert "--store" in answer.error
    assert not (drupe.folder / ".drupe").exists()


def test_a_file_that_is_no_store_is_left_alone(drupe: Shell) -> None:
    path = drupe.folder / "notes.txt"
    path.write_text("not a store, but something that somebody wrote")

    for words in (["ps"], ["run", "flows.py:Double", "--input", "number=1"]):
        answer = drupe(*words, "--store", "notes.txt")
        assert answer.code == 6
        assert "notes.txt" in answer.error
        assert "not a drupe store" in answer.error
    assert path.read_text() == "not a store, but something that somebody wrote"


def test_a_database_of_another_program_is_left_alone(drupe: Shell) -> None:
    path = drupe.folder / "other.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE process (pid)")
    before = path.read_bytes()

    answer = drupe("ps", "--store", "other.db")

    assert answer.code == 6
    assert "another program" in answer.error
    assert path.read_bytes() == before


def test_a_store_of_a_newer_version_is_left_alone(drupe: Shell, store: Path) -> None:
    with closing(sqlite3.connect(store)) as db:
        db.execute("PRAGMA user_version = 999")
    before = store.read_bytes()

    answer = drupe("run", "flows.py:Double", "--input", "number=1")

    assert answer.code == 6
    assert "version 999" in answer.error
    assert "upgrade drupe" in answer.error
    assert store.read_bytes() == before


def test_a_full_disk_is_told_and_nothing_committed_is_lost(drupe: Shell, store: Path) -> None:
    def no_more_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (store.stat().st_size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    much = json.dumps({"numbers": [1.0] * 60_000})
    unmeasured = {"COVERAGE_PROCESS_CONFIG": "", "COVERAGE_PROCESS_START": ""}  # it would want to write, too
    answer = drupe("run", "flows.py:Sum", "--inputs", "-", stdin=much, before=no_more_room, **unmeasured)

    assert answer.code == 6
    assert "store.db" in answer.error
    assert "disk" in answer.error
    assert [record["pid"] for record in drupe.ok("ps", "--json").json] == ["another-one", "one"]
    assert drupe("run", "flows.py:Double", "--input", "number=1").code == 0


def test_a_folder_that_cannot_be_written_is_told(drupe: Shell) -> None:
    folder = Path("/sys/drupe" if os.path.ismount("/sys") else "/proc/drupe")  # not even root may write there
    if os.geteuid() != 0:
        folder = drupe.folder / "locked" / "folder"
        folder.parent.mkdir(mode=0o500)

    answer = drupe("run", "flows.py:Double", "--input", "number=1", "--store", str(folder / "store.db"))

    assert answer.code == 6
    assert f"store {folder}/store.db" in answer.error
    assert "permissions" in answer.error


def test_a_corrupted_checkpoint_stops_its_own_process_only(drupe: Shell, store: Path) -> None:
    with closing(sqlite3.connect(store)) as db, db:
        db.execute("UPDATE checkpoint SET body = zeroblob(length(body)) WHERE pid = 'one'")

    for command in ("show", "resume"):
        answer = drupe(command, "one")
        assert answer.code == 6
        assert "process one" in answer.err
        assert "other processes are unaffected" in answer.err
    assert drupe.ok("show", "another-one").out.startswith("pid: another-one")
    assert len(drupe.ok("ps", "--json").json) == 2
    assert drupe.ok("history", "one").out


@pytest.mark.parametrize(
    ("variable", "text", "named"),
    [
        ("DRUPE_DURABILITY", "ful", "setting durability ($DRUPE_DURABILITY): expected 'full' or 'process', got 'ful'"),
        ("DRUPE_LEASE", "-1", "setting lease ($DRUPE_LEASE): expected a number of seconds"),
    ],
)
def test_a_setting_that_cannot_be_is_told(drupe: Shell, variable: str, text: str, named: str) -> None:
    answer = drupe("run", "flows.py:Double", "--input", "number=1", **{variable: text})

    assert answer.code == 2
    assert answer.error.startswith(named)
    assert not (drupe.folder / ".drupe").exists()


def test_a_list_of_classes_that_others_may_write_is_not_run(drupe: Shell, store: Path) -> None:
    (drupe.folder / ".drupe" / "classes.toml").chmod(0o622)

    resumed, run = drupe("resume", "another-one"), drupe("run", "flows.py:Double", "--input", "number=1")

    assert resumed.code == 2
    assert "others may write it" in resumed.error
    assert run.code == 0
    assert "warning: " in run.err
    assert "a resume needs --import" in run.err


def test_who_debugs_sees_the_traceback(drupe: Shell) -> None:
    (drupe.folder / "broken.py").write_text("1 / 0")

    assert "line 1: ZeroDivisionError" in drupe("run", "broken.py:X").error
    assert "Traceback (most recent call last)" in drupe("run", "broken.py:X", "--debug").err
