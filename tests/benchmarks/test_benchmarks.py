"""Every benchmark runs, at a size that measures nothing; and figures become the right verdicts."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import run
from measure import Figures, SideError, Work, interleave
from rows import Row, Target
from verdict import Result

BENCHMARKS = Path(run.__file__).parent
STARTING = {"celery": run.BROKER, "postgres": run.DATABASE}
"""Groups that start a server of their own, as each does that is given none."""


@pytest.fixture
def given(group: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """The servers that a group is told of."""
    names = " ".join(row.name for row in run.ROWS if row.group == group)
    needed = {run.BROKER: ("RabbitMQ", "broker_url"), run.DATABASE: ("PostgreSQL", "postgres_url")}
    return {
        variable: request.getfixturevalue(fixture)
        for variable, (word, fixture) in needed.items()
        if word in names and STARTING.get(group) != variable
    }


def result(target: Target | None, **medians: float | None) -> Result:
    sides = {
        name: SideError("it broke") if median is None else Figures([median, median, 9.0], [0.0, 0.0, 0.0])
        for name, median in medians.items()
    }
    return Result(Row(group="g", name="n", works={}, target=target, clock="wall"), sides)


@pytest.mark.untraced
@pytest.mark.slow
@pytest.mark.timeout(120)  # a group has up to fifty programs
@pytest.mark.parametrize("group", run.GROUPS)
def test_every_row_runs_and_says_what_it_took(group: str, given: dict[str, str]) -> None:
    command = [sys.executable, "run.py", group, "--tiny", "--runs", "1", "--alone", "--json", "--no-fail"]

    ended = subprocess.run(
        command, cwd=BENCHMARKS, env={**os.environ, **given}, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0, ended.stderr
    rows = json.loads(ended.stdout)["rows"]
    assert len(rows) == sum(row.group == group for row in run.ROWS)
    for row in rows:
        assert "drupe" in row["sides"]
        assert all(figure > 0.0 for side in row["sides"].values() for figure in side["wall"]) or row["clock"] == "bytes"
        for name, side in row["sides"].items():
            assert side.get("median", 0.0) > 0.0, (row["name"], name, side)


@pytest.mark.untraced
@pytest.mark.slow
def test_those_that_wait_are_all_woken() -> None:
    command = [sys.executable, "parked.py", "--number", "300"]

    ended = subprocess.run(command, cwd=BENCHMARKS, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
    assert "forgotten: 0" in ended.stdout


@pytest.mark.untraced
@pytest.mark.slow
def test_those_that_write_one_file_are_compared_with_and_without_turns() -> None:
    command = [sys.executable, "turns.py", "--processes", "2", "--seconds", "0.2", "--runs", "1"]

    ended = subprocess.run(command, cwd=BENCHMARKS, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
    assert re.findall(r"^(\w+) turns: [1-9]", ended.stdout, re.MULTILINE) == ["with", "without"]


@pytest.mark.parametrize(
    ("target", "medians", "reached"),
    [
        (Target("times other", 6.0), {"drupe": 1.0, "plumpy": 6.0}, True),
        (Target("times other", 6.0), {"drupe": 1.0, "plumpy": 5.9}, False),
        (Target("times other", 6.0), {"drupe": 1.0}, None),
        (Target("times other", 6.0), {"drupe": 1.0, "plumpy": None}, None),
        (Target("times other", 6.0), {"drupe": None, "plumpy": 5.9}, False),
        (Target("at most of floor", 1.3), {"drupe": 1.3, "floor": 1.0}, True),
        (Target("at most of floor", 1.3), {"drupe": 1.4, "floor": 1.0}, False),
        (Target("at most", 0.005), {"drupe": 0.005}, True),
        (Target("at most", 0.005), {"drupe": 0.006}, False),
        (Target("works"), {"drupe": 1.0, "plumpy": None}, True),
        (Target("works"), {"drupe": None}, False),
        (None, {"drupe": 1.0, "plumpy": 0.1}, None),
    ],
)
def test_a_target_is_reached_missed_or_cannot_be_judged(target, medians, reached) -> None:
    assert result(target, **medians).reached() is reached


def test_ratios_are_of_medians_and_noise_is_the_widest_spread() -> None:
    found = result(None, floor=2.0, drupe=4.0, plumpy=8.0)

    assert found.times("drupe", "floor") == 2.0
    assert found.times("plumpy", "drupe") == 2.0
    assert found.noise() == pytest.approx((9.0 - 2.0) / 2.0)


def test_a_side_that_breaks_says_why_and_the_others_are_measured() -> None:
    good = Work(place="bare.process:one_after_the_other", options={"size": 1})
    bad = Work(place="bare.process:one_after_the_other", options={"weight": 1})

    found = interleave({"floor": good, "drupe": bad}, runs=2)

    assert isinstance(found["floor"], Figures)
    assert len(found["floor"].wall) == 2
    assert isinstance(found["drupe"], SideError)
    assert "weight" in str(found["drupe"])


@pytest.mark.parametrize(("options", "code"), [([], 1), (["--no-fail"], 0)])
def test_a_missed_target_is_an_error_unless_it_is_allowed(options, code, monkeypatch, capsys) -> None:
    missed = result(Target("at most", 0.0), drupe=1.0)
    monkeypatch.setattr(run, "_measured", lambda row, options: missed)

    assert run.main(["listing", "--alone", *options]) == code
    assert "NO" in capsys.readouterr().out


def test_without_an_interpreter_for_plumpy_nothing_is_measured(monkeypatch, capsys) -> None:
    monkeypatch.setitem(run.OTHERS, "plumpy", Path("/nowhere/python"))
    assert run.main(["step"]) == 2
    assert "make bench" in capsys.readouterr().err


def test_the_documentation_gets_the_same_lines(monkeypatch, capsys) -> None:
    missed = result(Target("times other", 6.0), floor=1.0, drupe=2.0, plumpy=4.0)
    monkeypatch.setattr(run, "_measured", lambda row, options: missed)

    run.main(["step", "--alone", "--markdown"])

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + sum(row.group == "step" for row in run.ROWS)
    assert lines[2] == "| n | 1 s | 2 s | 4 s | 2 | 2 | ≥ 6x plumpy | 800% | NO |"
