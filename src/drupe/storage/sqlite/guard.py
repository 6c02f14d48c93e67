"""What SQLite asks before it prepares a statement: whether a step's own may do that."""

import sqlite3
from typing import Final

from drupe.storage.sqlite.schema import TABLES, VIEW

_CLOSED: Final = TABLES | {VIEW}
_NEVER: Final = frozenset(
    {
        sqlite3.SQLITE_TRANSACTION,
        sqlite3.SQLITE_SAVEPOINT,
        sqlite3.SQLITE_ATTACH,
        sqlite3.SQLITE_DETACH,
        sqlite3.SQLITE_PRAGMA,
    }
)
_OF_TABLE: Final = frozenset(
    {
        sqlite3.SQLITE_INSERT,
        sqlite3.SQLITE_UPDATE,
        sqlite3.SQLITE_DELETE,
        sqlite3.SQLITE_DROP_TABLE,
        sqlite3.SQLITE_DROP_TEMP_VIEW,
    }
)
"""What names a table, or view, first."""
_ON_TABLE: Final = frozenset(
    {
        sqlite3.SQLITE_ALTER_TABLE,
        sqlite3.SQLITE_CREATE_INDEX,
        sqlite3.SQLITE_CREATE_TRIGGER,
        sqlite3.SQLITE_CREATE_TEMP_TRIGGER,
        sqlite3.SQLITE_DROP_INDEX,
        sqlite3.SQLITE_DROP_TRIGGER,
        sqlite3.SQLITE_DROP_TEMP_TRIGGER,
    }
)
"""What names one second."""


class Guard:
    """What a connection asks whenever it prepares a statement."""

    def __init__(self) -> None:
        self.of_step = False
        """Whether it is a step's."""

    def __call__(self, action: int, first: str | None, second: str | None, base: str | None, inner: str | None) -> int:
        if not self.of_step:
            return sqlite3.SQLITE_OK
        if action in _NEVER or (first if action in _OF_TABLE else second if action in _ON_TABLE else None) in _CLOSED:
            return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK
