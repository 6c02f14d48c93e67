"""A database that goes away costs time and nothing else: what was committed is there once, what was not is done later."""

import asyncio
import contextlib
import secrets

import psycopg
import pytest

from drupe.core.message import Task
from drupe.core.record import Fence, Query
from drupe.errors import OwnedError, StoreUnavailableError
from drupe.storage.postgres import PostgresStore, address
from drupe.testing.store_case import LEASE, ME, OTHER, after, birth, step
from tests.storage.postgres.proxy import Proxy
from tests.storage.postgres.server import a_server

pytestmark = [pytest.mark.service("postgres"), pytest.mark.slow]


@pytest.fixture
def server():
    """A server of this test's own, which may be killed; it syncs what it commits."""
    with a_server() as server:
        server.start()
        yield server


@pytest.fixture
async def proxy(own_database_url):
    async with Proxy(f"{own_database_url}&schema=cut_{secrets.token_hex(6)}") as proxy:
        yield proxy


async def opened(url, *owners, **given):
    store = PostgresStore(url, **given)
    await store.open()
    for owner in owners:
        await store.join(owner, lease=LEASE)
    return store


async def elsewhere(work):
    return await asyncio.get_running_loop().run_in_executor(None, work)


@contextlib.contextmanager
def holding(url):
    """A transaction of somebody else, in which all rows of processes are locked."""
    where = address.parse(url)
    with psycopg.connect(**where.parameters) as other:
        other.execute(f"SELECT 1 FROM {where.schema}.process FOR UPDATE")
        yield other
        other.rollback()


async def waiting(db, known=frozenset()):
    """Those backends which wait for a lock, as soon as there are others than those known."""
    for _ in range(6000):
        rows = db.execute("SELECT DISTINCT pid FROM pg_locks WHERE NOT granted").fetchall()
        found = {pid for (pid,) in rows}
        if found - known:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError("nobody waits for a lock")


# --- a connection that is cut ------------------------------------------------------------------------------


WRITES = {
    "save": (lambda store, row: store.save(step(row)), b"UPDATE process SET seq"),
    "create": (lambda store, row: store.create([birth("p2")]), b"COMMIT"),
    "claim": (lambda store, row: store.claim("free", owner=OTHER), b"COMMIT"),
    "release": (lambda store, row: store.release(Fence("p1", 1)), b"COMMIT"),
    "take": (lambda store, row: store.tasks.take("q", holder=ME, limit=5), b"COMMIT"),
    "put": (lambda store, row: store.tasks.put([Task(id="t2", queue="q")]), b"INSERT INTO task"),
}


async def picture(store):
    rows = (await store.list(Query())).records
    return rows, [(await store.checkpoints(row.pid), await store.history(row.pid)) for row in rows]


@pytest.mark.parametrize("when", ["cut_before", "cut_after"])
@pytest.mark.parametrize("verb", WRITES)
async def test_a_cut_before_or_after_the_answer_of_a_commit_is_not_noticed(proxy, new_postgres_url, verb, when):
    """Beside it the same without a cut, in a place of its own."""
    write, text = WRITES[verb]
    found = []
    for url, cut in ((proxy.url, True), (new_postgres_url(), False)):
        store = await opened(url, ME, OTHER)
        row, _ = await store.create([birth("p1"), birth("free", owner=None)])
        await store.tasks.put([Task(id="t1", queue="q")])
        if cut:
            setattr(proxy, when, text)
        answer = await write(store, row)
        rest = await store.tasks.take("q", holder=OTHER, limit=5)
        found.append((answer, rest, await picture(store)))
        await store.close()
    assert found[0] == found[1]
    assert proxy.cuts == 1


async def test_a_read_that_was_cut_off_is_asked_again(proxy):
    store = await opened(proxy.url, ME)
    (row,) = await store.create([birth()])
    assert await store.record("p1") == row
    proxy.cut()
    assert await store.record("p1") == row
    await store.close()


async def test_what_served_a_lost_connection_is_ended_before_anything_is_asked_again(proxy):
    """It stands in its commit still, held by a lock: who only looked would not see what it does later."""
    store = await opened(proxy.url, ME)
    (row,) = await store.create([birth()])
    with holding(proxy.direct) as other:
        saving = asyncio.ensure_future(store.save(step(row)))
        (old,) = await waiting(other)
        proxy.cut()
        assert old not in await waiting(other, {old})
    await saving
    assert await store.record("p1") == after(row, step(row))
    assert [event.seq for event in await store.history("p1")] == [1, 2]
    await store.close()


async def test_a_commit_that_waits_for_a_lock_keeps_no_lease_waiting(own_database_url):
    url = f"{own_database_url}&schema=lease_{secrets.token_hex(6)}"
    store = await opened(url, ME)
    (row,) = await store.create([birth()])
    with holding(url) as other:
        saving = asyncio.ensure_future(store.save(step(row)))
        await waiting(other)
        async with asyncio.timeout(2):
            await store.renew(ME, lease=LEASE)
        assert not saving.done()
    await saving
    await store.close()


# --- a server that is killed -------------------------------------------------------------------------------


async def test_a_server_that_is_killed_and_started_again_loses_nothing(server):
    """Twenty processes of forty steps each, and a crash in between, three times."""
    store = await opened(server.url(), ME)
    rows = await store.create([birth(f"p{n}") for n in range(20)])
    passed = asyncio.Queue()

    async def go(row):
        for _ in range(40):
            change = step(row)
            await store.save(change)
            row = after(row, change)
            passed.put_nowait(row)
        return row

    going = [asyncio.ensure_future(go(row)) for row in rows]
    for _ in range(3):
        for _ in range(150):
            await passed.get()
        await elsewhere(server.crash)
        await elsewhere(server.start)
    ended = await asyncio.gather(*going)
    assert [await store.record(row.pid) for row in ended] == ended
    for row in ended:
        assert [event.seq for event in await store.history(row.pid)] == list(range(1, 42))
        assert await store.checkpoints(row.pid) == list(range(32, 42))
    await store.close()


async def test_a_lease_lasts_once_more_after_the_server_was_away(server):
    store = await opened(server.url())
    for owner, lease in ((ME, 0.001), (OTHER, 3600.0)):
        await store.join(owner, lease=lease)
    await store.create([birth("p1", owner=OTHER), birth("p2", owner=ME)])
    where = address.parse(server.url())
    with psycopg.connect(**where.parameters, autocommit=True) as db:
        db.execute(f"UPDATE {where.schema}.owner SET until = 0")  # nobody could renew it for long
    assert (await store.claim("p2", owner=OTHER)).owner == OTHER
    await store.join("third", lease=LEASE)
    await elsewhere(server.crash)
    await elsewhere(server.start)
    with pytest.raises(OwnedError):
        await store.claim("p1", owner="third")
    await store.renew(OTHER, lease=LEASE)
    await store.close()


async def test_patience_with_a_server_that_stays_away_ends(server):
    store = await opened(server.url(), ME, patience=0.3)
    (row,) = await store.create([birth()])
    await elsewhere(server.crash)
    for asked in (store.save(step(row)), store.record("p1"), store.renew(ME, lease=LEASE)):
        with pytest.raises(StoreUnavailableError, match="cannot be used now"):
            await asked
    await elsewhere(server.start)
    await store.save(step(row))
    assert await store.record("p1") == after(row, step(row))
    await store.close()


async def test_who_closes_a_store_does_not_wait_for_a_server_that_stays_away(server):
    store = await opened(server.url(), ME)
    (row,) = await store.create([birth()])
    await elsewhere(server.crash)
    saving = asyncio.ensure_future(store.save(step(row)))
    reading = asyncio.ensure_future(store.record("p1"))
    await asyncio.sleep(0)
    await store.close()
    for asked in (saving, reading):
        with pytest.raises(StoreUnavailableError):
            await asked
    with pytest.raises(StoreUnavailableError, match="cannot be used now"):
        await store.open()
