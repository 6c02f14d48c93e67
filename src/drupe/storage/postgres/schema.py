"""The tables of a store, made by numbered migrations.

`migrations/NNNN-name.sql` is never changed once released: a change of the schema is a file with the next
number. The table `migration` has those that a store went through. All tables are in a schema of their own, so nothing
else in the database is touched; one that has tables, but not this one, is somebody else's.
"""

import functools
from importlib import resources
from typing import Any, Final

import psycopg

from drupe.errors import StoreFormatError
from drupe.storage.migration import numbered
from drupe.storage.postgres.address import Address

_FOLDER: Final = resources.files("drupe.storage.postgres") / "migrations"
_TABLES: Final = (
    "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind IN ('r', 'p', 'v', 'm')"
)
_VERSION: Final = "SELECT coalesce(max(number), 0) FROM migration"
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('drupe.' || %s, 0))"
_LOG: Final = "CREATE TABLE IF NOT EXISTS migration (number int4 PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())"

Db = psycopg.Connection[Any]


@functools.cache
def migrations() -> dict[int, str]:
    """Get the text of each migration by its number, ascending."""
    return numbered(_FOLDER)


def version(db: Db, address: Address) -> int:
    """Get the number of the last migration a store went through; 0 for one without tables.

    Raises:
        StoreFormatError: there are tables, and they are not drupe's.
    """
    tables = {name for (name,) in db.execute(_TABLES, (address.schema,)).fetchall()}
    if not tables:
        return 0
    if "migration" not in tables or "process" not in tables:
        raise StoreFormatError(
            f"store {address.shown}: its schema {address.schema!r} has tables of something else; name another one:"
            " …?schema=NAME"
        )
    found = db.execute(_VERSION).fetchone()
    return int(found[0]) if found else 0


def migrate(db: Db, address: Address) -> None:
    """Bring a store to the newest version, in one transaction: wholly or not at all.

    Raises:
        StoreFormatError: it is of a newer drupe, or of another program, or its database does not hold Unicode.
        psycopg.Error: it cannot be read or written.
    """
    known = migrations()
    if _checked_version(db, address) == max(known):
        return
    encoding = db.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StoreFormatError(
            f"store {address.shown}: its database has the encoding {encoding}; make one with ENCODING 'UTF8'"
        )
    with db.transaction():
        db.execute(_LOCK, (address.schema,))
        found = _checked_version(db, address)  # again: another program may have migrated it meanwhile
        if found == 0 and db.execute("SELECT to_regnamespace(%s)", (address.schema,)).fetchone() == (None,):
            db.execute(f"CREATE SCHEMA {address.schema}")
        db.execute(_LOG)
        for number, script in known.items():
            if number > found:
                db.execute(script)
                db.execute("INSERT INTO migration (number) VALUES (%s)", (number,))


def _checked_version(db: Db, address: Address) -> int:
    found, newest = version(db, address), max(migrations())
    if found > newest:
        raise StoreFormatError(
            f"store {address.shown}: it is of version {found}, this drupe knows versions up to {newest}: upgrade drupe"
        )
    return found
