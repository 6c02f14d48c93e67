"""A store is moved with everything in it, or is left as it is."""

import asyncio
import tracemalloc
from pathlib import Path

import pytest

from drupe.core.inventory import TABLES
from drupe.core.message import Task
from drupe.core.order import Order
from drupe.errors import (
    SettingsError,
    StoreError,
    StoreInUseError,
    StoreMovedError,
    StoreNotEmptyError,
)
from drupe.service.database import Database
from drupe.service.migrating import migrate
from drupe.service.wiring import presence_folder
from drupe.testing.probe import CrashAt, CrashError, DelayAt
from drupe.testing.store_case import born
from tests.service.moved import (
    BIG,
    NAME,
    Opened,
    execute,
    marks,
    open_once,
    picture,
    populate,
    rows_of,
    run,
    settings,
    undo,
    waiting,
    without_owner,
)

pytestmark = [pytest.mark.service("postgres"), pytest.mark.slow]


# --- what arrives ------------------------------------------------------------------------------------------


async def test_everything_arrives_as_it_was(ends):
    source, target = ends
    await populate(source, BIG)
    before = await picture(source)
    moved = run(source, target)
    assert await picture(target) == without_owner(before)
    assert before["processes"]["half-done"][0].attempts == 0
    assert await waiting(target, "q", NAME) == {
        "q": [("t0", {"n": 0}, 2), ("t1", {"n": 1}, 2), ("t3", {"n": 3}, 2)],  # t2 is due in an hour
        NAME: [("elsewhere", NAME, 1)],
    }
    assert moved.rows == {table.name: execute(target, f"SELECT count(*) FROM {table.name}")[0][0] for table in TABLES}
    assert min(moved.rows.values()) > 4
    assert marks(source) == ["moved", None]
    assert marks(target) == [None, "open"]


async def test_a_delay_goes_on_where_it_was(ends):
    source, target = ends
    await populate(source)
    run(source, target)
    (due,) = execute(target, "SELECT due FROM task WHERE id = 't2'")[0]
    clock = execute(target, "SELECT clock FROM drupe_move")[0][0]
    assert 3500 < due - clock <= 3600.01


async def test_what_comes_afterwards_follows_what_was_there(ends):
    """Numbers of orders and tasks go on, on whichever side they are given by a sequence."""
    source, target = ends
    await populate(source)
    run(source, target)
    async with Opened(target) as store:
        await store.join("next", lease=10.0)
        row = await store.claim("half-done", owner="next")
        assert (row.epoch, row.attempts) == (2, 1)
        await born(store, "new", owner="next")
        await store.tasks.put([Task(id="last", queue="q")])
        await store.ask([Order(id="last", pid="half-done", verb="pause", at=1.0)])
        assert [order.id for order in await store.orders("half-done")] == ["pause-1", "pause-3", "last"]
    assert [id for id, _, _ in (await waiting(target, "q"))["q"]][-1] == "last"


async def test_an_empty_store_can_be_moved(ends):
    source, target = ends
    await open_once(source)
    assert set(run(source, target).rows.values()) == {0}
    async with Opened(target) as store:
        await store.join("me", lease=1.0)


async def test_a_store_can_be_moved_on(new):
    first, second, third = new("file"), new("database"), new("file")
    await populate(first)
    run(first, second)
    expected = await picture(second)
    run(second, third)
    assert await picture(third) == expected
    assert marks(second) == ["moved", "open"]


async def test_damaged_bytes_are_carried_as_they_are(ends):
    source, target = ends
    await populate(source)
    broken = b"\0broken\xff"
    execute(source, "UPDATE checkpoint SET body = ? WHERE pid = 'half-done' AND seq = 13", broken)
    run(source, target)
    found = execute(target, "SELECT body, hash FROM checkpoint WHERE pid = 'half-done' AND seq = 13")
    assert bytes(found[0][0]) == broken
    async with Opened(target) as store:
        with pytest.raises(StoreError, match="differ from what was saved"):
            await store.checkpoint("half-done")
        assert (await store.checkpoint("created")).body == b"first"


async def test_a_nul_in_a_text_for_people_is_shown_as_the_database_would(to_database):
    source, target = to_database
    await populate(source)
    execute(source, "UPDATE process SET status = ? WHERE pid = 'paused'", "a\0b")
    run(source, target)
    assert execute(target, "SELECT status FROM process WHERE pid = 'paused'") == [("a␀b",)]


async def test_a_nul_anywhere_else_is_refused_and_the_source_is_as_it_was(to_database):
    source, target = to_database
    await populate(source)
    execute(source, "UPDATE inbox SET name = ? WHERE id = 's1'", "a\0b")
    with pytest.raises(StoreError, match=r"table inbox, number \d+: its name .* no NUL .* 'a\\x00b'"):
        run(source, target)
    assert marks(source) == [None, None]
    async with Opened(source) as store:
        await born(store, "new", owner=None)
    execute(source, "UPDATE inbox SET name = 'ab' WHERE id = 's1'")
    run(source, target)


async def test_a_value_of_another_type_is_refused_by_name(to_database):
    source, target = to_database
    await populate(source)
    execute(source, "UPDATE process SET epoch = 'many' WHERE pid = 'created'")
    with pytest.raises(StoreError, match=r"table process, pid created: its epoch .* expected number there, got 'many'"):
        run(source, target)
    assert marks(source) == [None, None]
    execute(source, "UPDATE process SET epoch = 1, paused = 7 WHERE pid = 'created'")
    with pytest.raises(StoreError, match=r"its paused .* expected flag there, got 7"):
        run(source, target)


async def test_the_inventory_is_the_schema(new):
    """A column that a later migration adds has to be moved, too: in every database, and in the inventory."""
    for where in (new("file"), new("database")):
        await open_once(where)
        for table in TABLES:
            if isinstance(where, Path):
                found = {name for _, name, *_ in execute(where, f"PRAGMA table_info({table.name})")}
            else:
                found = {
                    name
                    for (name,) in execute(
                        where,
                        "SELECT column_name FROM information_schema.columns"
                        " WHERE table_schema = current_schema() AND table_name = ?",
                        table.name,
                    )
                }
            named = set(table.names)
            if table.name == "task":
                named = named - {"delay"} | ({"boot", "due"} if isinstance(where, Path) else {"due"})
            assert found == named


async def test_every_table_is_in_the_inventory(new):
    file, database = new("file"), new("database")
    expected = {table.name for table in TABLES} | {"owner"}
    await open_once(file)
    await open_once(database)
    found = execute(file, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    assert {name for (name,) in found} == expected
    found = execute(database, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
    assert {name for (name,) in found} == expected | {"migration"}


async def test_large_rows_go_one_after_the_other(ends):
    """However much there is, there is but little of it in memory."""
    source, target = ends
    async with Opened(source) as store:
        for number in range(64):
            await born(store, f"p{number}", owner=None, inputs=BIG[:1_000_000])
    tracemalloc.start()
    try:
        run(source, target)
        assert tracemalloc.get_traced_memory()[1] < 16_000_000
    finally:
        tracemalloc.stop()


# --- what is refused ---------------------------------------------------------------------------------------


async def test_a_store_that_somebody_works_with_stays_as_it_is(ends):
    source, target = ends
    await populate(source)
    async with Opened(source) as store:
        await store.join("1234-abc", lease=60.0)
        with pytest.raises(StoreInUseError, match=r"program 1234 \(1234-abc\) runs processes of it.*kill -TERM 1234"):
            run(source, target)
        assert marks(source) == [None, None]
        await store.claim("created", owner="1234-abc")  # as before
        await store.leave("1234-abc")
    run(source, target)


async def test_who_is_known_to_be_dead_is_not_waited_for(ends):
    source, target = ends
    async with Opened(source) as store:
        await store.join("killed", lease=3600.0)
        await born(store, "p", owner="killed")
    run(source, target, dead={"killed"})
    row = (await rows_of(target))["p"]
    assert (row.owner, row.attempts) == (None, 1)


SHOWS_THAT_IT_LIVES = """
import sys
from pathlib import Path
from drupe.service.presence import Presence
presence = Presence(Path(sys.argv[1]))
presence.announce("killed")
print(flush=True)
input()
"""


async def test_a_program_that_was_killed_is_known_by_its_presence(tmp_path, new, program):
    """Its lease lasts an hour, and nobody waits for that."""
    source, target = tmp_path / "store.db", new("file")
    found = settings(source, tmp_path)
    async with Opened(source) as store:
        await store.join("killed", lease=3600.0)
    folder = presence_folder(found)
    child = program(SHOWS_THAT_IT_LIVES, folder)
    child.stdout.readline()
    with pytest.raises(StoreInUseError):
        migrate(found, target)
    assert not target.exists()
    child.kill()
    child.wait()
    assert migrate(found, target)[0].rows["process"] == 0


async def test_a_place_where_something_is_stays_as_it_is(ends):
    source, target = ends
    await populate(source)
    async with Opened(target) as store:
        await born(store, "theirs", owner=None)
    before = await rows_of(target)
    with pytest.raises(StoreNotEmptyError, match="in checkpoint, event, inputs, process;"):
        run(source, target)
    assert await rows_of(target) == before
    assert marks(source) == [None, None]


async def test_somebody_who_comes_to_the_target_meanwhile_keeps_what_is_theirs(ends):
    """Between the first look and the filling: it is looked at again, in the transaction that fills."""
    source, target = ends
    await populate(source)

    async def join():
        async with Opened(target) as store:
            await store.join("first", lease=60.0)

    with pytest.raises(StoreNotEmptyError, match="owner"):
        await asyncio.to_thread(run, source, target, probe=DelayAt(1, lambda: asyncio.run(join()), "move.fill"))
    assert marks(source) == [None, None]
    assert execute(target, "SELECT name FROM owner") == [("first",)]


@pytest.mark.parametrize("kind", ["file", "database"])
async def test_a_store_is_not_moved_onto_itself(kind, new, tmp_path):
    source = new(kind)
    await populate(source)
    if kind == "file":
        other = tmp_path / "link.db"
        other.symlink_to(source)
    else:
        other = Database(source.url.replace("postgresql://", "postgres://"))
    with pytest.raises(SettingsError, match="is the store that is to be moved"):
        run(source, other)
    assert marks(source) == [None, None]


async def test_a_store_goes_to_one_place_only(new):
    source, target, other = new("file"), new("database"), new("file")
    await populate(source)
    with pytest.raises(CrashError):
        run(source, target, probe=CrashAt(1, "move.filled"))
    with pytest.raises(StoreMovedError, match=r"being moved to postgresql://"):
        run(source, other)
    run(source, target)
    with pytest.raises(StoreMovedError, match=r"was moved to postgresql://.*use that one"):
        run(source, other)


async def test_another_store_at_the_place_it_was_moved_to_is_noticed(new):
    source, target = new("file"), new("file")
    await populate(source)
    run(source, target)
    target.unlink()
    await open_once(target)
    with pytest.raises(StoreMovedError, match="that is not what is there now"):
        run(source, target)
    with pytest.raises(StoreMovedError):
        undo(source, target)


async def test_tables_of_others_are_named_and_left(new, tmp_path):
    source, target = new("file"), new("file")
    await populate(source)
    execute(source, "CREATE TABLE energies (n)")
    assert migrate(settings(source, tmp_path), target)[1] == ["energies"]
