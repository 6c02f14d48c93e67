"""The tables of a store, read by plain SQL and never by drupe.

Each database is one entry of `_OPENED`; what is asked of it is the same for all.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

PROCESSES = "SELECT pid, state, seq, epoch, owner FROM process"
EVENTS = "SELECT pid, seq, event, state, detail FROM event ORDER BY pid, seq"
SCHEME: Final = "postgresql://"
KEPT: Final = "tables.json"
"""What a database had, in the folder of the run: the database may be gone when somebody looks at the run again."""


class Event(NamedTuple):
    """A line of a process's history."""

    seq: int
    event: str
    state: str
    detail: str | None


@dataclass
class Row:
    """A process as the store has it."""

    state: str
    seq: int
    epoch: int
    owner: str | None
    events: list[Event] = field(default_factory=list)


def states(folder: Path, store: str) -> dict[str, int]:
    """Get how many processes are in each state."""
    with _opened(folder, store) as db:
        return dict(db.execute("SELECT state, count(*) FROM process GROUP BY state").fetchall())


def rows_of(folder: Path, store: str) -> dict[str, Row]:
    """Get every process with its history; of a database also when it is gone, once it was read."""
    kept = folder / KEPT
    if kept.exists():
        return {
            pid: Row(**{**row, "events": [Event(*event) for event in row["events"]]})
            for pid, row in json.loads(kept.read_text("utf-8")).items()
        }
    with _opened(folder, store) as db:
        found = rows(db.execute(PROCESSES), db.execute(EVENTS))
    if store.startswith(SCHEME):
        kept.write_text(json.dumps({pid: asdict(row) for pid, row in found.items()}), "utf-8")
    return found


def rows(processes: Iterable[tuple], events: Iterable[tuple]) -> dict[str, Row]:
    """Put both tables together."""
    found = {pid: Row(state, seq, epoch, owner) for pid, state, seq, epoch, owner in processes}
    for pid, *event in events:
        found[pid].events.append(Event(*event))
    return found


def with_schema(store: str, schema: str) -> str:
    """Get the address of a place in a database that nobody else uses; one that says its schema stays as it is."""
    base, given = _parts(store)
    return _address(base, {"schema": schema, **given})


def _parts(store: str) -> tuple[str, dict[str, str]]:
    base, _, query = store.partition("?")
    return base, dict(parse_qsl(query, keep_blank_values=True))


def _address(base: str, given: dict[str, str]) -> str:
    return f"{base}?{urlencode(given, quote_via=quote)}"


@contextmanager
def _opened(folder: Path, store: str) -> Iterator[Any]:
    if not store.startswith(SCHEME):
        with closing(sqlite3.connect(folder / store)) as db:
            yield db
        return
    import psycopg

    base, given = _parts(store)
    schema = given.pop("schema", "drupe")
    with psycopg.connect(_address(base, given), options=f"-c search_path={schema}") as connection:
        yield connection
