"""The end of a program at any moment loses nothing that was acknowledged and leaves nothing torn."""

import asyncio
import shutil
import sqlite3
from collections import Counter
from contextlib import closing

import pytest

from drupe.core.record import Query
from drupe.storage.sqlite import SqliteStore
from drupe.testing.store_case import LEASE, ME, birth, step, walk

WRITE = """
import asyncio, sys
from drupe.storage.sqlite import SqliteStore
from drupe.testing.store_case import birth, born, step, after

async def process(store, name):
    row = await born(store, name)
    while True:
        change = step(row, body=name.encode() * 100)
        await store.save(change)
        row = after(row, change)
        print(name, row.seq, flush=True)

async def main(path, durability):
    store = SqliteStore(path, durability=durability)
    await store.open()
    await store.join("me", lease=60)
    await asyncio.gather(*(process(store, f"p{n}") for n in range(8)))

asyncio.run(main(*sys.argv[1:]))
"""

COMMIT_AND_DIE = """
import asyncio, os, signal, sys
from drupe.storage.sqlite import SqliteStore
from drupe.testing.store_case import born, step, after

async def main(path):
    store = SqliteStore(path)
    await store.open()
    await store.join("me", lease=60)
    rows = [await born(store, f"p{n}") for n in range(3)]
    for _ in range(8):
        for n, row in enumerate(rows):
            change = step(row)
            await store.save(change)
            rows[n] = after(row, change)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main(sys.argv[1]))
"""

ORDER = [f"p{n}" for n in range(3)] * 9  # what COMMIT_AND_DIE commits, one after the other
FRAME, HEADER, PAGE = 24, 32, 4096


async def look(path):
    """All rows, after a look at everything that belongs to them."""
    store = SqliteStore(path)
    await store.open()
    rows = (await store.list(Query(limit=1000))).records
    for row in rows:
        assert (await store.checkpoint(row.pid)).seq == row.seq
        assert [event.seq for event in await store.history(row.pid)] == list(range(1, row.seq + 1))
        assert await store.inputs(row.pid) == b"inputs"
    await store.close()
    return {row.pid: row for row in rows}


@pytest.mark.slow
@pytest.mark.parametrize("durability", ["full", "process"])
@pytest.mark.parametrize("lines", [1, 50, 333])
async def test_what_was_acknowledged_survives_kill_9(path, program, durability, lines):
    writer = program(WRITE, path, durability)
    told = {}
    for _ in range(lines):
        name, seq = writer.stdout.readline().split()
        told[name] = int(seq)
    writer.kill()
    # What came before is read by the same reader: `communicate` would read past the lines that it holds already.
    for line in writer.stdout:
        if not line.endswith("\n"):  # it was killed in the middle of the word
            break
        name, seq = line.split()
        told[name] = int(seq)
    rows = await look(path)
    assert {name: rows[name].seq >= seq for name, seq in told.items()} == dict.fromkeys(told, True)
    # A step is asked for after the one before it was told: at most one is there that nobody heard of.
    assert {name: rows[name].seq - seq <= 1 for name, seq in told.items()} == dict.fromkeys(told, True)


@pytest.mark.untraced
@pytest.mark.slow
async def test_a_log_cut_anywhere_is_a_prefix_of_the_commits_and_can_go_on(path, program, tmp_path):
    assert program(COMMIT_AND_DIE, path).wait() == -9
    log = (tmp_path / "store.db-wal").read_bytes()
    frames = (len(log) - HEADER) // (FRAME + PAGE)
    assert frames > 60
    lengths = []
    for frame in sorted({*range(0, frames, 2), frames}):
        for torn in (0, FRAME, FRAME + PAGE // 2):
            cut = tmp_path / f"{frame}-{torn}"
            cut.mkdir()
            shutil.copy(path, cut / "store.db")
            (cut / "store.db-wal").write_bytes(log[: HEADER + frame * (FRAME + PAGE) + torn])
            rows = await look(cut / "store.db")
            commits = sum(row.seq for row in rows.values())
            assert {pid: row.seq for pid, row in rows.items()} == Counter(ORDER[:commits])
            lengths.append(commits)
            if frame % 16 == 0:
                await go_on(cut / "store.db", rows)
            shutil.rmtree(cut)
    assert lengths == sorted(lengths)
    assert (lengths[0], lengths[-1]) == (0, len(ORDER))


async def go_on(path, rows):
    store = SqliteStore(path)
    await store.open()
    await store.join("heir", lease=LEASE)
    for pid in rows:
        await walk(store, await store.claim(pid, owner="heir", dead=[ME]), 2)
    await store.create([birth("new", owner="heir")])
    await store.close()
    assert {pid: row.seq for pid, row in (await look(path)).items()} == {
        pid: row.seq + 2 for pid, row in rows.items()
    } | {"new": 1}


async def test_a_write_that_was_not_committed_is_gone_with_its_program(path, program):
    store = SqliteStore(path)
    await store.open()
    await store.join(ME, lease=LEASE)
    (row,) = await store.create([birth()])
    other = program(
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None); db.execute('BEGIN IMMEDIATE');"
        "db.execute('UPDATE process SET seq = 99'); print('now', flush=True); sys.stdin.read()",
        path,
    )
    other.stdout.readline()
    saving = asyncio.ensure_future(store.save(step(row)))
    assert (await store.record("p1")).seq == 1  # a reader is not kept by a writer
    other.kill()
    await saving
    assert (await store.record("p1")).seq == 2
    await store.close()


async def test_no_log_is_left_behind_by_a_store_that_was_closed(path, tmp_path):
    store = SqliteStore(path)
    await store.open()
    await store.close()
    assert {file.name for file in tmp_path.iterdir()} == {"store.db", "store.db-turn"}
    assert not (tmp_path / "store.db-turn").read_bytes()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
