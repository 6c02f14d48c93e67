"""What a store promises about reads: what was committed, found by an end of its name, listed page by page."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drupe.core.lifecycle import State
from drupe.core.record import Page, Query, Record
from drupe.errors import SettingsError, UnknownProcessError
from drupe.interfaces.store import Store
from drupe.testing.clock import ManualClock
from drupe.testing.store_case import LEASE, ME, Place, StoreCase, birth, born, walk

KINDS = ("m:A", "m:B")
PARENTS = (None, "x1", "x2")

samples = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(KINDS),
            "parent": st.sampled_from(PARENTS),
            "state": st.sampled_from(State),
            "paused": st.booleans(),
            "created": st.sampled_from([0.0, 1.0, 1.5, 2.0]),
        }
    ),
    max_size=12,
)
queries = st.builds(
    Query,
    states=st.lists(st.sampled_from(State), max_size=3).map(tuple),
    kind=st.sampled_from([None, *KINDS, "m:C"]),
    parent=st.sampled_from([*PARENTS, "x3"]),
    roots=st.booleans(),
    paused=st.sampled_from([None, True, False]),
    since=st.sampled_from([None, 1.0, 1.5]),
    before=st.sampled_from([None, 1.5, 9.0]),
    limit=st.integers(1, 5),
)


class StoreReadingContract(StoreCase):
    """Record, inputs, checkpoints, history, find, list."""

    @pytest.mark.parametrize("pid", ["nobody", "", "../p1", "a\0b"])
    async def test_a_pid_that_is_not_there_is_unknown(self, store: Store, pid: str) -> None:
        await born(store)
        for read in (store.record, store.inputs, store.checkpoint, store.latest, store.checkpoints, store.history):
            with pytest.raises(UnknownProcessError):
                await read(pid)

    async def test_any_kept_checkpoint_can_be_read(self, store: Store) -> None:
        await walk(store, await born(store), 3)
        found = [await store.checkpoint("p1", seq) for seq in await store.checkpoints("p1")]
        assert [(one.seq, one.body) for one in found] == [(1, b"first"), (2, b"body 2"), (3, b"body 3"), (4, b"body 4")]
        assert await store.checkpoint("p1") == found[-1]

    async def test_the_latest_is_what_the_others_get(self, store: Store) -> None:
        await walk(store, await born(store), 3)
        alone = (await store.record("p1"), await store.checkpoint("p1"), await store.inputs("p1"))
        assert await store.latest("p1") == alone

    @pytest.mark.parametrize("seq", [0, 1, 99])
    async def test_a_checkpoint_that_is_not_kept_is_unknown(self, store: Store, seq: int) -> None:
        await walk(store, await born(store), 11)
        with pytest.raises(UnknownProcessError, match=f"p1 has no checkpoint {seq}"):
            await store.checkpoint("p1", seq)

    async def test_history_is_read_from_a_number_on(self, store: Store) -> None:
        await walk(store, await born(store), 5)
        numbers = [
            [e.seq for e in await store.history("p1", after=a, limit=n)] for a, n in ((0, None), (2, 2), (6, None))
        ]
        assert numbers == [[1, 2, 3, 4, 5, 6], [3, 4], []]
        assert [e.seq for e in await store.history("p1", limit=0)] == []

    # --- find --------------------------------------------------------------------------------------------

    async def test_a_pid_is_found_by_any_end_of_it(self, store: Store) -> None:
        await store.create([birth(pid) for pid in ("aa-7f3a", "bb-7f3a", "cc-7F3a", "7f3a-x")])
        assert sorted(await store.find("7f3a")) == ["aa-7f3a", "bb-7f3a"]
        assert await store.find("a-7f3a") == ["aa-7f3a"]
        assert await store.find("aa-7f3a") == ["aa-7f3a"]
        assert await store.find("7f3") == []

    async def test_a_pid_itself_is_found_alone(self, store: Store) -> None:
        await store.create([birth(pid) for pid in ("7f3a", "bb-7f3a")])
        assert await store.find("7f3a") == ["7f3a"]

    async def test_no_more_are_found_than_asked_for(self, store: Store) -> None:
        await store.create([birth(f"{n:02}-end") for n in range(20)])
        assert len(await store.find("end")) == 10
        assert len(await store.find("end", limit=3)) == 3

    @pytest.mark.parametrize("tail", ["", "%", "_1", "'", "*", "p\0", "ÿ", "x" * 70])
    async def test_what_cannot_end_a_pid_finds_nothing(self, store: Store, tail: str) -> None:
        await born(store)
        assert await store.find(tail) == []

    # --- list --------------------------------------------------------------------------------------------

    async def test_processes_are_listed_newest_first(self, store: Store) -> None:
        await store.create([birth("p1", created=1.0), birth("p3", created=2.0), birth("p2", created=2.0)])
        assert [row.pid for row in (await store.list(Query())).records] == ["p3", "p2", "p1"]

    async def test_a_listed_row_is_the_row(self, store: Store) -> None:
        row = await walk(store, await born(store, parent="x"), 2, paused=True, status="so so")
        assert (await store.list(Query(kind=row.kind))).records == (row,)

    async def test_the_last_page_says_that_it_is_the_last(self, store: Store) -> None:
        await store.create([birth(f"p{n}") for n in range(4)])
        first = await store.list(Query(limit=2))
        assert first.next == (1000.0, "p2")
        assert (await store.list(Query(limit=2, after=first.next))).next is None
        assert (await store.list(Query(limit=4))).next is None

    async def test_a_page_does_not_shift_when_processes_come_and_go(self, store: Store) -> None:
        await store.create([birth(f"p{n}", created=float(n)) for n in range(6)])
        first = await store.list(Query(limit=3))
        await born(store, "p9", created=9.0)
        await walk(store, first.records[2], 1, state=State.KILLED)
        await store.delete(first.records[2].pid)
        second = await store.list(Query(limit=3, after=first.next))
        assert [row.pid for row in (*first.records, *second.records)] == ["p5", "p4", "p3", "p2", "p1", "p0"]

    async def test_since_is_at_or_after_and_before_is_before(self, store: Store) -> None:
        await store.create([birth(f"p{n}", created=float(n)) for n in range(5)])
        for since, before, pids in ((2.0, None, "p4 p3 p2"), (None, 2.0, "p1 p0"), (1.0, 3.0, "p2 p1"), (2.0, 2.0, "")):
            page = await store.list(Query(since=since, before=before))
            assert [row.pid for row in page.records] == pids.split()

    async def test_a_root_has_no_parent(self, store: Store) -> None:
        await store.create([birth("p1"), birth("p2", parent="p1")])
        assert [row.pid for row in (await store.list(Query(roots=True))).records] == ["p1"]
        assert await store.list(Query(roots=True, parent="p1")) == Page(())

    @pytest.mark.parametrize("limit", [0, -1])
    async def test_a_page_of_nothing_is_refused(self, store: Store, limit: int) -> None:
        with pytest.raises(SettingsError, match="limit"):
            await store.list(Query(limit=limit))

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
    @given(samples=samples, asked=st.lists(queries, min_size=1, max_size=8))
    async def test_lists_are_what_a_plain_filter_gives(
        self, places: Callable[[], Place], samples: list[dict[str, Any]], asked: list[Query]
    ) -> None:
        store = places()(clock=ManualClock())
        await store.open()
        await store.join(ME, lease=LEASE)
        rows = [await _sample(store, f"p{n}", sample) for n, sample in enumerate(samples)]
        for query in asked:
            expected = sorted((row for row in rows if _fits(row, query)), key=lambda row: (row.created, row.pid))
            assert await _pages(store, query) == expected[::-1]
        await store.close()


async def _sample(store: Store, pid: str, sample: dict[str, Any]) -> Record:
    row = await born(store, pid, kind=sample["kind"], parent=sample["parent"], created=sample["created"])
    row = await walk(store, row, 1, state=State.WAITING, paused=sample["paused"])
    return await walk(store, row, 1, state=sample["state"], paused=sample["paused"])


async def _pages(store: Store, query: Query) -> list[Record]:
    """Get all processes of a query, page by page, every page but the last full."""
    found: list[Record] = []
    while True:
        page = await store.list(query)
        found += page.records
        if page.next is None:
            return found
        assert len(page.records) == query.limit
        assert page.next == (page.records[-1].created, page.records[-1].pid)
        query = Query(**{name: getattr(query, name) for name in query.__struct_fields__} | {"after": page.next})


def _fits(row: Record, query: Query) -> bool:
    asked = [
        not query.states or row.state in query.states,
        query.kind is None or row.kind == query.kind,
        query.parent is None or row.parent == query.parent,
        not query.roots or row.parent is None,
        query.paused is None or row.paused is query.paused,
        query.since is None or row.created >= query.since,
        query.before is None or row.created < query.before,
    ]
    return all(asked)
