"""A disk that is full, read-only, remote or in use: a typed error that names the file and what to do; then on it goes."""

import asyncio
import os
import resource
import shutil
import sqlite3
import stat
import subprocess
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from drupe.core.record import birth_record
from drupe.errors import FencedError, StoreError, StoreUnavailableError
from drupe.runtime.clock import SystemClock
from drupe.storage.sqlite import SqliteStore, connection, file
from drupe.testing.store_case import LEASE, ME, after, birth, born, step, walk

NOBODY = 65534


async def opened(path, **settings):
    store = SqliteStore(path, **settings)
    await store.open()
    await store.join(ME, lease=LEASE)
    return store


# --- full ------------------------------------------------------------------------------------------------------


@contextmanager
def files_limited_to(size):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_file_that_may_not_grow_refuses_and_goes_on_later(path):
    store = await opened(path)
    row = await born(store)
    with files_limited_to(len(log(path)) + 10_000), pytest.raises(StoreUnavailableError) as error:
        await store.save(step(row, body=bytes(100_000)))
    assert str(path) in str(error.value)
    assert await store.record("p1") == row
    row = await walk(store, row, 3, body=bytes(100_000))
    assert await store.record("p1") == row
    await store.close()


def log(path):
    return path.with_name(f"{path.name}-wal").read_bytes()


async def test_a_full_store_refuses_what_does_not_fit_and_goes_on_later(path, monkeypatch):
    made = []
    monkeypatch.setattr(
        connection, "writing", lambda *a, _of=connection.writing, **k: made.append(_of(*a, **k)) or made[0]
    )
    store = await opened(path)
    rows = await store.create([birth(f"p{n}") for n in range(4)])
    (pages,) = made[0].execute("PRAGMA page_count").fetchone()
    made[0].execute(f"PRAGMA max_page_count = {pages + 3}")
    changes = [step(row, body=bytes(100_000 if n == 2 else 10)) for n, row in enumerate(rows)]
    asked = [store.save(change) for change in changes]  # together: one that does not fit, three that do
    for n, future in enumerate(asked):
        if n == 2:
            with pytest.raises(StoreUnavailableError, match=r"no space.*free some"):
                await future
        else:
            await future
    assert [(await store.record(row.pid)).seq for row in rows] == [2, 2, 1, 2]
    made[0].execute("PRAGMA max_page_count = 1000000")
    await store.save(changes[2])
    await store.close()


@pytest.fixture
def small_disk():
    """A folder on a disk of 1 MB."""
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], check=False, capture_output=True
        )
        if mounted.returncode:
            pytest.skip("no right to mount a small disk")
        yield Path(folder)
        subprocess.run(["umount", "--lazy", folder], check=True)


def enlarge(disk):
    subprocess.run(["mount", "-o", "remount,size=8m", disk], check=True)


async def test_a_full_disk_loses_nothing_that_was_committed(small_disk):
    path = small_disk / "store.db"
    store = await opened(path)
    row, failure = await born(store), None
    while failure is None:
        change = step(row, body=bytes(20_000))
        try:
            await store.save(change)
        except StoreUnavailableError as error:
            failure = error
        else:
            row = after(row, change)
    assert "no space" in str(failure)
    with pytest.raises(StoreUnavailableError):
        await store.save(change)
    assert await store.record("p1") == row
    enlarge(small_disk)
    await store.save(change)
    await store.close()
    await store.open()
    assert await store.record("p1") == after(row, change)
    await store.close()


# --- not to be written -------------------------------------------------------------------------------------------


@pytest.fixture
def unprivileged():
    """A folder of somebody who may not do everything, and the right to no more than that for the test."""
    folder = Path(tempfile.mkdtemp())
    root = os.geteuid() == 0
    SystemClock().boot()  # what Python loads when first needed, it may not be able to load then
    if root:
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        shutil.rmtree(folder)


async def test_a_read_only_folder_is_refused(unprivileged):
    unprivileged.chmod(0o500)
    await refused(unprivileged / "store.db", "permission")
    await refused(unprivileged / ".drupe" / "store.db", "permission")
    assert list(unprivileged.iterdir()) == []


async def test_a_read_only_file_is_refused(unprivileged):
    path = unprivileged / "store.db"
    await (await opened(path)).close()
    path.chmod(0o400)
    await refused(path, "permission")


async def test_a_file_in_a_read_only_folder_is_refused(unprivileged):
    path = unprivileged / "store.db"
    await (await opened(path)).close()
    unprivileged.chmod(0o500)
    await refused(path, "permission|folder")
    unprivileged.chmod(0o700)


async def test_an_unreadable_file_is_refused(unprivileged):
    path = unprivileged / "store.db"
    await (await opened(path)).close()
    path.chmod(0)
    await refused(path, "open")


async def test_a_folder_is_refused(tmp_path):
    await refused(tmp_path, "open")


async def test_a_file_as_a_folder_is_refused(path):
    path.touch()
    await refused(path / "store.db", "folder")


async def refused(path, what):
    store = SqliteStore(path)
    with pytest.raises(StoreUnavailableError, match=what) as error:
        await store.open()
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(StoreUnavailableError, match="not open"):
        await store.save(step(birth_record(birth())))
    await store.close()


async def test_folder_and_file_are_for_their_owner_only(tmp_path):
    path = tmp_path / ".drupe" / "store.db"
    store = await opened(path)
    await born(store)
    modes = {found.name: stat.S_IMODE(found.stat().st_mode) for found in (path.parent, *path.parent.iterdir())}
    assert modes.pop(".drupe") == 0o700
    assert modes == dict.fromkeys(("store.db", "store.db-wal", "store.db-shm", "store.db-turn"), 0o600)
    await store.close()


# --- in use by another program -----------------------------------------------------------------------------------

HOLD = (
    "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None); db.execute('BEGIN IMMEDIATE');"
    " print('now', flush=True); sys.stdin.read()"
)


async def test_a_store_that_is_locked_for_too_long_is_refused_to_writers_only(path, program):
    store = await opened(path, busy_timeout=0.1)
    rows = await store.create([birth("p1"), birth("p2")])
    holder = program(HOLD, path)
    holder.stdout.readline()
    asked = [store.save(step(row)) for row in rows]
    for future in asked:
        with pytest.raises(StoreUnavailableError, match="locked for too long"):
            await future
    assert await store.record("p1") == rows[0]
    late = SqliteStore(path, busy_timeout=0.1)
    with pytest.raises(StoreUnavailableError, match="locked for too long"):
        await late.open()
    holder.kill()
    holder.wait()
    await store.save(step(rows[0]))
    await late.open()
    assert (await late.record("p1")).seq == 2
    await late.close()
    await store.close()


async def test_a_new_store_waits_for_who_else_is_making_it(path, program):
    """SQLite does not wait by itself when the journal of a new file is switched."""
    holder = program(HOLD.replace("IMMEDIATE", "EXCLUSIVE").replace("sys.stdin.read()", "sys.stdin.readline()"), path)
    holder.stdout.readline()
    impatient = SqliteStore(path, busy_timeout=0.05)
    with pytest.raises(StoreUnavailableError, match="locked for too long"):
        await impatient.open()
    patient = SqliteStore(path)
    opening = asyncio.ensure_future(patient.open())
    await asyncio.wait([opening], timeout=0.1)
    assert not opening.done()
    holder.stdin.write("go\n")
    await opening
    await patient.close()


@pytest.mark.parametrize("found", [sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR])
def test_the_journal_is_switched_as_soon_as_it_can_be(found):
    class Busy:
        asked = 0

        def execute(self, _):
            self.asked += 1
            if self.asked < 3:
                error = sqlite3.OperationalError("database is locked")
                error.sqlite_errorcode = found
                raise error
            return self

        def fetchone(self):
            return ("wal",)

    db = Busy()
    if found == sqlite3.SQLITE_BUSY:
        connection._use_wal(db, 10)
        assert db.asked == 3
    else:
        with pytest.raises(sqlite3.OperationalError):
            connection._use_wal(db, 10)
        assert db.asked == 1


WRITE = """
import asyncio, sys
from drupe.storage.sqlite import SqliteStore
from drupe.testing.store_case import born, walk

async def main(path, owner):
    store = SqliteStore(path)
    print("ready", flush=True)
    sys.stdin.readline()
    await store.open()
    await store.join(owner, lease=60)
    rows = [await born(store, f"{owner}-{n}", owner=owner) for n in range(3)]
    await asyncio.gather(*(walk(store, row, 40) for row in rows))
    await store.close()

asyncio.run(main(*sys.argv[1:]))
"""


def test_a_store_that_another_program_makes_meanwhile_is_no_foreign_one(path):
    """It was refused once in a thousand: its mark was looked for before it was made, and its tables after."""
    with closing(sqlite3.connect(path)) as db:

        class Looking:
            made = False

            def execute(self, statement):
                found = db.execute(statement).fetchone()
                if not self.made:
                    self.made = True
                    connection.writing(path, durability="process", busy_timeout=1).close()
                return SimpleNamespace(fetchone=lambda: found)

        file.refuse_foreign_database(Looking(), path)

        assert db.execute("PRAGMA application_id").fetchone() == (file.APPLICATION_ID,)


@pytest.mark.slow
async def test_several_programs_make_and_write_one_store_together(path, program):
    writers = [program(WRITE, path, f"owner{n}") for n in range(3)]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    store = await opened(path)
    for pid in (f"owner{n}-{m}" for n in range(3) for m in range(3)):
        assert (await store.record(pid)).seq == 41
        assert len(await store.history(pid)) == 41
    await store.close()


# --- file systems of the network ---------------------------------------------------------------------------------

MOUNTS = """\
/dev/vda / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
server:/home /home nfs4 rw,vers=4.2 0 0
/dev/vdb /home/ann/scratch xfs rw 0 0
//pc/share /mnt/my\\040share cifs rw 0 0
user@host:/ /mnt/far fuse.sshfs rw 0 0
10.0.0.1@tcp:/fs /lustre lustre rw 0 0
none /work 9p rw 0 0
broken line
"""


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/srv/store.db", None),
        ("/homework/store.db", None),
        ("/home/ann/.drupe/store.db", ("/home", "nfs4")),
        ("/home/ann/scratch/store.db", None),
        ("/mnt/my share/store.db", ("/mnt/my share", "cifs")),
        ("/mnt/far/store.db", ("/mnt/far", "fuse.sshfs")),
        ("/lustre/a/b/c/store.db", ("/lustre", "lustre")),
        ("/work/store.db", None),
    ],
)
def test_a_network_file_system_is_recognised_by_its_mount(path, found):
    assert file.network_mount(Path(path), MOUNTS) == found


def test_a_local_disk_mounted_over_a_remote_one_is_local():
    assert file.network_mount(Path("/home/x"), MOUNTS + "/dev/vdc /home ext4 rw 0 0\n") is None


async def test_a_network_file_system_is_refused_and_the_setting_named(path, tmp_path, monkeypatch):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/x {tmp_path} nfs rw 0 0\n")
    monkeypatch.setattr(file, "_MOUNTS", mounts)
    await refused(path, "nfs.*`store`")
    assert not path.exists()


async def test_a_system_without_a_list_of_mounts_is_trusted(path, tmp_path, monkeypatch):
    monkeypatch.setattr(file, "_MOUNTS", tmp_path / "nothing")
    await (await opened(path)).close()


# --- values --------------------------------------------------------------------------------------------------------


async def test_a_text_that_is_not_unicode_is_refused_and_touches_nothing_else(path):
    store = await opened(path)
    rows = await store.create([birth("p1"), birth("p2")])
    bad, good = store.save(step(rows[0], detail="\udcff")), store.save(step(rows[1]))
    with pytest.raises(StoreError, match="UnicodeEncodeError"):
        await bad
    await good
    assert await store.record("p1") == rows[0]
    with pytest.raises(StoreError):
        await store.record("\udcff")
    await store.close()


async def test_synchronous_is_what_the_durability_needs(path, monkeypatch):
    found = []
    for durability, level in (("full", 2), ("process", 1)):
        db = connection.writing(path, durability=durability, busy_timeout=1)
        found.append(
            [db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode", "foreign_keys")]
        )
        assert found[-1] == [level, "wal", 1]
        db.close()
    with pytest.raises(sqlite3.OperationalError):
        connection.reading(path, busy_timeout=1).execute("DELETE FROM process")


async def test_a_fenced_write_leaves_the_file_as_it_is(path):
    store = await opened(path)
    row = await born(store)
    before = log(path)
    with pytest.raises(FencedError):
        await store.save(step(row, epoch=9))
    assert log(path) == before
    await store.close()
