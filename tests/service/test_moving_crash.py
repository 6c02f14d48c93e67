"""A move may be ended at any place: the same again finishes it, or it is taken back."""

import asyncio
import contextlib
import itertools
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from drupe.core.inventory import TABLES
from drupe.errors import StoreMovedError, StoreUnavailableError
from drupe.service.database import Database
from drupe.service.migrating import migrate, take_back
from drupe.testing.probe import CrashAt, CrashError, DelayAt, Recorder
from tests.service.moved import execute, marks, may_write, picture, populate, run, settings, shown, undo, without_owner

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.service("postgres"), pytest.mark.slow]


# --- killed anywhere ---------------------------------------------------------------------------------------


def places_of(source, target):
    """All the places that a move passes."""
    recorder = Recorder()
    run(source, target, probe=recorder)
    return recorder.places


async def test_a_move_that_ends_anywhere_is_finished_by_the_next(ends, new):
    source, _ = ends
    await populate(source)
    expected = without_owner(await picture(source))
    kinds = ["file" if isinstance(end, Path) else "database" for end in ends]
    for n in itertools.count(1):
        target = new(kinds[1])
        probe = CrashAt(n)
        with contextlib.suppress(CrashError):
            run(source, target, probe=probe)
        assert probe.hit == "move.seal" or not all(map(may_write, (source, target)))
        run(source, target)
        assert may_write(target)
        assert await picture(target) == expected
        if probe.hit is None:
            break
        back = new(kinds[0])
        run(target, back)
        source = back
    assert n == 2 + (1 + len(TABLES) + 1) + (len(TABLES) + 1) + 2 + 2 + 1  # one more than there are places
    assert run(source, target).before


async def test_a_move_that_ends_anywhere_can_be_taken_back_until_the_target_is_open(ends, new):
    source, _ = ends
    await populate(source)
    expected = without_owner(await picture(source))
    kind = "file" if isinstance(ends[1], Path) else "database"
    for n in itertools.count(1):
        target, probe = new(kind), CrashAt(n)
        with contextlib.suppress(CrashError):
            run(source, target, probe=probe)
        if probe.hit in (None, "move.opened"):
            break
        assert undo(source, target) is (probe.hit != "move.seal")
        assert may_write(source)
        assert (await picture(source))["processes"].keys() == expected["processes"].keys()
        assert marks(target) == [None, None]
        assert undo(source, target) is False
        run(source, target)
        back = new("file")
        run(target, back)
        assert await picture(back) == expected
        source = back
    assert probe.hit == "move.opened"
    with pytest.raises(StoreMovedError, match="in use since"):
        undo(source, target)


async def test_taking_back_that_ends_anywhere_is_finished_by_the_next(ends, new):
    source, _ = ends
    await populate(source)
    expected = without_owner(await picture(source))
    kind = "file" if isinstance(ends[1], Path) else "database"
    for at in ("move.filled", "move.marked"):
        for n in itertools.count(1):
            target, probe = new(kind), CrashAt(n)
            with pytest.raises(CrashError):
                run(source, target, probe=CrashAt(1, at))
            try:
                undo(source, target, probe=probe)
            except CrashError:
                undo(source, target)
            assert marks(source)[0] is None
            assert marks(target) == [None, None]
            assert await picture(source) == expected
            if probe.hit is None:
                break
        assert n == 5


VICTIM = """
import itertools, os, shutil, signal, sys
from pathlib import Path
from drupe.service.migrating import migrate
from drupe.service.profile import load
from tests.service.moved import place

source, *targets = sys.argv[1:]
for n in itertools.count(1):
    copy, target = Path(f"{source}.{n}"), place(targets[n - 1])
    shutil.copy(source, copy)
    settings = load(folder=copy.parent, environment={}, flags={"store": str(copy)})
    hits = itertools.count(1)

    def probe(where):
        if next(hits) == n:
            os.write(1, f"{where} ".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        migrate(settings, target, probe=probe)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    moved, _ = migrate(settings, target)
    os.write(1, f"{os.waitstatus_to_exitcode(status)} {moved.before}\\n".encode())
    if status == 0:
        break
"""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["file", "database"])
def test_a_program_that_is_killed_at_any_place_is_followed_by_one_that_finishes(kind, new, tmp_path):
    """The real thing: SIGKILL, at each place in turn."""
    source = tmp_path / "source.db"
    asyncio.run(populate(source))
    expected = without_owner(asyncio.run(picture(source)))
    targets = [new(kind) for _ in range(30)]
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            VICTIM,
            source,
            *(where.url if isinstance(where, Database) else where for where in targets),
        ],
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    lines = [line.split() for line in found.stdout.splitlines()]
    assert lines[-1] == ["0", "True"]
    assert {status for _, status, _ in lines[:-1]} == {str(-signal.SIGKILL)}
    assert [place for place, _, before in lines[:-1] if before == "True"] == ["move.opened"]
    assert {place for place, _, _ in lines[:-1]} == set(places_of(tmp_path / "source.db", new(kind)))
    for target in targets[: len(lines)]:
        assert asyncio.run(picture(target)) == expected


# --- where databases are away ------------------------------------------------------------------------------


async def test_a_target_that_is_gone_does_not_keep_the_source_closed(to_database, tmp_path):
    source, target = to_database
    await populate(source)
    gone = Database("postgresql://me@127.0.0.1:1/db?connect_timeout=1")
    with pytest.raises(StoreUnavailableError):
        migrate(settings(source, tmp_path), gone)
    assert marks(source) == [None, None]
    with pytest.raises(CrashError):
        run(source, target, probe=CrashAt(1, "move.filled"))
    execute(source, "UPDATE drupe_move SET place = ?", shown(gone))
    assert take_back(settings(source, tmp_path), gone)
    assert marks(source) == [None, None]


async def test_what_was_to_be_filled_and_is_not_there_is_not_made_to_take_back(new, tmp_path):
    source, target = new("file"), new("file")
    await populate(source)
    assert take_back(settings(source, tmp_path), target) is False
    with pytest.raises(CrashError):
        run(source, target, probe=CrashAt(1, "move.filled"))
    target.unlink()
    assert take_back(settings(source, tmp_path), target)
    assert marks(source) == [None, None]
    run(source, target)
    target.unlink()
    with pytest.raises(StoreUnavailableError, match="there is no store"):
        take_back(settings(source, tmp_path), target)
    assert not target.exists()


async def test_what_ends_because_the_target_is_lost_stays_closed_and_goes_on(to_database, database_url):
    source, target = to_database
    await populate(source)

    def cut():
        with psycopg.connect(database_url, autocommit=True) as db:
            db.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%COPY%' AND pid <> pg_backend_pid()"
            )

    with pytest.raises(StoreUnavailableError):
        run(source, target, probe=DelayAt(3, cut, "move.table"))
    assert marks(source) == ["closed", None]
    assert marks(target) == [None, None]
    run(source, target)


async def test_a_move_that_was_taken_back_meanwhile_opens_nothing(ends):
    source, target = ends
    await populate(source)
    with pytest.raises(StoreMovedError, match="taken back"):
        run(source, target, probe=DelayAt(1, lambda: undo(source, target), "move.compared"))
    assert marks(source) == [None, None]
    assert may_write(source)


async def test_the_same_move_given_twice_at_once_is_one(ends):
    source, target = ends
    await populate(source)
    assert run(source, target, probe=DelayAt(1, lambda: run(source, target), "move.fill")).before
    assert marks(source) == ["moved", None]
    assert marks(target) == [None, "open"]


async def test_who_is_overtaken_later_says_so_and_opens_nothing_again(ends):
    source, target = ends
    await populate(source)
    with pytest.raises(StoreMovedError, match="another `drupe migrate` is at work"):
        run(source, target, probe=DelayAt(1, lambda: run(source, target), "move.compared"))
    assert marks(source) == ["moved", None]
    assert marks(target) == [None, "open"]


async def test_taking_back_at_the_last_moment_never_leaves_two_that_may_be_written(ends):
    """The source says already that it was moved, and is taken back before the target is opened."""
    source, target = ends
    await populate(source)

    def take_back_and_die():
        with contextlib.suppress(CrashError):
            undo(source, target, probe=CrashAt(1, "move.unsealed"))

    with pytest.raises(StoreMovedError, match="taken back"):
        run(source, target, probe=DelayAt(1, take_back_and_die, "move.open"))
    assert may_write(source)
    assert marks(target) == [None, "void"]
    assert undo(source, target)
    assert marks(target) == [None, None]


async def test_what_somebody_else_has_moved_there_meanwhile_stays(ends, new):
    source, target = ends
    other = new("file")
    await populate(source)
    await populate(other)
    with pytest.raises(CrashError):
        run(source, target, probe=CrashAt(1, "move.sealed"))
    run(other, target)
    expected = await picture(target)
    assert undo(source, target)
    assert may_write(source)
    assert await picture(target) == expected
