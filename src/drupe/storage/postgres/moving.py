"""A store in a database as one end of a move: see `drupe.interfaces.moving.Place`."""

from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import psycopg
from psycopg import sql

from drupe.core.inventory import DELAY, Kind, Row, Table
from drupe.interfaces.moving import Mark, Phase, Side
from drupe.storage import crossing
from drupe.storage.postgres import address, connection, seal
from drupe.storage.postgres.connection import Db
from drupe.storage.postgres.failure import translate
from drupe.storage.postgres.ownership import IS_ALIVE

_TYPES: Final = {Kind.TEXT: "text", Kind.NUMBER: "int8", Kind.REAL: "float8", Kind.FLAG: "bool", Kind.BYTES: "bytea"}
# A server is known by when it began: who has two names of one reaches it at the same moment.
_IDENTITY: Final = """
    SELECT current_database(), current_schema(), pg_postmaster_start_time()::text,
        (SELECT oid::text FROM pg_database WHERE datname = current_database())"""
_LOCK: Final = "LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE"
_LEASES: Final = f"SELECT name FROM owner WHERE {IS_ALIVE} ORDER BY name"  # noqa: S608 (written out)
_BEREAVE: Final = """
    UPDATE process SET owner = NULL, attempts = attempts + (state IN ('created', 'running') AND NOT paused)::int
    WHERE owner IS NOT NULL"""
_RELEASE: Final = "UPDATE task SET holder = NULL, due = NULL WHERE holder IS NOT NULL"
_NOW: Final = "SELECT extract(epoch FROM clock_timestamp())::float8"
_TASKS: Final = "SELECT number, body FROM task WHERE number > %s AND holder IS NULL ORDER BY number LIMIT %s"
_SETTLE: Final = "DELETE FROM task WHERE number = %s AND holder IS NULL"
_OTHERS: Final = """
    SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') ORDER BY 1"""
_NUMBERED: Final = ("inbox", "task")


class PostgresPlace:
    """A store in a PostgreSQL database.

    Args:
        url: its address, as a store takes it.

    Raises:
        SettingsError: the address cannot be, or leads to another machine without verified TLS.
    """

    def __init__(self, url: str) -> None:
        self._address = address.parse(url)
        self.shown = self._address.shown
        self._open: Db | None = None

    @property
    def _db(self) -> Db:
        assert self._open is not None, "the place is not open"  # noqa: S101 (a mistake in drupe)
        return self._open

    def open(self) -> None:
        with self._translated():
            self._open = connection.moving(self._address)

    def close(self) -> None:
        db, self._open = self._open, None
        if db is not None:
            db.close()

    def identity(self) -> str:
        with self._translated():
            return f"database {self._db.execute(_IDENTITY).fetchone()}"

    def mark(self, side: Side) -> Mark | None:
        with self._translated():
            return self._mark(side)

    def _mark(self, side: Side) -> Mark | None:
        return seal.read(self._db, self._address.schema, side)

    def refuse_living(self, dead: Collection[str]) -> None:
        with self._translated():
            leases = self._db.execute(_LEASES, {"time": None}).fetchall()
        if living := [name for (name,) in leases if name not in dead]:
            raise crossing.in_use(self.shown, living)

    def others(self) -> list[str]:
        with self._translated():
            names = [name for (name,) in self._db.execute(_OTHERS).fetchall()]
        return [name for name in names if name not in (*seal.TABLES, seal.TABLE, "migration")]

    def refuse_filled(self) -> None:
        with self._translated():
            self._refuse_filled()

    def _refuse_filled(self) -> None:
        full = [name for name in seal.TABLES if self._db.execute(_select("1", name, "LIMIT 1")).fetchone()]
        if full:
            raise crossing.filled(self.shown, full, self._mark(Side.TARGET))
        seal.refuse(self._db, self._address)

    # --- the source ----------------------------------------------------------------------------------------

    def seal(self, mark: Mark, dead: Collection[str]) -> Mark:
        with self._transaction() as db:
            found = self._mark(Side.SOURCE)
            if found is not None:
                return found
            seal.refuse(db, self._address)
            self.refuse_living(dead)
            db.execute(_BEREAVE)
            db.execute("DELETE FROM owner")
            db.execute(_RELEASE)
            made = self._timed(mark)
            seal.write(db, made)
            return made

    def _timed(self, mark: Mark) -> Mark:
        (now,) = self._db.execute(_NOW).fetchall()[0]
        return replace(mark, clock=crossing.rounded(now), boot="")

    def unseal(self, mark: Mark) -> None:
        with self._transaction() as db:
            self._refuse_other(mark)
            seal.remove(db, Side.SOURCE)

    def rows(self, table: Table, mark: Mark) -> Generator[Row]:
        check = crossing.Check(self.shown, table)
        # The order of the key is that of its index: nothing is sorted, and rows come as they are asked for.
        select = _select(", ".join(_kept(table)), table.name, f"ORDER BY {table.order}")
        copying = sql.SQL("COPY ({}) TO STDOUT (FORMAT BINARY)").format(select)
        with self._translated(), self._db.cursor() as cursor, cursor.copy(copying) as copy:
            copy.set_types(_types(table))
            for row in copy.rows():
                if DELAY in table.names:
                    *others, due = row
                    yield check((*others, crossing.delay(due, mark.clock)))
                else:
                    yield check(row)

    # --- the target ----------------------------------------------------------------------------------------

    def fitted(self, table: Table, row: Row) -> Row:
        """Get a row as PostgreSQL can hold it: it knows no NUL in a text."""
        if not any(type(value) is str and "\0" in value for value in row):
            return row
        values = list(row)
        for at, column in enumerate(table.columns):
            if type(row[at]) is not str or "\0" not in row[at]:
                continue
            if not column.told:
                raise crossing.unkept(self.shown, table, row, column.name, row[at], "PostgreSQL holds no NUL in a text")
            values[at] = row[at].replace("\0", "\N{SYMBOL FOR NULL}")  # as a process here would have written it
        return tuple(values)

    def fill(self, mark: Mark, tables: Iterable[tuple[Table, Iterable[Row]]]) -> Mark:
        with self._transaction() as db:
            self._refuse_filled()
            made = self._timed(mark)
            for table, rows in tables:
                self._write(table, rows, made)
            for name in _NUMBERED:
                db.execute(_select(f"setval(pg_get_serial_sequence('{name}', 'number'), max(number))", name))
            seal.write(db, made)
            return made

    def _write(self, table: Table, rows: Iterable[Row], mark: Mark) -> None:
        names = sql.SQL(", ").join(map(sql.Identifier, _kept(table)))
        copying = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(sql.Identifier(table.name), names)
        with self._db.cursor() as cursor, cursor.copy(copying) as copy:
            copy.set_types(_types(table))
            for row in rows:
                if DELAY in table.names and row[-1] is not None:
                    copy.write_row((*row[:-1], mark.clock + row[-1]))
                else:
                    copy.write_row(row)

    def advance(self, mark: Mark, phase: Phase) -> Mark:
        with self._transaction() as db:
            self._refuse_other(mark)
            made = replace(mark, phase=phase)
            seal.write(db, made)
        if phase is Phase.OPEN:
            with self._translated():
                db.execute(f"ANALYZE {', '.join(seal.TABLES)}")
        return made

    def clear(self, mark: Mark) -> None:
        with self._transaction() as db:
            self._refuse_other(mark)
            seal.remove(db, Side.TARGET)
            db.execute(f"TRUNCATE {', '.join(seal.TABLES)} RESTART IDENTITY")

    def _refuse_other(self, mark: Mark) -> None:
        if self._mark(mark.side) != mark:
            raise crossing.changed(self.shown, mark)

    # --- tasks ---------------------------------------------------------------------------------------------

    def tasks(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        with self._translated():
            return [(number, body) for number, body in self._db.execute(_TASKS, (after, limit)).fetchall()]

    def settle(self, number: int) -> None:
        with self._translated():
            self._db.execute(_SETTLE, (number,))

    # --- errors --------------------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[Db]:
        """Have a transaction in which nobody else writes to the store."""
        db = self._db
        with self._translated(), db.transaction():
            db.execute(_LOCK.format(", ".join(seal.TABLES)))
            yield db

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (psycopg.Error, OSError) as error:
            raise translate(error, self.shown) from error


def _kept(table: Table) -> list[str]:
    return ["due" if name == DELAY else name for name in table.names]


def _types(table: Table) -> list[str]:
    return [_TYPES[column.kind] for column in table.columns]


def _select(what: str, table: str, rest: str = "") -> Any:
    return sql.SQL("SELECT {} FROM {} {}").format(sql.SQL(what), sql.Identifier(table), sql.SQL(rest))
