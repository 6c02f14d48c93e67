"""Nobody can ever write to both ends of a move, and what differs is never used."""

import asyncio
import re
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import ClassVar

import psycopg
import pytest

from drupe.core.inventory import TABLES
from drupe.core.message import Task
from drupe.core.order import Order
from drupe.engine.process import Process
from drupe.engine.registry import ClassRegistry
from drupe.errors import FencedError, StatementError, StoreDiffersError, StoreMovedError, StoreNotEmptyError
from drupe.service.runner import Runner
from drupe.storage.sqlite.failure import translate
from drupe.testing.probe import CrashAt, CrashError, DelayAt
from drupe.testing.store_case import birth, born
from tests.service.moved import Opened, execute, marks, populate, rows_of, run, shown, spoil, store_at, undo
from tests.service.samples import Gate, Sum

pytestmark = [pytest.mark.service("postgres"), pytest.mark.slow]


# --- nobody writes to both ---------------------------------------------------------------------------------


async def test_a_program_that_has_the_source_open_is_refused_from_then_on(ends):
    source, target = ends
    await populate(source)
    async with Opened(source) as store:
        run(source, target)
        for write in (
            partial(store.create, [birth("new", owner=None)]),
            partial(store.join, "late", lease=1.0),
            partial(store.delete, "end-killed"),
            partial(store.ask, [Order(id="new", pid="created", verb="pause", at=1.0)]),
            partial(store.tasks.put, [Task(id="new", queue="q")]),
            partial(store.tasks.take, "q", holder="late", limit=1),
        ):
            with pytest.raises(StoreMovedError, match=f"moved to {re.escape(shown(target))}: use that one"):
                await write()
        assert (await store.record("created")).pid == "created"  # reading goes on
    with pytest.raises(StoreMovedError, match="was moved to"):
        await store_at(source).open()


async def test_the_target_is_closed_until_it_was_compared(ends):
    source, target = ends
    await populate(source)
    with pytest.raises(CrashError):
        run(source, target, probe=CrashAt(1, "move.compared"))
    for where, words in ((source, "is being moved"), (target, "is being filled")):
        with pytest.raises(StoreMovedError, match=words):
            await store_at(where).open()


TRIGGERED = [table.name for table in TABLES] + ["owner"]


@pytest.mark.parametrize("table", TRIGGERED)
async def test_every_table_of_a_closed_store_refuses_every_write(table, ends):
    source, target = ends
    await populate(source)
    with pytest.raises(CrashError):
        run(source, target, probe=CrashAt(1, "move.sealed"))
    key = {"owner": "name", "inbox": "id", "task": "id"}.get(table, "pid")
    statements = [
        f"DELETE FROM {table}",
        f"UPDATE {table} SET {key} = {key}",
        f"INSERT INTO {table} ({key}) VALUES ('x')",
    ]
    if not isinstance(source, Path):
        statements.append(f"TRUNCATE {table}")
    for statement in statements[2:] if table == "owner" else statements:  # nobody is there
        with pytest.raises((sqlite3.IntegrityError, psycopg.Error), match="being moved"):
            execute(source, statement)


def test_a_trigger_of_somebody_else_is_another_matter():
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE energies (n)")
        db.execute("CREATE TRIGGER mine BEFORE INSERT ON energies BEGIN SELECT RAISE(ABORT, 'too high'); END")
        with pytest.raises(sqlite3.IntegrityError) as refusal:
            db.execute("INSERT INTO energies VALUES (1)")
    assert isinstance(translate(refusal.value, Path("here.db")), StatementError)


async def test_a_store_that_is_being_filled_is_not_moved_on(ends, new):
    source, target = ends
    await populate(source)
    with pytest.raises(CrashError):
        run(source, target, probe=CrashAt(1, "move.filled"))
    with pytest.raises(StoreMovedError, match="is being filled from"):
        run(target, new("file"))


# --- what differs ------------------------------------------------------------------------------------------

CHANGES = {
    "a value": (
        "UPDATE checkpoint SET at = 7 WHERE pid = 'child'",
        r"checkpoint, pid child, seq 1: its at was 1000.0 and is 7.0",
    ),
    "a text": (
        "UPDATE process SET status = 'x' WHERE pid = 'asks'",
        "process, pid asks: its status was .*Ærø.* and is 'x'",
    ),
    "one that is lost": (
        "DELETE FROM event WHERE pid = 'paused' AND seq = 2",
        r"event, pid paused, seq 2: it is in SOURCE only",
    ),
    "the last one": ("DELETE FROM task WHERE id = 'elsewhere'", r"task, number \d+: it is in SOURCE only"),
    "one too many": (
        "INSERT INTO inputs (pid, hash, body) VALUES ('zzz', BLOB, BLOB)",
        "inputs, pid zzz: it is in TARGET only",
    ),
}


@pytest.mark.parametrize("what", CHANGES)
async def test_a_difference_is_named_and_the_source_is_as_it_was(what, ends):
    source, target = ends
    await populate(source)
    statement, words = CHANGES[what]
    blob = "x'00'" if isinstance(target, Path) else r"'\x00'"
    words = words.replace("SOURCE", re.escape(shown(source))).replace("TARGET", re.escape(shown(target)))
    with pytest.raises(StoreDiffersError, match=words):
        run(source, target, probe=DelayAt(1, lambda: spoil(target, statement.replace("BLOB", blob)), "move.filled"))
    assert marks(source) == [None, None]
    assert marks(target) == [None, "closed"]
    async with Opened(source) as store:
        await born(store, "goes-on", owner=None)
    with pytest.raises(StoreNotEmptyError, match="--undo"):
        run(source, target)
    assert undo(source, target)
    run(source, target)
    assert "goes-on" in (await rows_of(target))


# --- who is surprised --------------------------------------------------------------------------------------


class Parent(Process):
    """Has a child in the middle of a step."""

    gate: ClassVar[Gate]
    failed: ClassVar[list[str]] = []

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("total")

    async def run(self):
        await Parent.gate.pass_through()
        found = await self.submit(Sum, numbers=[1, 2])
        self.out("total", found["total"])

    def on_except(self, reason):
        self.failed.append(reason)


async def test_a_step_whose_store_was_moved_is_given_up_and_runs_where_it_went(ends):
    """Its worker was silent for longer than its lease, and was taken for dead."""
    source, target = ends
    Parent.gate = Gate()
    async with Runner(store_at(source), registry=ClassRegistry(Process)) as runner:
        process = await runner.launch(Parent)
        await Parent.gate.reached.wait()
        await asyncio.to_thread(run, source, target, dead={runner.owner})
        Parent.gate.open.set()
        with pytest.raises((StoreMovedError, FencedError)):
            await process
        assert Parent.failed == []
    async with Runner(store_at(target), registry=ClassRegistry(Process)) as runner:
        process = await runner.resume(process.pid)
        await process
        assert process.outputs["total"] == 3
