"""`drupe doctor`: what is wrong is found, and whatever is wrong, the rest is looked at nevertheless."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from drupe.service import doctor, profile, wiring
from drupe.service.doctor import Grade
from drupe.service.presence import Presence
from drupe.testing.clock import ManualClock

DYING = """
import os, signal
from drupe import Process

class Dying(Process):
    def run(self):
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def project(tmp_path):
    return tmp_path


def settings_of(folder: Path, **flags: str) -> profile.Settings:
    return profile.load(folder=folder, environment={}, flags=flags)


async def found(folder: Path, *, clock: ManualClock | None = None, **flags: str) -> dict[str, doctor.Finding]:
    findings = await doctor.examine(settings_of(folder, **flags), clock=clock)
    assert len({finding.subject for finding in findings}) == len(findings)
    return {finding.subject: finding for finding in findings}


async def make_store(folder: Path) -> None:
    store = wiring.open_store(settings_of(folder))
    await store.open()
    await store.close()


def die(folder: Path) -> Path:
    """Leave a process behind whose program was killed while it ran, and get the file of its class.

    The file has a name that no other test's has: what one test imports is at hand in the next.
    """
    file = folder / f"dying_in_{folder.name}.py"
    file.write_text(DYING)
    ended = subprocess.run([sys.executable, "-m", "drupe", "run", f"{file.name}:Dying"], cwd=folder, check=False)
    assert ended.returncode == -signal.SIGKILL
    return file


async def test_an_empty_folder_is_well_and_stays_empty(project):
    seen = await found(project)

    assert {finding.grade for finding in seen.values()} == {Grade.GOOD}
    assert "none yet" in seen["store"].said
    assert list(project.iterdir()) == []


async def test_a_project_that_works_is_well(project):
    await make_store(project)

    seen = await found(project)

    assert {finding.grade for finding in seen.values()} == {Grade.GOOD}
    assert set(seen) == {"versions", "permissions", "store", "messages", "programs", "processes"}
    assert seen["programs"].said == "0 at work"
    assert seen["processes"].said == "none is alive"


async def test_a_folder_that_others_may_write_into_is_bad(project):
    await make_store(project)
    (project / ".drupe").chmod(0o777)

    seen = await found(project)

    assert seen["permissions"].grade is Grade.BAD
    assert seen["permissions"].advice == f"chmod go-w {project / '.drupe'}"
    assert seen["store"].grade is Grade.GOOD


async def test_a_store_of_another_program_is_bad_and_the_rest_is_looked_at(project):
    (project / ".drupe").mkdir(mode=0o700)
    (project / ".drupe/store.db").write_bytes(b"no database" * 100)

    seen = await found(project)

    assert seen["store"].grade is Grade.BAD
    assert seen["store"].advice is not None
    assert seen["permissions"].grade is Grade.GOOD


async def test_a_broker_that_cannot_be_reached_is_bad_and_one_without_keys_wants_care(project):
    await make_store(project)

    seen = await found(project, broker="amqp://127.0.0.1:1/")

    assert seen["messages"].grade is Grade.BAD
    assert "127.0.0.1:1" in seen["messages"].said
    assert seen["keys"].grade is Grade.CARE
    assert seen["processes"].grade is Grade.GOOD


async def test_keys_that_others_may_read_are_bad(project):
    (project / ".drupe").mkdir(mode=0o700)
    (project / ".drupe/keys.toml").write_text("")
    (project / ".drupe/keys.toml").chmod(0o644)

    assert (await found(project))["keys"].grade is Grade.BAD


async def test_a_module_that_cannot_be_imported_is_bad(project):
    settings = profile.load(folder=project, environment={}, flags={"imports": ["nowhere_at_all"]})

    (seen,) = [each for each in await doctor.examine(settings) if each.subject == "imports"]

    assert seen.grade is Grade.BAD
    assert "nowhere_at_all" in seen.said


async def test_a_process_of_a_program_that_was_killed_is_stuck(project):
    die(project)

    seen = await found(project)

    assert (seen["stuck"].grade, seen["programs"].said) == (Grade.CARE, "0 at work")
    assert seen["stuck"].said.startswith("1 belong to a program that is dead")
    assert "drupe worker" in seen["stuck"].advice
    assert seen["processes"].said == "1 running"


async def test_a_class_that_is_gone_is_named(project):
    file = die(project)
    file.unlink()

    assert (await found(project))["classes"].said.startswith(f"{file.stem}:Dying is not at hand here")


async def test_who_is_at_work_is_counted(project):
    await make_store(project)
    presence = Presence(wiring.presence_folder(settings_of(project)))
    presence.announce("somebody")

    seen = await found(project)

    presence.withdraw("somebody")
    assert seen["programs"].said == "1 at work"


async def test_a_clock_that_is_behind_is_told_of(project):
    die(project)

    seen = await found(project, clock=ManualClock(now=1_000_000_000.0))

    assert seen["clock"].grade is Grade.CARE
    assert "in the future" in seen["clock"].said
