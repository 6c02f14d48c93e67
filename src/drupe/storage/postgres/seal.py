"""Closing a store for everybody who may be connected to it, by triggers: the server asks them before each write.

They are there only in a store that is closed, so no other pays for them. The table says why it is closed, and outlives the
move: by it one that was killed goes on, and whoever opens the store afterwards is told where its processes are.
"""

from dataclasses import astuple
from typing import Any, Final

import psycopg
from psycopg import sql

from drupe.interfaces.moving import Mark, Side
from drupe.storage import crossing
from drupe.storage.postgres.address import Address

TABLES: Final = ("owner", "process", "inputs", "checkpoint", "event", "inbox", "task")
"""The tables of a store, in the order in which they are locked."""
TABLE: Final = "drupe_move"
CLOSED: Final = "DR001"
"""The SQLSTATE of what the triggers refuse."""

_CREATE: Final = f"""
    CREATE TABLE IF NOT EXISTS {TABLE} (
        id text COLLATE "C" NOT NULL, side text COLLATE "C" PRIMARY KEY, phase text COLLATE "C" NOT NULL, place text NOT NULL,
        at float8 NOT NULL, clock float8 NOT NULL, boot text NOT NULL
    )"""
_IS_THERE: Final = """
    SELECT 1 FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = %s AND relname = %s"""
_READ: Final = f"SELECT {', '.join(crossing.MARK)} FROM {{}}.{TABLE} WHERE side = %s"  # noqa: S608 (names of fields)
_WRITE: Final = f"""
    INSERT INTO {TABLE} ({", ".join(crossing.MARK)}) VALUES ({", ".join(["%s"] * len(crossing.MARK))})
    ON CONFLICT (side) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in crossing.MARK)}"""  # noqa: S608 (as above)
_DELETE: Final = f"DELETE FROM {TABLE} WHERE side = %s"  # noqa: S608 (written out)
_REFUSE: Final = """
    CREATE OR REPLACE FUNCTION refuse_closed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION USING ERRCODE = {code}, MESSAGE = TG_ARGV[0];
    END $$"""
# Of rows: what finds none to write, as the farewell of an owner who has been buried, is not refused.
_CLOSE: Final = """
    CREATE TRIGGER closed BEFORE INSERT OR UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION refuse_closed({text});
    CREATE TRIGGER closed_whole BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_closed({text})"""
_LIFT: Final = "DROP TRIGGER IF EXISTS closed ON {table}; DROP TRIGGER IF EXISTS closed_whole ON {table}"

Db = psycopg.Connection[Any]


def read(db: Db, schema: str, side: Side) -> Mark | None:
    """Get what stands in a store of a move in which it is that end."""
    if db.execute(_IS_THERE, (schema, TABLE)).fetchone() is None:
        return None
    row = db.execute(sql.SQL(_READ).format(sql.Identifier(schema)), (side.value,)).fetchone()
    return None if row is None else crossing.mark_of(row)


def write(db: Db, mark: Mark) -> None:
    """Have a mark stand in a store, and close or open it as that says."""
    db.execute(_CREATE)
    db.execute(_WRITE, [str(value) if isinstance(value, str) else value for value in astuple(mark)])
    _lift(db)
    if mark.closes:
        db.execute(sql.SQL(_REFUSE).format(code=sql.Literal(CLOSED)))
        for table in TABLES:
            close = sql.SQL(_CLOSE).format(table=sql.Identifier(table), text=sql.Literal(mark.said))
            db.execute(close)


def remove(db: Db, side: Side) -> None:
    """Take a mark away, and open the store."""
    db.execute(_DELETE, (side.value,))
    _lift(db)


def _lift(db: Db) -> None:
    for table in TABLES:
        db.execute(sql.SQL(_LIFT).format(table=sql.Identifier(table)))


def refuse(db: Db, address: Address) -> None:
    """Refuse to open a store that is closed.

    Raises:
        StoreMovedError: it is.
    """
    for side in Side:
        mark = read(db, address.schema, side)
        if mark is not None and mark.closes:
            raise crossing.moved(address.shown, mark)
