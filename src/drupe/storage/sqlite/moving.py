"""A store file as one end of a move: see `drupe.interfaces.moving.Place`."""

import sqlite3
from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from drupe.core.inventory import DELAY, TABLES, Kind, Row, Table
from drupe.interfaces.ambient import Clock
from drupe.interfaces.moving import Mark, Phase, Side
from drupe.storage import crossing
from drupe.storage.sqlite import connection, schema, seal
from drupe.storage.sqlite.failure import translate

_BEREAVE: Final = """
    UPDATE process SET owner = NULL, attempts = attempts + (state IN ('created', 'running') AND NOT paused)
    WHERE owner IS NOT NULL"""
_RELEASE: Final = "UPDATE task SET holder = NULL, boot = NULL, due = NULL WHERE holder IS NOT NULL"
_LEASES: Final = "SELECT name, boot, until FROM owner ORDER BY name"
_TASKS: Final = "SELECT number, body FROM task WHERE number > ? AND holder IS NULL ORDER BY number LIMIT ?"
_SETTLE: Final = "DELETE FROM task WHERE number = ? AND holder IS NULL"
_OTHERS: Final = """
    SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"""


class SqlitePlace:
    """A store file.

    Args:
        path: the file.
        clock: where lease times come from.
        busy_timeout: how many seconds to wait for another program that is writing.
    """

    def __init__(self, path: Path, *, clock: Clock, busy_timeout: float = 10.0) -> None:
        self.path = path
        self.shown = str(path)
        self._clock = clock
        self._timeout = busy_timeout
        self._open: sqlite3.Connection | None = None

    @property
    def _db(self) -> sqlite3.Connection:
        assert self._open is not None, "the place is not open"  # noqa: S101 (a mistake in drupe)
        return self._open

    def open(self) -> None:
        with self._translated():
            self._open = connection.moving(self.path, busy_timeout=self._timeout)

    def close(self) -> None:
        db, self._open = self._open, None
        if db is not None:
            db.close()

    def identity(self) -> str:
        found = self.path.stat()
        return f"file {found.st_dev}:{found.st_ino}"

    def mark(self, side: Side) -> Mark | None:
        with self._translated():
            return seal.read(self._db, side)

    def refuse_living(self, dead: Collection[str]) -> None:
        with self._translated():
            boot, now = self._clock.boot(), self._clock.steady()
            leases = self._db.execute(_LEASES).fetchall()
        living = [name for name, of, until in leases if of == boot and now < until and name not in dead]
        if living:
            raise crossing.in_use(self.shown, living)

    def others(self) -> list[str]:
        with self._translated():
            names = [name for (name,) in self._db.execute(_OTHERS).fetchall()]
        return [name for name in names if name not in schema.TABLES and name != seal.TABLE]

    def refuse_filled(self) -> None:
        with self._translated():
            self._refuse_filled()

    def _refuse_filled(self) -> None:
        full = [
            name
            for name in sorted(schema.TABLES)
            if self._db.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone()  # noqa: S608 (a table of ours)
        ]
        if full:
            raise crossing.filled(self.shown, full, seal.read(self._db, Side.TARGET))
        seal.refuse(self._db, self.path)

    # --- the source ----------------------------------------------------------------------------------------

    def seal(self, mark: Mark, dead: Collection[str]) -> Mark:
        with self._transaction() as db:
            found = seal.read(db, Side.SOURCE)
            if found is not None:
                return found
            seal.refuse(db, self.path)
            self.refuse_living(dead)
            db.execute(_BEREAVE)
            db.execute("DELETE FROM owner")
            db.execute(_RELEASE)
            made = self._timed(mark)
            seal.write(db, made)
            return made

    def _timed(self, mark: Mark) -> Mark:
        return replace(mark, clock=crossing.rounded(self._clock.steady()), boot=self._clock.boot())

    def unseal(self, mark: Mark) -> None:
        with self._transaction() as db:
            self._refuse_other(mark)
            seal.remove(db, Side.SOURCE)

    def rows(self, table: Table, mark: Mark) -> Generator[Row]:
        flags = [at for at, column in enumerate(table.columns) if column.kind is Kind.FLAG]
        check = crossing.Check(self.shown, table)
        names = [name for name in table.names if name != DELAY]
        timed = len(names) < len(table.names)
        columns = ", ".join([*names, "boot", "due"] if timed else names)
        with self._translated():
            # The order of the key is that of the table itself, or of its index: nothing is sorted.
            found = self._db.cursor().execute(f"SELECT {columns} FROM {table.name} ORDER BY {table.order}")  # noqa: S608
            for values in found:  # one after the other: each may be large
                row = values
                if timed:
                    *others, boot, due = values
                    row = (*others, crossing.delay(due if boot == mark.boot else None, mark.clock))
                if flags:
                    row = tuple(_flag(value) if at in flags else value for at, value in enumerate(row))
                yield check(row)

    # --- the target ----------------------------------------------------------------------------------------

    def fitted(self, table: Table, row: Row) -> Row:
        return row

    def fill(self, mark: Mark, tables: Iterable[tuple[Table, Iterable[Row]]]) -> Mark:
        with self._transaction() as db:
            self._refuse_filled()
            made = self._timed(mark)
            for table, rows in tables:
                self._write(table, rows, made)
            seal.write(db, made)
            return made

    def _write(self, table: Table, rows: Iterable[Row], mark: Mark) -> None:
        names = [name for name in table.names if name != DELAY]
        timed = len(names) < len(table.names)
        columns = [*names, "boot", "due"] if timed else names
        values = ", ".join("?" * len(columns))
        self._db.executemany(
            f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({values})",  # noqa: S608 (names of columns)
            (_due(row, mark) for row in rows) if timed else rows,
        )

    def advance(self, mark: Mark, phase: Phase) -> Mark:
        with self._transaction() as db:
            self._refuse_other(mark)
            made = replace(mark, phase=phase)
            seal.write(db, made)
            return made

    def clear(self, mark: Mark) -> None:
        with self._transaction() as db:
            self._refuse_other(mark)
            seal.remove(db, Side.TARGET)
            for table in reversed(TABLES):
                db.execute(f"DELETE FROM {table.name}")  # noqa: S608 (a table of ours)

    def _refuse_other(self, mark: Mark) -> None:
        if seal.read(self._db, mark.side) != mark:
            raise crossing.changed(self.shown, mark)

    # --- tasks ---------------------------------------------------------------------------------------------

    def tasks(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        with self._translated():
            return self._db.execute(_TASKS, (after, limit)).fetchall()

    def settle(self, number: int) -> None:
        with self._transaction() as db:
            db.execute(_SETTLE, (number,))

    # --- errors --------------------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        db = self._db
        with self._translated():
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise translate(error, self.path) from error


def _flag(value: object) -> object:
    """Get what SQLite keeps as a number; anything else is left, and refused by its type."""
    return bool(value) if value in (0, 1) else value


def _due(row: Row, mark: Mark) -> Row:
    *others, delay = row
    return (*others, None, None) if delay is None else (*others, mark.boot, mark.clock + delay)
