"""What a store that is a database promises of a step's own statements: with the checkpoint, once, or not at all."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest

from drupe.core.lifecycle import State
from drupe.core.record import Change, Record
from drupe.core.statement import statement
from drupe.errors import FencedError, StatementError, StoreUnavailableError, TooLargeError
from drupe.interfaces.store import Store
from drupe.testing.clock import ManualClock
from drupe.testing.probe import CrashAt, CrashError, FailAt
from drupe.testing.store_case import LEASE, ME, Place, StoreCase, birth, born, step

Rows = Callable[[Store, str], Awaitable[list[tuple[Any, ...]]]]
"""Reads what was committed, beside the store."""

_TABLE: Final = statement("CREATE TABLE account (name TEXT PRIMARY KEY, balance INTEGER NOT NULL CHECK (balance >= 0))")
_ALL: Final = "SELECT name, balance FROM account ORDER BY name"


def put(name: str, balance: int) -> Any:
    """Get a statement that adds a row; values are written into it, since each database has other placeholders."""
    return statement(f"INSERT INTO account (name, balance) VALUES ('{name}', {balance})", rows=1)  # noqa: S608


class StoreStatementContract(StoreCase):
    """Tests of `Change.statements`; a backend's own test class overrides `rows` too."""

    @pytest.fixture
    def rows(self) -> Rows:
        """Get a function that reads from the store's database, beside the store."""
        raise NotImplementedError("a backend's test class says how its database is read")

    @pytest.fixture
    async def row(self, store: Store) -> Record:
        """Get a process whose first step made a table."""
        return await _moved(store, await born(store), statements=(_TABLE,))

    async def test_a_store_that_runs_them_says_how_they_are_written(self, store: Store) -> None:
        assert store.dialect is not None

    async def test_they_are_committed_with_their_change_in_order(self, store: Store, row: Record, rows: Rows) -> None:
        more = statement("UPDATE account SET balance = balance + 5 WHERE name = 'a'", rows=1)
        await _moved(store, row, statements=(put("a", 1), put("b", 2), more))
        assert await rows(store, _ALL) == [("a", 6), ("b", 2)]
        assert (await store.record(row.pid)).seq == 3

    async def test_a_change_that_is_saved_again_runs_them_once(self, store: Store, row: Record, rows: Rows) -> None:
        change = step(row, statements=(put("a", 1),))
        await store.save(change)
        await store.save(change)
        assert await rows(store, _ALL) == [("a", 1)]

    async def test_a_fenced_change_runs_none(self, store: Store, row: Record, rows: Rows) -> None:
        await store.claim(row.pid, owner=ME)
        with pytest.raises(FencedError):
            await store.save(step(row, statements=(put("a", 1),)))
        assert await rows(store, _ALL) == []

    @pytest.mark.parametrize(
        ("wrong", "why"),
        [
            (put("poor", -1), "INSERT INTO account"),
            (put("twice", 1), "INSERT INTO account"),
            (statement("UPDATE account SET balance = 7 WHERE name = 'nobody'", rows=1), "changed 0 rows, not 1"),
            (statement("INSERT INTO nowhere VALUES (1)"), "nowhere"),
            (statement("DELETE FROM account; DELETE FROM account"), "DELETE FROM account"),
            (statement("UPDATE process SET epoch = 0"), "UPDATE process"),
            (statement("INSERT INTO task SELECT * FROM task"), "INSERT INTO task"),
            (statement("DELETE FROM owner"), "DELETE FROM owner"),
            (statement("DROP TABLE event"), "DROP TABLE event"),
            (statement("ALTER TABLE checkpoint ADD COLUMN more TEXT"), "ALTER TABLE"),
            (statement("CREATE INDEX more ON inbox (pid)"), "CREATE INDEX"),
        ],
        ids=lambda value: None if isinstance(value, str) else value.sql,
    )
    async def test_one_that_fails_leaves_nothing_of_its_change_and_harms_no_other(
        self, store: Store, row: Record, rows: Rows, wrong: Any, why: str
    ) -> None:
        other = await born(store, "other")
        change = step(row, statements=(put("twice", 1), wrong), births=(birth("child"),))
        done = await asyncio.gather(
            store.save(step(other, statements=(put("b", 2),))), store.save(change), return_exceptions=True
        )
        assert done[0] is None
        assert isinstance(done[1], StatementError)
        assert why in str(done[1])
        assert row.pid in str(done[1])
        assert await rows(store, _ALL) == [("b", 2)]
        assert await store.record(row.pid) == row
        assert await store.find("child") == []
        await store.save(step(row))  # the process can still say what became of it

    async def test_values_are_not_in_the_error(self, store: Store, row: Record) -> None:
        mark = "?" if store.dialect == "sqlite" else "%s"
        insert = f"INSERT INTO account (name, balance) VALUES ({mark}, {mark})"  # noqa: S608
        await store.save(step(row, statements=(statement(insert, ("known", 1)),)))
        with pytest.raises(StatementError) as caught:
            await store.save(step(row, seq=4, statements=(statement(insert, ("secret", -1)),)))
        assert "secret" not in str(caught.value)

    async def test_a_constraint_that_waits_for_the_commit_is_the_step_s_own_fault(
        self, store: Store, row: Record, rows: Rows
    ) -> None:
        late = statement(
            "CREATE TABLE payment (name TEXT REFERENCES account (name) DEFERRABLE INITIALLY DEFERRED, sum INTEGER)"
        )
        row = await _moved(store, row, statements=(late,))
        other = await born(store, "other")
        done = await asyncio.gather(
            store.save(step(row, statements=(statement("INSERT INTO payment VALUES ('nobody', 1)"),))),
            store.save(step(other, statements=(put("b", 2),))),
            return_exceptions=True,
        )
        assert isinstance(done[0], StatementError)
        assert done[1] is None
        assert await rows(store, "SELECT * FROM payment") == []
        assert await rows(store, _ALL) == [("b", 2)]

    async def test_the_store_s_tables_can_be_read(self, store: Store, row: Record, rows: Rows) -> None:
        copy = statement("INSERT INTO account (name, balance) SELECT pid, seq FROM process WHERE pid = 'p1'", rows=1)
        await _moved(store, row, statements=(copy,))
        assert await rows(store, _ALL) == [("p1", 3)]

    async def test_too_much_is_refused(self, place: Place) -> None:
        store = place(clock=ManualClock(), max_bytes=1000)
        await store.open()
        await store.join(ME, lease=LEASE)
        row = await _moved(store, await born(store), statements=(_TABLE,))
        with pytest.raises(TooLargeError, match="step writes of its own"):
            await store.save(step(row, statements=(put("a" * 600, 1), put("b" * 600, 1))))
        await store.close()

    async def test_they_go_with_the_end_of_a_process_too(self, store: Store, row: Record, rows: Rows) -> None:
        await _moved(store, row, state=State.FINISHED, event="finished", statements=(put("a", 1),))
        assert await rows(store, _ALL) == [("a", 1)]

    @pytest.mark.parametrize("inside", ["store.begin", "store.apply", "store.commit", "store.committed"])
    async def test_a_crash_leaves_both_or_none(self, place: Place, rows: Rows, inside: str) -> None:
        store = place(clock=ManualClock())
        await store.open()
        await store.join(ME, lease=LEASE)
        row = await _moved(store, await born(store), statements=(_TABLE,))
        await store.close()
        store = place(clock=ManualClock(), probe=CrashAt(1, inside))
        await store.open()
        with pytest.raises(CrashError):
            await store.save(step(row, statements=(put("a", 1),)))
        await store.close()
        store = place(clock=ManualClock())
        await store.open()
        committed = inside == "store.committed"
        assert (await store.record(row.pid)).seq == (3 if committed else 2)
        assert await rows(store, _ALL) == ([("a", 1)] if committed else [])
        await store.close()

    async def test_a_commit_whose_answer_was_lost_is_not_done_again(self, place: Place, rows: Rows) -> None:
        store = place(clock=ManualClock())
        await store.open()
        await store.join(ME, lease=LEASE)
        row = await _moved(store, await born(store), statements=(_TABLE,))
        await store.close()
        store = place(
            clock=ManualClock(), probe=FailAt(1, StoreUnavailableError("the answer was lost"), "store.committed")
        )
        await store.open()
        await store.save(step(row, statements=(put("a", 1),)))
        assert await rows(store, _ALL) == [("a", 1)]
        await store.close()


async def _moved(store: Store, row: Record, **given: Any) -> Record:
    change: Change = step(row, **given)
    await store.save(change)
    return await store.record(row.pid)
