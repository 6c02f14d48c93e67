"""The commands on real processes: what they print, for people and for programs, and what they end with."""

import json
import re
from pathlib import Path

import pytest

from drupe import __version__
from tests.cli.shell import Shell

pytestmark = pytest.mark.slow


@pytest.fixture
def drupe(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A folder in which some processes were run; its tests only look."""
    shell = Shell(tmp_path_factory.mktemp("used"))
    shell.ok("run", "flows.py:Sum", "--pid", "total")
    shell("run", "flows.py:Bad", "--pid", "bad")
    shell.ok("run", "flows.py:Double", "--input", "number=4", "--pid", "x-double")
    return shell


# --- run ---------------------------------------------------------------------------------------------------


def test_the_first_line_is_the_pid_and_the_last_ones_are_the_end(drupe: Shell) -> None:
    answer = drupe("run", "flows.py:Double", "--input", "number=3")

    pid, printed, *end = answer.out.splitlines()
    assert answer.code == 0
    assert re.fullmatch(r"[0-9a-f]{32}", pid)
    assert printed == "a word of the user"
    assert end == ["state: finished", "outputs.double: 6.0", "result: done"]
    assert f"drupe resume {pid[-8:]}" in answer.err.splitlines()[0]
    assert f"Double  {pid[-8:]}  finished" in answer.err


def test_for_programs_the_output_is_one_object_and_all_else_is_elsewhere(drupe: Shell) -> None:
    answer = drupe("run", "flows.py:Sum", "--input", "numbers=[1.5]", "--json")

    found = answer.json
    assert answer.code == 0
    assert found["state"] == "finished"
    assert found["successful"] is True
    assert found["outputs"] == {"found": {"sum": 3.0}}
    assert found["inputs"] == {"numbers": [1.5]}
    assert answer.err.splitlines()[0] == found["pid"]
    assert "a word of the user" in answer.err


def test_inputs_come_from_a_file_from_the_standard_input_and_from_flags(drupe: Shell) -> None:
    (drupe.folder / "inputs.json").write_text('{"number": 1, "cell": {"size": 2}}')

    from_file = drupe.ok("run", "flows.py:Double", "--inputs", "inputs.json", "--input", "number=5", "--json").json
    from_stdin = drupe("run", "flows.py:Double", "--inputs", "-", "--json", stdin='{"number": 2}').json

    assert from_file["inputs"] == {"number": 5.0, "cell": {"size": 2}}
    assert from_stdin["outputs"] == {"double": 4.0}


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        ("Bad", 3, ["state: excepted", "reason: ValueError: it went wrong"]),
        ("Killer", 4, ["state: killed", "reason: on purpose"]),
        ("Unlucky", 5, ["state: finished, not successful", "result: nearly"]),
    ],
)
def test_the_end_of_a_process_decides_the_exit_code(drupe: Shell, name: str, code: int, told: list[str]) -> None:
    answer = drupe("run", f"flows.py:{name}")

    assert answer.code == code
    assert answer.out.splitlines()[1:] == told
    assert "Traceback" not in answer.err


def test_a_pid_may_be_chosen_once(drupe: Shell) -> None:
    assert drupe.pid("run", "flows.py:Double", "--input", "number=1", "--pid", "mine") == "mine"

    again = drupe("run", "flows.py:Double", "--input", "number=2", "--pid", "mine")

    assert again.code == 2
    assert "mine already" in again.error


def test_a_module_can_be_run_and_its_process_resumed(drupe: Shell) -> None:
    pid = drupe.pid("run", "flows:Double", "--input", "number=1")

    assert drupe("resume", pid).out.splitlines() == [pid, "state: finished", "outputs.double: 2.0", "result: done"]


def test_children_that_nobody_waits_for_are_run_to_their_end_too(drupe: Shell) -> None:
    (drupe.folder / "parent.py").write_text(
        "import asyncio\n"
        "from drupe import Continue, Process\n"
        "class Slow(Process):\n"
        "    def run(self): return Continue(self.more, 20)\n"
        "    async def more(self, left):\n"
        "        await asyncio.sleep(0)\n"
        "        return Continue(self.more, left - 1) if left else None\n"
        "class Parent(Process):\n"
        "    def run(self): self.submit(Slow)\n"
    )

    drupe.ok("run", "parent.py:Parent")

    assert [record["state"] for record in drupe.ok("ps", "--json").json] == ["finished", "finished"]


# --- resume ------------------------------------------------------------------------------------------------


def test_resuming_what_has_ended_shows_its_end_and_ends_the_same(drupe: Shell) -> None:
    pid = drupe.pid("run", "flows.py:Bad")

    answer = drupe("resume", pid[-6:])

    assert answer.code == 3
    assert answer.out.splitlines() == [pid, "state: excepted", "reason: ValueError: it went wrong"]
    assert "was excepted already" in answer.err


def test_a_class_that_is_not_at_hand_is_named_and_nothing_is_imported_on_the_stores_word(drupe: Shell) -> None:
    with drupe.blocked() as (command, pid):
        command.kill()
    (drupe.folder / ".drupe" / "classes.toml").unlink()

    answer = drupe("resume", pid)

    assert answer.code == 9
    assert "needs the module 'flows'" in answer.err
    assert "--import FILE|MODULE" in answer.err
    assert drupe.diary() == ["first", "block"]
    assert drupe("show", pid).code == 0


def test_a_flag_brings_the_class(drupe: Shell) -> None:
    with drupe.blocked() as (command, pid):
        command.kill()
    (drupe.folder / ".drupe" / "classes.toml").unlink()

    with drupe.blocked("resume", pid, "--import", "flows.py") as (command, resumed):
        drupe.open_gate()
        assert command.wait() == 0

    assert resumed == pid
    assert drupe.diary() == ["first", "block", "block", "last"]


def test_a_listed_file_that_is_broken_is_the_reason_and_stops_no_other_class(drupe: Shell) -> None:
    (drupe.folder / "other.py").write_text(
        "from drupe import Process\nclass Other(Process):\n    def run(self): pass\n"
    )
    other = drupe.pid("run", "other.py:Other")
    with drupe.blocked() as (command, pid):
        command.kill()
    (drupe.folder / "flows.py").write_text("1 / 0")

    broken, fine = drupe("resume", pid), drupe("resume", other)

    assert broken.code == 9
    assert "line 1: ZeroDivisionError" in broken.err
    assert fine.code == 0


# --- looking -----------------------------------------------------------------------------------------------


def test_ps_lists_the_newest_first_in_columns(used: Shell) -> None:
    head, first, *others = used.ok("ps").out.splitlines()

    assert head.split() == ["PID", "CLASS", "STATE", "CREATED", "PARENT", "STATUS"]
    assert first.split()[:3] == ["x-double", "flows:Double", "finished"]
    assert len(others) == 4


@pytest.mark.parametrize(
    ("flags", "pids"),
    [
        (["--roots"], ["x-double", "bad", "total"]),
        (["--state", "excepted"], ["bad"]),
        (["--state", "EXCEPTED", "--state", "finished", "--roots"], ["x-double", "bad", "total"]),
        (["--class", "flows:Sum"], ["total"]),
        (["--paused"], []),
        (["--roots", "--limit", "1"], ["x-double"]),
        (["--roots", "--limit", "1", "--after", "x-double"], ["bad"]),
        (["--roots", "--limit", "1", "--all"], ["x-double", "bad", "total"]),
    ],
)
def test_ps_filters_and_pages(used: Shell, flags: list[str], pids: list[str]) -> None:
    assert [record["pid"] for record in used.ok("ps", "--json", *flags).json] == pids


def test_ps_finds_children_and_says_when_there_is_more(used: Shell) -> None:
    children = used.ok("ps", "--parent", "total", "--json").json

    assert [child["parent"] for child in children] == ["total", "total"]
    assert "there are more: drupe ps --after x-double" in used.ok("ps", "--limit", "1").err
    assert used.ok("ps", "--paused").err == "no processes\n"


def test_show_tells_all_about_a_process(used: Shell) -> None:
    found = used.ok("show", "total").out.splitlines()

    assert found[:3] == ["pid: total", "class: flows:Sum", "state: finished"]
    assert {"inputs.numbers: [1.0, 2.0]", "outputs.found.sum: 6.0"} <= set(found)
    assert sum(line.startswith("child: ") and "flows:Double  finished" in line for line in found) == 2


def test_show_has_the_traceback(used: Shell) -> None:
    found = used.ok("show", "bad").out

    assert "reason: ValueError: it went wrong" in found
    assert "flows.py" in found
    assert "    ValueError: it went wrong" in found.splitlines()


def test_show_for_programs_has_the_error_and_the_children(used: Shell) -> None:
    bad, total = used.ok("show", "bad", "--json").json, used.ok("--json", "show", "total").json

    assert bad["error"]["kind"] == "ValueError"
    assert "Traceback" in bad["error"]["traceback"]
    assert [child["state"] for child in total["children"]] == ["finished", "finished"]


def test_show_has_the_fields_that_a_class_declares(drupe: Shell) -> None:
    (drupe.folder / "counting.py").write_text(
        "from drupe import Process, field\n\n\n"
        "class Counting(Process):\n"
        "    count: int = field(0)\n\n"
        "    def run(self):\n"
        "        self.count += 3\n"
    )
    drupe.ok("run", "counting.py:Counting", "--pid", "c1")

    assert "fields.count: 3" in drupe.ok("show", "c1").out.splitlines()
    assert drupe.ok("show", "c1", "--json").json["fields"] == {"count": 3}


def test_a_resume_plays_what_is_paused_if_it_is_asked_to(drupe: Shell) -> None:
    (drupe.folder / "held.py").write_text(
        "import os, signal\n\nfrom drupe import Continue, Process\n\n\n"
        "class Held(Process):\n"
        "    def run(self):\n"
        "        self.pause('until the boss is back')\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        return Continue(self.go)\n\n"
        "    def go(self):\n"
        "        return 'gone'\n"
    )
    held = drupe("run", "held.py:Held", "--pid", "h1")
    assert held.code == 130
    assert "state: running, paused" in held.out
    assert "status: until the boss is back" in held.out

    played = drupe.ok("resume", "h1", "--play")
    assert played.out.splitlines()[-2:] == ["state: finished", "result: gone"]


def test_show_goes_back_to_a_checkpoint_that_is_kept(drupe: Shell) -> None:
    with drupe.blocked() as (command, pid):
        command.kill()

    first, last = (drupe.ok("show", pid, *flags, "--json").json for flags in (["--seq", "1"], []))

    assert (first["state"], first["seq"], first["checkpoints"]) == ("created", 1, [1, 2, 3])
    assert (last["state"], last["seq"], last["step"]) == ("running", 3, "block")


def test_values_of_types_that_the_project_registers_are_shown(drupe: Shell) -> None:
    (drupe.folder / "ripe.py").write_text(
        "from dataclasses import dataclass\n"
        "from drupe import Process, saveable\n"
        "@saveable\n"
        "@dataclass\n"
        "class Plum:\n"
        "    weight: float\n"
        "class Ripen(Process):\n"
        "    @classmethod\n"
        "    def define(cls, spec):\n"
        "        super().define(spec)\n"
        "        spec.output('plum', valid_type=Plum)\n"
        "    def run(self): self.out('plum', Plum(0.5))\n"
    )
    drupe.ok("run", "ripe.py:Ripen", "--pid", "ripe")

    assert "outputs.plum: Plum(weight=0.5)" in drupe.ok("show", "ripe").out.splitlines()
    assert drupe.ok("show", "ripe", "--json").json["outputs"]["plum"] == {"$ripe:Plum": {"weight": 0.5}}


def test_show_describes_a_class_and_makes_no_store(drupe: Shell) -> None:
    found = drupe.ok("show", "flows.py:Sum").out.splitlines()

    assert found == [
        "class: flows:Sum",
        "inputs.numbers: list, default computed",
        "outputs.found.sum: float, required",
        "outline: start",
        "outline: add",
    ]
    described = drupe.ok("show", "flows.py:Double", "--json").json
    assert described["inputs"]["ports"]["number"]["help"] == "Any number."
    assert not (drupe.folder / ".drupe").exists()


def test_history_is_in_order(used: Shell) -> None:
    events = used.ok("history", "total", "--json").json

    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["event"], events[-1]["event"]) == ("created", "finished")
    assert used.ok("history", "total", "--after", "1", "--limit", "1").out.split()[2] == "running"


# --- settings, help ----------------------------------------------------------------------------------------


def test_config_shows_every_setting_with_its_origin(drupe: Shell) -> None:
    (drupe.folder / "drupe.toml").write_text("lease = 5")

    answer = drupe("config", "--store", "x.db", DRUPE_DURABILITY="process", DRUPE_LEAS="1")
    found = drupe.ok("config", "--json").json["settings"]

    assert f"lease = 5.0  # {drupe.folder / 'drupe.toml'}" in answer.out
    assert f"store = {drupe.folder / 'x.db'}  # --store" in answer.out
    assert "durability = process  # $DRUPE_DURABILITY" in answer.out
    assert "$DRUPE_LEAS is none of drupe's settings" in answer.err
    assert found["retention.living"] == {"value": 10, "origin": "default"}


def test_a_store_elsewhere_is_used_and_told_in_the_resume_line(drupe: Shell) -> None:
    answer = drupe("run", "flows.py:Double", "--input", "number=1", "--store", "elsewhere/a b.db")

    assert (drupe.folder / "elsewhere" / "a b.db").exists()
    assert not (drupe.folder / ".drupe" / "store.db").exists()
    assert "--store 'elsewhere/a b.db'" in answer.err


def test_help_names_every_command_and_every_exit_code(drupe: Shell) -> None:
    text = drupe.ok("--help").out

    assert drupe.ok().out == text
    assert all(
        re.search(rf"^  {command} ", text, re.M) for command in ("run", "resume", "ps", "show", "history", "demo")
    )
    assert all(re.search(rf"^  {code} ", text, re.M) for code in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 130))
    assert drupe.ok("--version").out == f"drupe {__version__}\n"


def test_a_reader_that_goes_away_is_no_traceback(used: Shell) -> None:
    with used.started("history", "total") as command:
        assert command.stdout is not None
        command.stdout.close()
        command.wait()
        assert command.stderr is not None
        assert "Traceback" not in command.stderr.read()


# --- demo --------------------------------------------------------------------------------------------------


def test_the_demonstration_keeps_its_promises_and_leaves_nothing(drupe: Shell) -> None:
    (drupe.folder / "tmp").mkdir()

    answer = drupe("demo", TMPDIR=str(drupe.folder / "tmp"))

    assert answer.code == 0, answer
    assert "SIGKILL to worker" in answer.out
    assert "BROKEN" not in answer.out
    assert answer.out.count("✓") == 3
    assert list((drupe.folder / "tmp").iterdir()) == []


def test_the_demonstration_for_programs(drupe: Shell) -> None:
    found = json.loads(drupe.ok("demo", "--json").out)

    assert found["kept"] is True
    assert found["run_again"] == 0
    assert found["repeated"] > 0
    assert found["pi"] == pytest.approx(3.14159265359)
