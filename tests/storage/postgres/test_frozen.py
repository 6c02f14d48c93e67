"""A server that is frozen answers nothing and tells nobody: who waits for it gets away in time, and it goes on as if nothing had been.

Its machine takes connections and whatever is sent, so no time-out of the network ever comes.
"""

import asyncio
import secrets
import time

import pytest

from drupe.errors import StoreUnavailableError
from drupe.storage.postgres import PostgresStore, store
from drupe.testing.host_case import until
from drupe.testing.store_case import LEASE, ME, after, birth, step
from tests.storage.postgres.server import QUICK, a_server

pytestmark = [pytest.mark.service("postgres"), pytest.mark.slow]


@pytest.fixture(scope="module")
def own_server():
    with a_server(*QUICK) as server:
        server.start()
        yield server


@pytest.fixture
def server(own_server):
    yield own_server
    own_server.thaw()


@pytest.fixture(autouse=True)
def _little_time(monkeypatch):
    monkeypatch.setattr(store, "_PARTING", 0.3)


@pytest.fixture
async def open_store(server):
    place = f"{server.url()}&schema=frozen_{secrets.token_hex(6)}"

    async def get(*owners, **given):
        found = PostgresStore(place, **given)
        await found.open()
        for owner in owners:
            await found.join(owner, lease=LEASE)
        return found

    return get


async def closed(found):
    """Close a store, and get the seconds that this took."""
    begun = time.monotonic()
    await found.close()
    return time.monotonic() - begun


async def test_whoever_waits_no_longer_is_through_and_closing_is_too(server, open_store):
    found = await open_store(ME)
    row, _ = await found.create([birth("p1"), birth("p2")])
    await found.record("p2")  # both readers are connected
    await found.record("p2")
    server.freeze()
    asked = [asyncio.ensure_future(one) for one in (found.save(step(row)), found.record("p1"), found.record("p2"))]
    _, late = await asyncio.wait(asked, timeout=0.2)
    assert len(late) == 3
    assert await closed(found) < 5
    for one in asked:
        with pytest.raises(StoreUnavailableError):
            await one
    server.thaw()
    again = await open_store()
    assert await again.record("p1") in (row, after(row, step(row)))  # it was sent; only the row says what became of it
    await again.close()


async def test_what_was_asked_of_a_server_that_goes_on_is_answered(server, open_store):
    found = await open_store(ME)
    (row,) = await found.create([birth()])
    server.freeze()
    asked = [asyncio.ensure_future(one) for one in (found.save(step(row)), found.record("p1"))]
    await asyncio.wait(asked, timeout=0.2)
    server.thaw()
    await asyncio.gather(*asked)
    assert await found.record("p1") == after(row, step(row))
    assert [event.seq for event in await found.history("p1")] == [1, 2]
    await found.close()


async def test_a_renewal_fails_in_a_sixth_of_its_lease_and_the_next_one_takes_another_connection(server, open_store):
    found = await open_store(ME)
    await found.renew(ME, lease=LEASE)
    server.freeze()
    for _ in range(2):
        begun = time.monotonic()
        with pytest.raises(StoreUnavailableError, match=r"has not answered for 0\.5 s"):
            await found.renew(ME, lease=3)
        assert time.monotonic() - begun < 2
    server.thaw()
    async with asyncio.timeout(20):  # the second one is connecting still
        while True:
            try:
                await found.renew(ME, lease=LEASE)
                break
            except StoreUnavailableError:
                continue
    await found.close()


async def test_who_is_cancelled_while_he_closes_does_not_wait(server, open_store, monkeypatch):
    monkeypatch.setattr(store, "_PARTING", 3600)
    found = await open_store(ME)
    (row,) = await found.create([birth()])
    server.freeze()
    saving = asyncio.ensure_future(found.save(step(row)))
    closing = asyncio.ensure_future(found.close())
    await asyncio.wait([closing], timeout=0.2)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    with pytest.raises(StoreUnavailableError):
        await saving


async def test_who_listens_is_closed_too(server, open_store):
    found = await open_store(ME, telling=True)
    hints = []
    found.hints.hear(hints.append)
    await until(lambda: len(hints) > 1)  # the second one says that it is connected
    server.freeze()
    assert await closed(found) < 5


async def test_a_frozen_server_is_not_connected_to_without_end(server):
    server.freeze()
    found = PostgresStore(f"{server.url()}&schema=late&connect_timeout=2")
    with pytest.raises(StoreUnavailableError):
        async with asyncio.timeout(20):
            await found.open()
    await found.close()
