"""The diary of steps, what it is counted against, and the workers that are killed in shifts."""

import json
import sys
import textwrap
from itertools import pairwise
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "equation_of_state"))

import shifts
import step_log
import tally
import workflow
from shifts import DemoError, Shift, Workplace
from step_log import Start
from tally import Event, Life, Tally


def start(at: float, pid: str = "p", step: str = "run", worker: int = 1) -> Start:
    return Start(at=at, worker=worker, pid=pid, kind="SinglePoint", step=step, metal="Cu", volume=11.5)


def life(pid: str, *events: tuple[float, str]) -> Life:
    return Life(
        pid=pid,
        kind="SinglePoint",
        parent=None,
        state=events[-1][1],
        events=tuple(Event(at=at, state=state) for at, state in events),
    )


ONE_STEP = life("p", (0, "created"), (1, "running"), (5, "finished"))

# --- the diary ----------------------------------------------------------------------------------


def test_each_step_of_the_workflow_is_in_the_diary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    diary = tmp_path / "steps.jsonl"
    monkeypatch.setenv(step_log.VARIABLE, str(diary))

    workflow.AllMetals({"metals": ["Al"], "points": 4, "repeat": 1}).execute()

    starts = step_log.read(diary)
    assert [begun.step for begun in starts] == ["start", "look", "scan", "run", "run", "run", "run", "fit", "collect"]
    assert [begun.metal for begun in starts] == [None, *["Al"] * 7, None]
    assert len({begun.pid for begun in starts}) == 6
    assert sum(begun.volume is not None for begun in starts) == 4


def test_nothing_is_written_when_no_diary_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(step_log.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)

    workflow.SinglePoint({"metal": "Al", "volume": 16.0, "repeat": 1}).execute()

    assert list(tmp_path.iterdir()) == []


def test_a_diary_that_was_never_begun_is_empty(tmp_path: Path) -> None:
    assert step_log.read(tmp_path / "steps.jsonl") == []


def test_a_line_that_is_still_being_written_waits_for_the_next_reading(tmp_path: Path) -> None:
    diary = tmp_path / "steps.jsonl"
    line = '{"at": 1.5, "worker": 7, "pid": "p", "kind": "SinglePoint", "step": "run", "metal": "Cu", "volume": 11.5}'
    diary.write_text(f"{line}\n{line[:40]}")

    assert step_log.read(diary) == [start(1.5, worker=7)]


@pytest.mark.parametrize("line", ["nonsense", "[1, 2]", '{"at": 1.5}', '{"colour": "red"}'])
def test_a_line_that_is_no_step_is_named(tmp_path: Path, line: str) -> None:
    diary = tmp_path / "steps.jsonl"
    diary.write_text(f"{line}\n")

    with pytest.raises(ValueError, match=r"steps\.jsonl, line 1: not a step"):
        step_log.read(diary)


def test_a_step_is_named_for_people_by_its_metal_and_volume() -> None:
    assert str(start(1.0)) == "run of Cu at 11.50 Å³"


# --- the count ----------------------------------------------------------------------------------


def test_an_undisturbed_step_is_run_once() -> None:
    assert tally.count([start(2)], [ONE_STEP]) == Tally(run=1, repeated=0, committed=1, run_again=0)


def test_a_step_begun_twice_before_its_commit_was_repeated() -> None:
    assert tally.count([start(2), start(4)], [ONE_STEP]) == Tally(run=2, repeated=1, committed=1, run_again=0)


def test_a_step_begun_after_its_commit_was_run_again() -> None:
    assert tally.count([start(2), start(6)], [ONE_STEP]) == Tally(run=2, repeated=1, committed=1, run_again=1)


def test_a_step_that_never_committed_counts_as_run_only() -> None:
    unfinished = life("p", (0, "created"), (1, "running"))

    assert tally.count([start(2)], [unfinished]) == Tally(run=1, repeated=0, committed=0, run_again=0)


def test_steps_of_a_chain_are_matched_with_their_commits_in_order() -> None:
    chain = life(
        "p",
        (0, "created"),
        (1, "running"),
        (2, "running"),
        (3, "waiting"),
        (8, "running"),
        (9, "running"),
        (10, "finished"),
    )
    starts = [start(1.1, step="look"), start(2.1, step="scan"), start(8.1, step="fit"), start(8.5, step="fit")]

    assert chain.commits == [2, 3, 9, 10]  # the last is the end of the outline, where there is no step
    assert [attempt.committed for attempt in tally.attempts(starts, [chain])] == [2, 3, None, 9]
    assert tally.count(starts, [chain]) == Tally(run=4, repeated=1, committed=3, run_again=0)


def test_of_several_beginnings_the_last_before_the_commit_is_the_committed_one() -> None:
    starts = [start(2), start(4), start(6)]

    assert [attempt.committed for attempt in tally.attempts(starts, [ONE_STEP])] == [None, 5, None]


# --- the shifts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_the_moments_fall_one_into_each_part_of_the_run(seed: int) -> None:
    moments = shifts.plan(seed, kills=3, steps=72)

    assert moments == shifts.plan(seed, kills=3, steps=72)
    assert [int(moment // 24) for moment in moments] == [0, 1, 2]


def test_no_kills_need_no_moments() -> None:
    assert shifts.plan(1, kills=0, steps=72) == []


def test_progress_is_counted_in_steps_and_parts_of_the_time_that_one_takes() -> None:
    starts = [start(10.0, step="a"), start(12.0, step="b")]

    assert shifts._progress([], 1, 11.0) == 0
    assert shifts._progress(starts[:1], 1, 11.0) == 1
    assert shifts._progress(starts, 1, 12.5) == 2.25
    assert shifts._progress(starts, 1, 20.0) == 3
    assert shifts._progress([*starts, start(12.1, step="b")], 1, 12.1) == 2
    assert shifts._progress(starts, 2, 20.0) == 2  # the worker that began them is gone


WORKER = textwrap.dedent(
    """
    # A stand-in for drupe: a process of many steps that remembers in a file which it has done.
    import json, os, signal, sys, time
    from pathlib import Path
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # nothing but SIGKILL will do
    diary, done, conduct = Path(sys.argv[1]), Path("done"), sys.argv[2]
    if sys.argv[3] == "run":
        print("0123abcd", flush=True)
    else:
        assert sys.argv[3:] == ["resume", "0123abcd"], sys.argv
    if conduct == "fails at once":
        sys.exit(3)
    with Path("shifts").open("a") as file:
        file.write("x")
    last = {1: 10, 2: 20, 3: 29}.get(Path("shifts").stat().st_size) if conduct == "waits to be killed" else None
    while (step := done.stat().st_size if done.exists() else 0) < 30:
        with diary.open("a") as file:
            line = {"at": time.time(), "worker": os.getpid(), "pid": "p", "kind": "K", "step": str(step)}
            file.write(json.dumps(line) + chr(10))
        end = time.monotonic() + 0.01
        while step == last or time.monotonic() < end:
            pass
        with done.open("a") as file:
            file.write("x")
    """
)


def stand_in(folder: Path, *, script: str = WORKER, conduct: str = "ends") -> Workplace:
    """A workplace where a small script works instead of drupe."""
    return Workplace(folder=folder, command=(sys.executable, "-c", script, str(folder / "steps.jsonl"), conduct))


@pytest.mark.slow
def test_each_worker_but_the_last_is_killed_at_its_moment(tmp_path: Path) -> None:
    told: list[Shift] = []
    moments = [5.5, 17.2, 24.9]

    pid, done = shifts.run(stand_in(tmp_path, conduct="waits to be killed"), ["run", "file"], moments, told.append)

    assert pid == "0123abcd"
    assert told == done
    assert [shift.killed for shift in done] == [True, True, True, False]
    # A moment is never early; how late it is is a matter of how busy the machine is, and the stand-in's to wait for.
    assert all(shift.steps >= int(moment) for shift, moment in zip(done, moments, strict=False))
    assert done[0].steps < done[3].steps == 30
    assert all(before.ended <= after.begun for before, after in pairwise(done))


@pytest.mark.slow
def test_a_worker_that_ends_before_its_moment_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="the worker ended by itself with exit code 0"):
        shifts.run(stand_in(tmp_path), ["run", "file"], [99.0], lambda _: None)


def test_a_worker_that_fails_is_an_error_that_names_its_log(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match=r"exit code 3; what it said is in .*worker\.log"):
        shifts.run(stand_in(tmp_path, conduct="fails at once"), ["run", "file"], [], lambda _: None)


def test_a_worker_that_names_no_process_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="before it named its process"):
        shifts.run(stand_in(tmp_path, script=""), ["run", "file"], [], lambda _: None)


def test_the_pid_is_what_stands_alone_on_the_first_line(tmp_path: Path) -> None:
    place = stand_in(tmp_path)
    place.log.write_text(json.dumps({"error": "no such file"}))

    with pytest.raises(DemoError, match="before it named its process"):
        shifts._pid(place)
