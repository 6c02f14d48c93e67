"""A file that is not a store is left alone; a damaged one fails where it is damaged, and nowhere else."""

import random
import shutil
import sqlite3
from contextlib import closing

import pytest

from drupe.core.record import Query
from drupe.errors import CorruptedError, DrupeError, StoreFormatError
from drupe.storage.sqlite import SqliteStore, file, schema
from drupe.testing.store_case import LEASE, ME, birth, step


def body(number, what):
    return random.Random(f"{number} {what}").randbytes(700)


async def make(path, processes=12):
    store = SqliteStore(path)
    await store.open()
    await store.join(ME, lease=LEASE)
    for number in range(processes):
        (row,) = await store.create([birth(f"p{number}", inputs=body(number, "inputs"), body=body(number, 1))])
        await store.save(step(row, body=body(number, 2)))
    await store.close()


def flip(path, offset, bit=0):
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 1 << bit]))


# --- files that are something else ---------------------------------------------------------------------------


async def test_a_text_is_no_store_and_stays_as_it_is(path, tmp_path):
    path.write_text("dear diary" * 100)
    await refused(path, tmp_path, "not a drupe store")


async def test_a_few_bytes_are_no_store(path, tmp_path):
    path.write_bytes(b"SQLite")
    await refused(path, tmp_path, "not a drupe store")


@pytest.mark.parametrize("mark", [0, 7])
@pytest.mark.parametrize("journal", ["delete", "wal"])
async def test_a_database_of_another_program_is_no_store(path, tmp_path, mark, journal):
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA application_id = {mark}")
        db.execute(f"PRAGMA journal_mode = {journal}")
        db.execute("CREATE TABLE process (pid)")
        db.commit()
    await refused(path, tmp_path, "another program")


async def test_a_store_of_a_newer_version_says_what_to_do(path, tmp_path):
    await make(path, 1)
    newest = max(schema.migrations())
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {newest + 3}")
    await refused(path, tmp_path, f"version {newest + 3}.*up to {newest}.*upgrade drupe")


async def refused(path, folder, what):
    before, there = path.read_bytes(), set(folder.iterdir())
    store = SqliteStore(path)
    with pytest.raises(StoreFormatError, match=what) as error:
        await store.open()
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    await store.close()
    assert path.read_bytes() == before
    assert set(folder.iterdir()) == there


async def test_an_empty_file_becomes_a_store(path):
    path.touch()
    await make(path, 1)
    store = SqliteStore(path)
    await store.open()
    assert (await store.record("p0")).seq == 2
    await store.close()


async def test_a_file_to_which_another_program_is_writing_is_not_taken_for_a_damaged_one(path, tmp_path):
    """The log is written back page by page, the first one first: without a lock, half of it is what there is to see."""
    await make(path, 1)
    content = path.read_bytes()
    path.write_bytes(content[:4096])
    file.refuse_foreign(path)
    store = SqliteStore(path)
    with pytest.raises(CorruptedError, match="damaged"):
        await store.open()
    assert path.read_bytes() == content[:4096]
    path.write_bytes(content)
    await store.open()
    assert (await store.record("p0")).seq == 2
    await store.close()


# --- flipped bits --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("what", "read"), [("inputs", "inputs"), (2, "checkpoint")])
async def test_a_flipped_bit_in_saved_bytes_is_found_and_touches_one_process_only(path, what, read):
    await make(path)
    content = path.read_bytes()
    # Large values are continued on pages of their own: the start of this one is enough to find it.
    flip(path, content.index(body(5, what)[:64]) + 40)
    store = SqliteStore(path)
    await store.open()
    with pytest.raises(CorruptedError, match="p5"):
        await getattr(store, read)("p5")
    for number in (0, 4, 6, 11):
        assert await store.inputs(f"p{number}") == body(number, "inputs")
        assert (await store.checkpoint(f"p{number}")).body == body(number, 2)
    assert len((await store.list(Query())).records) == 12
    await store.close()


@pytest.mark.slow
async def test_a_flipped_bit_anywhere_never_yields_other_bytes_than_were_saved(path, tmp_path):
    await make(path)
    size = path.stat().st_size
    copy = tmp_path / "copy.db"
    failures = 0
    for bit in range(0, size * 8, size * 8 // 150 | 1):
        shutil.copy(path, copy)
        flip(copy, bit // 8, bit % 8)
        failures += await faults(copy)
    assert failures > 0


async def faults(path):
    """How many reads are refused; those that are not must be right."""
    store = SqliteStore(path)
    refused = 0
    try:
        await store.open()
    except DrupeError:
        return 1
    for number in range(12):
        for read, expected in ((store.inputs, body(number, "inputs")), (last_body(store), body(number, 2))):
            try:
                assert await read(f"p{number}") in (expected, body(number, 1))
            except DrupeError:
                refused += 1
    await store.close()
    return refused


def last_body(store):
    async def read(pid):
        return (await store.checkpoint(pid)).body

    return read


@pytest.mark.parametrize("column", ["state = 'ruoning'", "digest = 5", "status = CAST(x'ff80' AS TEXT), seq = 'x'"])
async def test_a_damaged_row_is_refused_by_name_and_left_out_of_lists(path, column):
    await make(path, 3)
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"UPDATE process SET {column} WHERE pid = 'p1'")
        db.commit()
    store = SqliteStore(path)
    await store.open()
    with pytest.raises(CorruptedError, match="p1"):
        await store.record("p1")
    assert [row.pid for row in (await store.list(Query())).records if row.pid != "p1"] == ["p2", "p0"]
    assert (await store.claim("p2", owner=ME)).epoch == 2
    with pytest.raises(CorruptedError, match="p1"):
        await store.claim("p1", owner=ME)
    await store.close()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE process SET state = 'ruoning' WHERE pid = 'p1'",
        "UPDATE inputs SET body = x'00' WHERE pid = 'p1'",
        "UPDATE checkpoint SET hash = x'00' WHERE pid = 'p1'",
        "DELETE FROM checkpoint WHERE pid = 'p1'",
    ],
)
async def test_of_many_that_are_claimed_what_is_damaged_is_left_as_it_is(path, damage):
    await make(path, 3)
    with closing(sqlite3.connect(path)) as db:
        db.execute(damage)
        db.execute("UPDATE process SET owner = NULL")
        db.commit()
    store = SqliteStore(path)
    await store.open()
    claimed = await store.claim_many(["p0", "p1", "p2"], owner=ME)
    assert [one.record.pid for one in claimed] == ["p0", "p2"]
    await store.close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT owner, epoch FROM process WHERE pid = 'p1'").fetchone() == (None, 1)
