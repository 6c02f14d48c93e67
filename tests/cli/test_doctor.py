"""`drupe doctor`: its exit code, and what it writes."""

import json

import pytest

from drupe.cli.exit_code import ExitCode
from drupe.cli.main import main


@pytest.fixture
def told(tmp_path, monkeypatch, capsys):
    """Gives the command in an empty folder, and gets its exit code and what it wrote."""
    monkeypatch.chdir(tmp_path)

    def tell(*words):
        return (main(["doctor", *words]), capsys.readouterr().out)

    return tell


def test_what_is_well_is_said_too(told):
    code, out = told()

    assert code == ExitCode.OK
    assert [line.split(":")[0] for line in out.splitlines()] == ["good versions", "good store"]


def test_what_does_not_work_makes_the_exit_code(told, tmp_path):
    (tmp_path / ".drupe").mkdir(mode=0o700)
    (tmp_path / ".drupe").chmod(0o777)

    code, out = told()

    assert code == ExitCode.AILING
    assert f"-> chmod go-w {tmp_path / '.drupe'}" in out


def test_programs_get_json(told):
    code, out = told("--json")

    assert code == ExitCode.OK
    assert [(each["subject"], each["grade"], each["advice"]) for each in json.loads(out)] == [
        ("versions", "good", None),
        ("store", "good", None),
    ]
