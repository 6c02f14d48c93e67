"""The 100 newest rows of a table by its index, by SQLite alone. The unit is a list."""

import functools
import sqlite3

from stopwatch import Stopwatch


@functools.cache
def _table_of(rows: int) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE process (pid TEXT PRIMARY KEY, created REAL, kind TEXT, state TEXT) WITHOUT ROWID")
    db.execute("CREATE INDEX newest ON process (created, pid)")
    values = ((f"p{number:07}", float(number), "kind", "running") for number in range(rows))
    db.executemany("INSERT INTO process VALUES (?, ?, ?, ?)", values)
    return db


def listed(watch: Stopwatch, *, size: int, processes: int) -> int:
    db = _table_of(processes)
    with watch:
        for _ in range(size):
            db.execute("SELECT * FROM process ORDER BY created DESC, pid DESC LIMIT 100").fetchall()
    return size
