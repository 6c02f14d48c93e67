"""Lists, searches, orders and tasks are look-ups in an index, whatever the planner thinks of small tables."""

from contextlib import contextmanager
from itertools import product

import msgspec
import pytest

from drupe.core.lifecycle import State
from drupe.core.record import Query, Retention, birth_record
from drupe.storage.postgres import address, connection, inbox, listing, ownership, parking, read, task_queue, write
from drupe.storage.postgres.column import Numbers, Texts
from drupe.testing.store_case import birth, step

pytestmark = pytest.mark.service("postgres")

KEY = (1000.0, "p")
QUERIES = [
    Query(states=states, kind=kind, parent=parent, roots=roots, paused=paused, since=since, after=after)
    for states, kind, (parent, roots), paused, since, after in product(
        [(), (State.RUNNING, State.WAITING)],
        [None, "m:A"],
        [(None, False), ("p7", False), (None, True)],
        [None, True],
        [None, 5.0],
        [None, KEY],
    )
]
INDEX = {(False, False): "state", (True, False): "kind", (False, True): "parent"}


@pytest.fixture(scope="module")
def db(new_postgres_url):
    """Ten thousand processes: half of them finished roots of one class, half waiting children of another."""
    db = connection.writing(address.parse(new_postgres_url()), durability="process")
    db.execute(
        """
        INSERT INTO process (pid, kind, version, state, paused, seq, epoch, attempts, parent, generation, created, updated,
            digest, tail)
        SELECT 'p' || n, CASE n % 2 WHEN 0 THEN 'm:A' ELSE 'm:B' END, 1, CASE n % 2 WHEN 0 THEN 'finished' ELSE 'waiting' END,
            FALSE, 1, 0, 0, CASE n % 2 WHEN 0 THEN NULL ELSE 'p7' END, 0, n, 0, ''::bytea, reverse('p' || n)
        FROM generate_series(1, 10000) AS numbers (n)"""
    )
    db.execute("ANALYZE process")
    yield db
    db.close()


def plan(db, statement, values):
    return [line for (line,) in db.execute(f"EXPLAIN (COSTS off) {statement}", values).fetchall()]


def test_every_list_is_index_ranges_that_are_in_order(db):
    for query in QUERIES:
        lines = plan(db, listing.statement(query), listing.values(query))
        assert not [line for line in lines if "Seq Scan" in line], lines
        if query.after or (query.kind and query.parent):
            continue  # the planner knows here that there is next to nothing, whichever way it goes
        index = "root_" * query.roots + "by_" + INDEX[query.kind is not None, query.parent is not None]
        ranges = [line for line in lines if f"Scan Backward using process_{index} on process" in line]
        assert len(ranges) == (len(query.states) or 6) * (2 if query.paused is None else 1), lines
        sorted_by = [line for line in lines if "Sort" in line and "Key" not in line and "Merge" not in line]
        assert len(sorted_by) == 1, lines  # of the page


def test_a_page_has_what_the_ranges_have_newest_first(db):
    rows = listing.page(db.execute, Query(limit=3)).records
    assert [row.pid for row in rows] == ["p10000", "p9999", "p9998"]
    assert sorted(read.find(db.execute, ("9123", 3))) == ["p9123"]


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        (read._EXACT, ("p",)),
        (read._TAIL, ("a", "b", 9)),
        (read._HELD, ("o",)),
        (inbox._OPEN, ("p",)),
        (inbox._OPEN_FOR_OWNER, ("o", 1)),
        (inbox._FIRST_SIGNAL, ("p", "n")),
        (inbox._FIND, (Texts(["o"]),)),
        (inbox._LEFT, (Texts(["p"]),)),
        (task_queue._TAKE, {"queue": "q", "holder": "h", "limit": 1, "time": None}),
        (task_queue._SETTLE, (Texts(["t"]), Numbers([1]))),
        (task_queue._HOLDERS, ()),
        (task_queue._FORGET, ("h",)),
        (ownership._RELEASE_ALL, (Texts(["o"]),)),
        (ownership._TRIM, (Texts(["p"]), Numbers([1]))),
        (write._SAME, ("p", 1, b"", "step", "running")),
    ],
)
def test_whatever_is_looked_up_is_found_by_an_index(db, statement, values):
    lines = plan(db, statement, values)
    assert not [line for line in lines if "Seq Scan" in line], lines


@contextmanager
def changed(db, what):
    """Have all rows changed for a while; afterwards they are what they were, and take no more room."""
    before = dict.fromkeys(("owner", "wake_at", "queue"), "NULL") | {"parked": "FALSE"}
    db.execute(f"UPDATE process SET {what}")
    db.execute("VACUUM ANALYZE process")
    try:
        yield
    finally:
        db.execute("UPDATE process SET " + ", ".join(f"{column} = {value}" for column, value in before.items()))
        db.execute("VACUUM FULL process")
        db.execute("VACUUM ANALYZE process")


@pytest.mark.parametrize("statement", [parking._DUE, parking._NEXT])
@pytest.mark.parametrize("now", [None, 5.0])
@pytest.mark.parametrize("of", [f"{parking._OF} = ''", f"{parking._OF} = %(queue)s"])
def test_what_is_due_is_a_range_of_its_index_however_many_are_to_come(db, statement, now, of):
    """Read to the end of the index it would be right, too."""
    with changed(db, "parked = TRUE, wake_at = 1e10 + created, queue = CASE pid WHEN 'p7' THEN 'a' END"):
        lines = plan(db, statement.format(of=of), {"now": now, "limit": 9, "queue": "a"})
    assert any("using process_wakes on process" in line for line in lines), lines
    assert any("Index Cond: (" in line and "wake_at" in line and "queue" in line for line in lines), lines


@pytest.mark.parametrize("of", [f"{parking._OF} = ''", f"{parking._OF} = %(queue)s"])
def test_what_can_go_on_is_found_however_much_there_is_for_others(db, of):
    with changed(db, "queue = CASE WHEN pid LIKE 'p7%' THEN 'a' ELSE 'b' END"):
        lines = plan(db, parking._FREE.format(of=of), {"limit": 9, "queue": "c"})
    assert any("using process_free on process" in line for line in lines), lines
    assert any("Index Cond: (" in line and "queue" in line for line in lines), lines


def test_a_step_is_found_by_its_pid_however_many_processes_somebody_holds(db):
    said = []

    class Plan:
        retention = Retention()

        def execute(self, statement, values):
            said.extend(plan(db, statement, values))
            return db.execute("SELECT 'p'")

    change = step(birth_record(birth("p")))
    with changed(db, "owner = 'me'"):
        write._advance(Plan(), write._SAVE, [change, msgspec.structs.replace(change, pid="q")])
    assert any("Index Scan using process_pkey on process" in line for line in said), said
    assert not any("process_by" in line or "Seq Scan" in line for line in said), said
