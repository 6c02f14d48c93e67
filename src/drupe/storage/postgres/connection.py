"""Connections to the database, set up the one way that the rest relies on."""

import functools
from dataclasses import dataclass
from typing import Any, Final, Literal

import psycopg

from drupe.storage.postgres import column, schema, seal
from drupe.storage.postgres.address import Address
from drupe.storage.postgres.line import Line

Durability = Literal["full", "process"]
Db = psycopg.Connection[tuple[Any, ...]]

_PREPARE: Final = 2  # a batch is planned once, not each time
# Every statement here is meant as look-ups in an index, one for each row that is asked for, also while a table is so
# small, or so new, that the server would rather read all of it. One who is frozen within a transaction is thrown out, so that the rows it holds become free.
_SESSION: Final = """
    SET search_path TO {schema}, pg_temp;
    SET synchronous_commit TO {commit};
    SET enable_seqscan TO off;
    SET enable_bitmapscan TO off;
    SET enable_hashjoin TO off;
    SET enable_mergejoin TO off;
    SET jit TO off;
    SET plan_cache_mode TO force_generic_plan;
    SET default_transaction_isolation TO 'read committed';
    SET statement_timeout TO 0;
    SET lock_timeout TO '5s';
    SET idle_in_transaction_session_timeout TO '5s';
    SET client_min_messages TO error"""
# A table is read from its beginning to its end, in the order of its key, and nobody but the two ends waits for each other.
_MOVING: Final = "SET lock_timeout TO '30s'"
_WHO: Final = "SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()"
_END: Final = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid = %s AND backend_start = %s::timestamptz"""


@dataclass(frozen=True, slots=True)
class Backend:
    """What serves a connection on the server, so that it can be told from any later one."""

    pid: int
    begun: str


def writing(address: Address, line: Line | None = None, *, durability: Durability) -> Db:
    """Get a connection that writes; the tables are made or migrated if need be.

    Args:
        address: where to.
        line: is of this connection from now on.
        durability: what a commit outlives.

    Raises:
        StoreFormatError: what is there is no store, or one of a newer version; it is left untouched.
        StoreMovedError: it is being moved, or was moved, elsewhere.
        psycopg.Error: it cannot be reached or written.
    """
    db = _connect(address, line, durability)
    try:
        seal.refuse(db, address)
        schema.migrate(db, address)
    except BaseException:
        db.close()
        raise
    return db


def renewing(address: Address, line: Line | None = None) -> Db:
    """Get a connection for leases; the tables must be there. It waits for no disk: a server that crashed gives all leases anew.

    Raises:
        psycopg.Error: it cannot be reached.
    """
    return _connect(address, line, "process")


def moving(address: Address) -> Db:
    """Get a connection as `writing` does, also to a store that is closed because it is moved.

    Raises:
        StoreFormatError: what is there is no store, or one of a newer version; it is left untouched.
        psycopg.Error: it cannot be reached or written.
    """
    db = _connect(address, None, "full")
    try:
        schema.migrate(db, address)
        db.execute(_MOVING)
    except BaseException:
        db.close()
        raise
    return db


def reading(address: Address, line: Line | None = None) -> Db:
    """Get a connection that only reads; the tables must be there.

    Raises:
        psycopg.Error: it cannot be reached.
    """
    db = _connect(address, line, "full")
    db.execute("SET default_transaction_read_only TO on")
    return db


def backend(db: Db) -> Backend:
    """Get what serves a connection."""
    found = db.execute(_WHO).fetchone()
    assert found is not None  # noqa: S101 (who asks is there)
    return Backend(*found)


def end(db: Db, gone: Backend) -> None:
    """See to it that what served a connection which is lost does nothing any more: what it did is done, or never will be."""
    db.execute(_END, (gone.pid, gone.begun)).fetchall()


@functools.cache
def _session(name: str, durability: Durability) -> str:
    commit = "on" if durability == "full" else "off"
    return _SESSION.format(schema=name, commit=commit)  # a name without anything to quote


def _connect(address: Address, line: Line | None, durability: Durability) -> Db:
    # autocommit: transactions begin and end where this package says so, nowhere else.
    db: Db = psycopg.connect(**address.parameters, autocommit=True, prepare_threshold=_PREPARE)  # type: ignore[arg-type] # libpq takes texts
    try:
        if line is not None:
            line.hold(db)  # before anything is asked: a server may be frozen by now
        column.register(db)
        db.execute(_session(address.schema, durability))
    except BaseException:
        db.close()
        raise
    return db
