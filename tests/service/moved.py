"""Stores to be moved: with something of everything in them, and what can be read of one."""

import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import psycopg

from drupe.core.lifecycle import State
from drupe.core.message import Task
from drupe.core.order import Answer, Order, Outcome
from drupe.core.record import QUARANTINED, Fence, Query, Rest
from drupe.interfaces.moving import Side
from drupe.service.database import Database
from drupe.service.moving import Move
from drupe.service.profile import load
from drupe.service.wiring import place_of
from drupe.storage.postgres import PostgresStore, address
from drupe.storage.sqlite import SqliteStore
from drupe.testing.store_case import born, ended, step, walk

BIG = bytes(range(256)) * 4096 * 3
NAME = "Ærøskøbing 🫒 'quoted' \\ \t"


def store_at(where, **given):
    if isinstance(where, Path):
        return SqliteStore(where, durability="process", **given)
    return PostgresStore(where.url, durability="process", patience=5.0, **given)


def shown(where):
    return place_of(where).shown


class Opened:
    """A store for the time of a block."""

    def __init__(self, where, **given):
        self.store = store_at(where, **given)

    async def __aenter__(self):
        await self.store.open()
        return self.store

    async def __aexit__(self, *_):
        await self.store.close()


async def populate(where, big=b"\0\xff"):
    """Have something of everything in a store; its worker is dead when that is done."""
    async with Opened(where, max_bytes=2 * len(BIG)) as store:
        await store.join("me", lease=0.001)
        for state in (State.FINISHED, State.EXCEPTED, State.KILLED):
            row = await born(store, f"end-{state}")
            await walk(store, row, 1, state=state, event=state.value, detail=NAME, status="why")
        await store.delete((await ended(store, "gone", State.KILLED)).pid)
        await born(store, "created", owner=None, inputs=big, kind="sample:Größe")
        await walk(store, await born(store, "half-done", body=big), 12)
        await walk(store, await born(store, "half-waiting"), 2, state=State.WAITING)
        await born(store, "retry", owner=None, retry_of="end-excepted", generation=3)
        parent = await born(store, "parent")
        await store.save(step(parent, births=[], state=State.WAITING))
        await born(store, "child", parent="parent", owner=None)
        await store.park(Fence("parent", parent.epoch), Rest(children=["child"]))
        for pid, rest in {"wakes": Rest(wake_at=4e9), "asks": Rest(signal="word")}.items():
            row = await walk(store, await born(store, pid), 1, state=State.WAITING, status=NAME)
            assert await store.park(Fence(pid, row.epoch), rest)
        for pid, event in {"paused": "paused", "quarantined": QUARANTINED}.items():
            row = await walk(store, await born(store, pid), 1, paused=True, status=f"{event}: by hand", event=event)
            await store.release(Fence(pid, row.epoch))
        await orders(store)
        await tasks(store)


async def orders(store):
    """Some that were answered, and some that are open."""
    for number in range(1, 4):
        order = Order(id=f"pause-{number}", pid="half-done", verb="pause", body=b"\0\xff", at=1000.0 + number)
        await store.ask([order])
    await store.answer(Fence("half-done", 1), [Answer(id="pause-2", outcome=Outcome.REFUSED, detail=NAME)])
    await store.ask([Order(id="late", pid="end-killed", verb="kill", at=2000.0)])
    signals = [Order(id=f"s{n}", pid="created", verb="signal", name=NAME, at=float(n)) for n in (2, 1)]
    await store.ask(signals)


async def tasks(store):
    """One that waits, one of another queue, one that was tried, one that is due later, one that is held."""
    await store.tasks.put([Task(id="settled", queue="q")])
    (settled,) = await store.tasks.take("q", holder="me", limit=1)
    await store.tasks.put([Task(id=f"t{n}", queue="q", body={"n": n}) for n in range(4)])
    await store.tasks.settle(settled)
    await store.tasks.put([Task(id="elsewhere", queue=NAME, body=NAME)])
    _, tried, later, _ = await store.tasks.take("q", holder="me", limit=4)
    await store.tasks.release(tried)
    await store.tasks.release(later, delay=3600.0)


async def picture(where):
    """All that a store tells of what is in it, but for its tasks."""
    async with Opened(where) as store:
        page = await store.list(Query(limit=1000))
        found = {}
        for row in page.records:
            numbers = await store.checkpoints(row.pid)
            found[row.pid] = (
                row,
                await store.inputs(row.pid),
                [await store.checkpoint(row.pid, seq) for seq in numbers],
                await store.history(row.pid),
                await store.orders(row.pid),
            )
        receipts = [await store.receipt(id) for id in ("pause-1", "pause-2", "pause-3", "late", "s1", "s2")]
        free = [row.pid for row in await store.free()]
        return {"processes": found, "receipts": receipts, "free": sorted(free), "tail": await store.find("done")}


async def waiting(where, *queues):
    """The tasks that may be taken now, with how often they were; they are put back."""
    found = {}
    async with Opened(where) as store:
        for queue in queues:
            taken = await store.tasks.take(queue, holder="test", limit=100)
            found[queue] = [(one.task.id, one.task.body, one.attempt) for one in taken]
        await store.tasks.forget("test")
    return found


def marks(where):
    """How far a move is, seen from both ends, without changing anything."""
    place = place_of(where)
    place.open()
    try:
        return [None if (mark := place.mark(side)) is None else mark.phase.value for side in Side]
    finally:
        place.close()


def place(text):
    """A place as a test names it to another program."""
    return Database(text) if text.startswith("postgresql:") else Path(text)


# --- moves -------------------------------------------------------------------------------------------------


def settings(where, tmp_path):
    store = where.url if isinstance(where, Database) else str(where)
    return load(folder=tmp_path, environment={}, flags={"store": store})


@contextmanager
def both(source, target, **given):
    with closing(place_of(source)) as here, closing(place_of(target)) as there:
        here.open()
        there.open()
        yield Move(here, there, **given)


def run(source, target, **given):
    with both(source, target, **given) as move:
        return move.run()


def undo(source, target, **given):
    with both(source, target, **given) as move:
        return move.undo()


def may_write(where):
    with closing(place_of(where)) as found:
        found.open()
        return not any(mark is not None and mark.closes for mark in map(found.mark, Side))


def execute(where, statement, *values):
    """Do something to a database beside all stores."""
    if isinstance(where, Path):
        with closing(sqlite3.connect(where, isolation_level=None)) as db:
            return db.execute(statement, values).fetchall()
    found = address.parse(where.url)
    with psycopg.connect(**found.parameters, autocommit=True) as db:
        db.execute(f"SET search_path TO {found.schema}")
        cursor = db.execute(statement.replace("?", "%s") if values else statement, values or None)
        return cursor.fetchall() if cursor.description else []


def spoil(where, statement):
    """Do it as a damaged disk would: past everything that keeps others away."""
    if not isinstance(where, Path):
        execute(where, f"SET session_replication_role = replica; {statement}")
        return
    with closing(sqlite3.connect(where, isolation_level=None)) as db:
        triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        db.execute(statement)
        for _, text in triggers:
            db.execute(text)


async def rows_of(where):
    async with Opened(where) as store:
        return {row.pid: row for row in (await store.list(Query(limit=100))).records}


async def open_once(where):
    async with Opened(where):
        pass


def without_owner(before):
    """What is to be there after the death of every owner: as a take-over leaves it."""
    processes = {}
    for pid, (row, *rest) in before["processes"].items():
        tried = row.owner is not None and row.state in ("created", "running") and not row.paused
        processes[pid] = (msgspec.structs.replace(row, owner=None, attempts=row.attempts + tried), *rest)
    return {**before, "processes": processes}
