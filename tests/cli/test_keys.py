"""`drupe keys`: makes keys, lists them, and shows no secret."""

import json
from pathlib import Path

import pytest

from drupe.cli.exit_code import ExitCode
from drupe.cli.main import main
from drupe.core.role import Role
from drupe.service import keys


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Gives a command in an empty folder, and gets its exit code and what it wrote."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DRUPE_KEYS", raising=False)

    def tell(*words: str) -> tuple[int, str, str]:
        return (main(["keys", *words]), *capsys.readouterr())

    return tell


def test_a_key_is_made_where_the_setting_says_and_only_its_id_is_shown(told, tmp_path: Path) -> None:
    code, out, err = told("new")

    (key,) = keys.read(tmp_path / ".drupe" / "keys.toml")
    assert (code, out, key.role) == (ExitCode.OK, f"{key.name}\n", Role.LAUNCH)
    assert "keep that file to yourself" in err
    assert key.secret.hex() not in out + err


def test_the_setting_moves_the_file(told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRUPE_KEYS", "elsewhere/ring")

    code, _, _ = told("new", "--role", "control")

    assert code == ExitCode.OK
    assert [key.role for key in keys.read(tmp_path / "elsewhere" / "ring")] == [Role.CONTROL]


def test_keys_are_listed_with_their_roles_and_which_of_them_seal(told, tmp_path: Path) -> None:
    for words in (["--role", "read"], ["--role", "read"], [], ["--after", "3600"]):
        told("new", *words)
    old, read, launch, later = keys.read(tmp_path / ".drupe" / "keys.toml")

    _, out, _ = told("list")
    _, listed, _ = told("list", "--json")

    rows = [(line.split()[0], line.split()[1], line.endswith("seals")) for line in out.splitlines()]
    assert rows == [
        (old.name, "read", False),
        (read.name, "read", True),
        (launch.name, "launch", True),
        (later.name, "launch", False),
    ]
    assert [(row["id"], row["seals"]) for row in json.loads(listed)] == [(name, seals) for name, _, seals in rows]
    assert not any(key.secret.hex() in out + listed for key in (old, read, launch, later))


def test_for_programs_a_new_key_is_an_object(told) -> None:
    _, out, err = told("new", "--role", "read", "--json")

    made = json.loads(out)
    assert (made["role"], err) == ("read", "")
    assert set(made) == {"id", "role", "since", "file"}


def test_without_a_file_the_error_says_what_makes_one(told) -> None:
    code, _, err = told("list")

    assert code == ExitCode.USAGE
    assert "`drupe keys new` makes it" in err


@pytest.mark.parametrize("words", [["new", "--role", "root"], ["new", "--after", "-1"], ["destroy"]])
def test_a_wrong_use_is_told_as_such(told, words: list[str]) -> None:
    assert told(*words)[0] == ExitCode.USAGE


def test_without_more_it_tells_what_there_is(told) -> None:
    code, out, _ = told()

    assert code == ExitCode.OK
    assert {"new", "list"} <= set(out.split())
