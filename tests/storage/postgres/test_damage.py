"""What was changed by something else than drupe is refused by name, and nothing beside it is."""

import psycopg
import pytest

from drupe.core.message import Task
from drupe.core.order import Order
from drupe.core.record import Query
from drupe.errors import CorruptedError
from drupe.storage.postgres import PostgresStore, address
from drupe.testing.store_case import LEASE, ME, birth

pytestmark = pytest.mark.service("postgres")


@pytest.fixture
async def store(postgres_url):
    store = PostgresStore(postgres_url)
    await store.open()
    await store.join(ME, lease=LEASE)
    await store.create([birth("p1"), birth("p2")])
    await store.ask([Order(id="o1", pid="p1", verb="pause", at=1.0)])
    yield store
    await store.close()


def change(url, statement):
    found = address.parse(url)
    with psycopg.connect(**found.parameters, autocommit=True) as db:
        db.execute(f"SET search_path TO {found.schema}")
        db.execute(statement)


@pytest.mark.parametrize(
    ("statement", "read", "given"),
    [
        ("UPDATE process SET state = 'dancing' WHERE pid = 'p1'", "record", "p1"),
        ("UPDATE inputs SET body = 'x' WHERE pid = 'p1'", "inputs", "p1"),
        ("UPDATE checkpoint SET hash = 'x' WHERE pid = 'p1'", "checkpoint", "p1"),
        ("UPDATE event SET state = 'dancing' WHERE pid = 'p1'", "history", "p1"),
        ("UPDATE inbox SET outcome = 'perhaps'", "receipt", "o1"),
    ],
)
async def test_what_is_damaged_is_refused_by_name(store, postgres_url, statement, read, given):
    change(postgres_url, statement)
    with pytest.raises(CorruptedError, match=given):
        await getattr(store, read)(given)
    assert "p2" in {row.pid for row in (await store.list(Query())).records}
    await getattr(store, read if read != "receipt" else "record")("p2")


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE process SET state = 'ruoning' WHERE pid = 'p1'",
        "UPDATE inputs SET body = 'x' WHERE pid = 'p1'",
        "UPDATE checkpoint SET hash = 'x' WHERE pid = 'p1'",
    ],
)
async def test_of_many_that_are_claimed_what_is_damaged_is_left_as_it_is(store, postgres_url, damage):
    change(postgres_url, "UPDATE process SET owner = NULL")
    change(postgres_url, damage)
    claimed = await store.claim_many(["p1", "p2"], owner=ME)
    assert [one.record.pid for one in claimed] == ["p2"]
    if "process" not in damage:
        assert (await store.record("p1")).owner is None


async def test_a_task_that_cannot_be_read_is_in_nobodys_way(store, postgres_url, caplog):
    await store.tasks.put([Task(id="bad", queue="q"), Task(id="worse", queue="q"), Task(id="good", queue="q")])
    change(postgres_url, r"UPDATE task SET body = '\xc1' WHERE id = 'bad'")
    change(postgres_url, "UPDATE task SET body = 'x' WHERE id = 'worse'")
    assert [taken.task.id for taken in await store.tasks.take("q", holder="me", limit=10)] == ["good"]
    assert await store.tasks.take("q", holder="me", limit=10) == []
    assert "bad is left aside" in caplog.text
