"""Lists and searches are look-ups: by plan, and by the clock among many processes."""

import sqlite3
import time
from contextlib import closing
from itertools import product

import pytest

from drupe.core.lifecycle import State
from drupe.core.record import Query
from drupe.storage.sqlite import claiming, connection, inbox, listing, parking, read, schema

KEY = (1000.0, "p")
QUERIES = [
    Query(states=states, kind=kind, parent=parent, roots=roots, paused=paused, since=since, before=before, after=after)
    for states, kind, (parent, roots), paused, since, before, after in product(
        [(), (State.WAITING,), (State.RUNNING, State.WAITING)],
        [None, "m:A"],
        [(None, False), ("p7", False), (None, True)],
        [None, True],
        [None, 5.0],
        [None, 9.0],
        [None, KEY],
    )
]


def test_every_list_is_index_ranges_and_no_scan(tmp_path):
    with closing(connection.writing(tmp_path / "s.db", durability="process", busy_timeout=1)) as db:
        for query in QUERIES:
            rows = db.execute("EXPLAIN QUERY PLAN " + listing.statement(query), listing.values(query)).fetchall()
            plan = [row[3] for row in rows]
            looked = [line for line in plan if "process" in line]
            assert all(line.startswith("SEARCH process USING ") for line in looked), plan
            ranges = [line for line in looked if "COVERING INDEX" in line]
            assert len(ranges) == (len(query.states) or 6) * (2 if query.paused is None else 1)
            bounded = query.since is not None or query.before is not None or query.after is not None
            assert all(("created" in line) is bounded for line in ranges), plan
            # What is sorted was limited before: only the results of ranges, never a range.
            sources = {line for line in plan if line.startswith("SCAN")}
            assert all("subquery" in line or "listed" in line for line in sources), plan


def test_a_range_yields_its_rows_in_order_without_sorting():
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        schema.migrate(db, "s")
        for index, chosen in listing._INDEX.items():
            by_kind, by_parent = index
            where = ("kind = 'a' AND " if by_kind else "") + ("parent IS NULL AND " if by_parent else "")
            plan = db.execute(
                f"EXPLAIN QUERY PLAN SELECT created, pid FROM process INDEXED BY {chosen}"
                f" WHERE {where}state = 'waiting' AND paused = 0 ORDER BY created DESC, pid DESC LIMIT 9"
            ).fetchall()
            assert len(plan) == 1, plan


@pytest.mark.parametrize(("statement", "values"), [(read._TAIL, ("a", "b", 9)), (read._EXACT, ("a",))])
def test_a_search_for_a_pid_is_a_look_up(statement, values):
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        schema.migrate(db, "s")
        plan = [row[3] for row in db.execute("EXPLAIN QUERY PLAN " + statement, values)]
        assert len(plan) == 1
        assert plan[0].startswith("SEARCH process USING")


@pytest.mark.parametrize("of", ["queue IS NULL", "queue = :queue"])
@pytest.mark.parametrize(
    ("statement", "span"),
    [
        (parking._FREE, "process_free (queue=?)"),
        (parking._DUE, "process_wakes (queue=? AND wake_at"),
        (parking._QUEUED, "process_queued (queue=? AND wake_at"),
        (parking._NEXT, "process_wakes (queue=? AND wake_at"),
    ],
)
def test_what_can_go_on_is_a_range_of_its_index_for_each_queue(statement, span, of):
    values = {"now": 5.0, "limit": 9, "queue": "q"}
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        schema.migrate(db, "s")
        (line,) = [row[3] for row in db.execute("EXPLAIN QUERY PLAN " + statement.format(of=of), values)]
        assert line.startswith("SEARCH process USING")
        assert span in line


@pytest.mark.parametrize("statement", [claiming._GOING_ON, inbox._OPEN_TO_MANY])
def test_what_belongs_to_many_is_a_look_up_for_each(statement):
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        schema.migrate(db, "s")
        plan = [row[3] for row in db.execute("EXPLAIN QUERY PLAN " + statement, ('["p1", "p2"]',))]
        assert not [line for line in plan if line.startswith("SCAN") and "json_each" not in line], plan


@pytest.mark.untraced
@pytest.mark.slow
def test_a_page_among_100_000_processes_takes_5_ms_at_most(tmp_path):
    """Half of them finished roots of one class, half waiting children of another: the worst for any single index."""
    path = tmp_path / "s.db"
    with closing(connection.writing(path, durability="process", busy_timeout=1)) as db:
        columns = "pid, kind, version, state, paused, seq, epoch, attempts, parent, generation, created, updated, digest, tail"
        db.execute("BEGIN")
        db.executemany(
            f"INSERT INTO process ({columns}) VALUES (?, ?, 1, ?, 0, 1, 0, 0, ?, 0, ?, 0, x'00', ?)",
            (
                (f"p{n}", *(("m:A", "finished", None), ("m:B", "waiting", "p7"))[n % 2], float(n), f"p{n}"[::-1])
                for n in range(100_000)
            ),
        )
        db.execute("COMMIT")
    with closing(connection.reading(path, busy_timeout=1)) as db:
        execute = db.cursor().execute
        slowest = {query: min(taken(execute, query) for _ in range(3)) for query in QUERIES}
        query = max(slowest, key=slowest.get)
        assert slowest[query] <= 0.005, query
        assert sorted(read.find(execute, ("9123", 3))) == ["p19123", "p29123", "p39123"]


def taken(execute, query):
    start = time.perf_counter()
    listing.page(execute, query)
    return time.perf_counter() - start
