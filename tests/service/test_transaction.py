"""What a step writes with its checkpoint: exactly once, however often the step is repeated."""

import asyncio
import contextlib
import itertools
import sqlite3
from typing import Any

import pytest

from drupe import Continue, Process, Wait, WorkChain, step
from drupe.core.lifecycle import State
from drupe.errors import InvalidStateError, StatementError
from drupe.service.runner import Runner
from drupe.storage.memory import MemoryStore
from drupe.storage.sqlite import SqliteStore
from drupe.testing.crash import World, begin, crashes, undisturbed
from drupe.testing.host_case import until

TABLE = "CREATE TABLE IF NOT EXISTS ledger (line TEXT, sum INTEGER CHECK (sum > 0))"
LINE = "INSERT INTO ledger (line, sum) VALUES (?, ?)"


class Book(Process):
    """Writes three lines, one each step."""

    def run(self) -> Any:
        with self.transaction() as transaction:
            transaction.execute(TABLE)
            transaction.execute(LINE, ("first", 1), rows=1)
        return Continue(self.second)

    async def second(self) -> Any:
        async with self.transaction() as transaction:
            transaction.execute(LINE, ("second", 2), rows=1)
        await asyncio.sleep(0)
        return Continue(self.third)

    @step(thread=True)
    def third(self) -> None:
        with self.transaction() as transaction:
            transaction.execute("INSERT INTO ledger VALUES (:line, :sum)", {"line": "third", "sum": 3})


def ledger(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT line, sum FROM ledger ORDER BY rowid").fetchall()


async def test_what_a_step_writes_is_there_with_its_checkpoint(store, path):
    async with Runner(store()) as runner:
        await (await runner.launch(Book))
    assert ledger(path) == [("first", 1), ("second", 2), ("third", 3)]


@pytest.mark.untraced
def test_it_is_written_once_wherever_the_interpreter_ends(tmp_path):
    paths = (tmp_path / f"{number}.db" for number in itertools.count())
    files = []

    async def play(runner):
        await (await begin(runner, Book, pid="book"))

    def on_a_file():
        files.append(next(paths))
        return World(lambda probe, path=files[-1]: SqliteStore(path, durability="process", probe=probe))

    expected = undisturbed(on_a_file, play)
    for crash, world in crashes(on_a_file, play):
        assert world.picture() == expected, crash
        assert ledger(files[-1]) == [("first", 1), ("second", 2), ("third", 3)], crash
    assert len(files) > 20


class Wrong(Process):
    def run(self) -> Any:
        with self.transaction() as transaction:
            transaction.execute(TABLE)
            transaction.execute(LINE, ("wrong", -1))
        self.out("done", value=True)
        self.submit(Book)
        return Continue(self.run)

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.output("done")


async def test_what_the_database_refuses_ends_the_process_and_nothing_of_the_step_is_there(store):
    async with Runner(store()) as runner:
        process = await runner.launch(Wrong)
        with pytest.raises(
            StatementError, match=f"process {process.pid}: CHECK constraint failed: .*INSERT INTO ledger"
        ):
            await process
        assert process.state is State.EXCEPTED
        assert (await runner.store.record(process.pid)).state is State.EXCEPTED
        events = [event.event for event in await runner.store.history(process.pid)]
        assert events == ["created", "running", "excepted"]
        loaded = await runner.load(process.pid)
        assert "CHECK constraint" in str(loaded.exception())


class Hesitant(Process):
    """Leaves two blocks by an exception, and fails after another."""

    fails: bool

    def run(self) -> Any:
        with self.transaction() as transaction:
            transaction.execute(TABLE)
        for line in ("one", "two"):
            with contextlib.suppress(ValueError), self.transaction() as transaction:
                transaction.execute(LINE, (line, 1))
                raise ValueError
        with self.transaction() as outer:
            outer.execute(LINE, ("outer", 1))
            with self.transaction() as inner:
                inner.execute(LINE, ("inner", 1))
        return Continue(self.fail_late)

    def fail_late(self) -> None:
        with self.transaction() as transaction:
            transaction.execute(LINE, ("late", 1))
        raise ValueError("too late")


async def test_a_block_that_is_left_by_an_exception_and_a_step_that_fails_leave_nothing(store, path):
    async with Runner(store()) as runner:
        process = await runner.launch(Hesitant)
        with pytest.raises(ValueError, match="too late"):
            await process
        assert process.state is State.EXCEPTED
    assert ledger(path) == [("inner", 1), ("outer", 1)]


class Patient(Process):
    """Pauses itself, waits, and is killed while a step runs."""

    def run(self) -> Any:
        with self.transaction() as transaction:
            transaction.execute(TABLE)
            transaction.execute(LINE, ("run", 1))
        self.pause("for a while")
        return Wait(self.woken, "for somebody")

    def woken(self) -> Any:
        with self.transaction() as transaction:
            transaction.execute(LINE, ("woken", 1))
        self.kill("enough")
        return Continue(self.never)

    def never(self) -> None:
        raise AssertionError


async def test_a_pause_or_a_kill_during_the_step_takes_nothing_away(store, path):
    async with Runner(store()) as runner:
        process = await runner.launch(Patient)
        await until(lambda: process.paused)
        assert await process.play()
        assert ledger(path) == [("run", 1)]
        process.resume()
        await until(process.has_terminated)
        assert process.state is State.KILLED
    assert ledger(path) == [("run", 1), ("woken", 1)]


class Volatile(WorkChain):
    """Waits for something that cannot be saved: after a crash its first step runs again."""

    gate: "asyncio.Future[str]"

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.outline(cls.begin, cls.end)

    def begin(self) -> None:
        with self.transaction() as transaction:
            transaction.execute(TABLE)
            transaction.execute(LINE, ("begin", 1))
        self.to_context(gate=type(self).gate)

    def end(self) -> None:
        with self.transaction() as transaction:
            transaction.execute(LINE, (self.ctx.gate, 1))


async def test_a_step_that_is_repeated_because_of_what_it_waits_for_writes_once(store, path):
    for answer in (None, "open"):
        Volatile.gate = asyncio.get_running_loop().create_future()
        async with Runner(store()) as runner:
            process = await begin(runner, Volatile, pid="chain")
            await until(lambda process=process: process.state is State.WAITING)
            if answer is not None:
                assert await process.pause()
                assert await process.play()
                Volatile.gate.set_result(answer)
                await process
    assert ledger(path) == [("begin", 1), ("open", 1)]


class Anywhere(Process):
    def run(self) -> Any:
        self.transaction()


def test_without_a_database_there_is_no_transaction():
    with pytest.raises(StatementError, match="kept in no database"):
        Anywhere().execute()


async def test_a_store_in_memory_is_none():
    async with Runner(MemoryStore()) as runner:
        with pytest.raises(StatementError, match="kept in no database"):
            await (await runner.launch(Anywhere))


async def test_outside_of_a_step_there_is_none(store):
    async with Runner(store()) as runner:
        process = await runner.create(Book)
        with pytest.raises(InvalidStateError, match="in no step"):
            process.transaction()
        await process
        with pytest.raises(InvalidStateError, match="in no step"):
            process.transaction()


class Late(Process):
    async def run(self) -> Any:
        transaction = self.transaction()
        with pytest.raises(InvalidStateError, match="inside of"):
            transaction.execute(TABLE)
        async with transaction:
            transaction.execute(TABLE)
        with pytest.raises(InvalidStateError, match="inside of"):
            transaction.execute(TABLE)
        return transaction.dialect


async def test_statements_are_given_inside_of_the_block(store):
    async with Runner(store()) as runner:
        process = await runner.launch(Late)
        await process
        assert process.result() == "sqlite"
