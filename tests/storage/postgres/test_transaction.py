"""What is ready together is committed together, and each is told the truth about its own part."""

import asyncio

import psycopg
import pytest

from drupe.core.lifecycle import State
from drupe.core.order import Order
from drupe.core.record import Fence, Query, Rest
from drupe.errors import DuplicateProcessError, FencedError, StoreError, StoreUnavailableError, TooLargeError
from drupe.storage.postgres import PostgresStore
from drupe.testing import CrashAt, CrashError, FailAt, HangAt, Recorder
from drupe.testing.store_case import LEASE, ME, OTHER, after, birth, ended, step

pytestmark = pytest.mark.service("postgres")


class Held(Recorder):
    """Records, and keeps the writing thread in its next batch until `go`."""

    def __init__(self, then=lambda place: None):
        super().__init__()
        self.gate = HangAt(1, "store.begin")
        self.gate.release()
        self.then = then

    def hold(self):
        self.gate = HangAt(1, "store.begin")
        self.places.clear()

    def __call__(self, place):
        super().__call__(place)
        self.gate(place)
        self.then(place)

    async def go(self, store, writes):
        """Ask for all that ``writes`` gives while an empty batch is held, so that they are the next one together."""
        self.hold()
        first = store.create([])
        await asyncio.get_running_loop().run_in_executor(None, self.gate.reached.wait)
        asked = [asyncio.ensure_future(write) for write in writes()]
        await asyncio.sleep(0)  # coroutines among them have asked now
        self.gate.release()
        await first
        return await asyncio.gather(*asked, return_exceptions=True)


async def opened(url, probe, **given):
    store = PostgresStore(url, probe=probe, **given)
    await store.open()
    for owner in (ME, OTHER):
        await store.join(owner, lease=LEASE)
    return store


async def test_what_is_ready_together_is_one_transaction_and_one_statement(postgres_url):
    probe = Held()
    store = await opened(postgres_url, probe)
    rows = await store.create([birth(f"p{n}") for n in range(60)])
    said = said_by(store)
    assert await probe.go(store, lambda: [store.save(step(row)) for row in rows]) == [None] * 60
    assert (probe.count("store.begin"), probe.count("store.apply"), probe.count("store.commit")) == (2, 61, 2)
    assert [text.split()[0] for text in said] == ["BEGIN", "COMMIT", "WITH"]  # the first two are of the empty batch
    await store.close()


async def test_a_refusal_costs_no_transaction_of_its_own(postgres_url):
    probe = Held()
    store = await opened(postgres_url, probe)
    row, other, child = await store.create([birth("p1"), birth("p2"), birth("p3")])
    changes = (
        step(row, epoch=5),
        step(other),
        step(child, body=bytes(3_000_000)),
        step(row, births=[birth("bad pid")]),
    )
    answers = await probe.go(store, lambda: [store.save(change) for change in changes])
    assert [type(answer) for answer in answers] == [FencedError, type(None), TooLargeError, StoreError]
    assert probe.count("store.commit") == 2
    await store.close()


async def later(write, *given, **named):
    """Ask in the loop's next turn, as those do whose own first turn it is."""
    return await write(*given, **named)


async def test_writes_about_the_same_process_are_done_in_the_order_in_which_they_were_asked_for(postgres_url):
    probe = Held()
    store = await opened(postgres_url, probe)
    (row,) = await store.create([birth("p1")])
    one, two = step(row), step(row, seq=3)
    order = Order(id="o", pid="p1", verb="pause", at=1.0)
    asked = await probe.go(
        store,
        lambda: [
            later(store.save, one),
            later(store.ask, [order]),
            later(store.save, two),
            later(store.create, [birth("p2", parent="p1")], fence=Fence("p1", 1)),
            later(store.release, Fence("p1", 1)),
            later(store.create, [birth("p3")], fence=Fence("p1", 1)),
            later(store.claim, "p1", owner=OTHER),
        ],
    )
    assert [type(answer) for answer in asked if isinstance(answer, Exception)] == [FencedError]
    assert isinstance(asked[5], FencedError)
    assert (asked[6].owner, asked[6].epoch, asked[6].seq) == (OTHER, 2, 3)
    assert await store.orders("p1") == [order]
    assert probe.count("store.commit") == 2
    await store.close()


def mixed(store, row):
    return (
        store.save(step(row)),
        store.save(step(row, epoch=7)),
        store.create([birth("p2")]),
        store.claim("free", owner=OTHER),
        store.join("third", lease=LEASE),
        store.join(ME, lease=LEASE),
        store.release(Fence("held", 1)),
        store.delete("over"),
    )


async def prepared(url, probe):
    store = await opened(url, probe)
    row, *_ = await store.create([birth("p1"), birth("free", owner=None), birth("held")])
    await ended(store, "over")
    return store, row


async def check(store, row, answers):
    """Everything was done once, and was told so."""
    assert [type(answer) for answer in answers if isinstance(answer, Exception)] == [FencedError, DuplicateProcessError]
    assert [answers.index(answer) for answer in answers if isinstance(answer, Exception)] == [1, 5]
    assert await store.record("p1") == after(row, step(row))
    assert len(await store.history("p1")) == 2
    claimed = await store.record("free")
    assert answers[3] == claimed
    assert (claimed.owner, claimed.epoch, claimed.attempts) == (OTHER, 1, 0)
    assert (await store.record("held")).owner is None
    assert {found.pid for found in (await store.list(Query())).records} == {"p1", "p2", "free", "held"}
    await store.renew("third", lease=LEASE)


@pytest.mark.parametrize("place", ["store.commit", "store.committed"])
async def test_each_request_of_a_batch_that_failed_is_told_the_truth(postgres_url, place):
    """At `store.committed` the error hides a commit that happened: asking again must find it, not repeat it."""
    probe = Held()
    store, row = await prepared(postgres_url, probe)
    probe.then = FailAt(2, OSError("lost"), place)  # the first batch is the empty one
    await check(store, row, await probe.go(store, lambda: mixed(store, row)))
    await store.close()


def session_of(store):
    """The connection of a store's writing thread, to make its statements fail."""
    return store._writer._work._session


class Spying:
    """A connection whose statements are seen, and fail, before they are sent."""

    def __init__(self, db, before):
        self._db = db
        self._before = before

    def execute(self, statement, *values, **how):
        self._before(statement, self._db)
        return self._db.execute(statement, *values, **how)

    def __getattr__(self, name):
        return getattr(self._db, name)


def said_by(store):
    """All statements that the store says from now on."""
    session, said = session_of(store), []
    session._db = Spying(session.connected(), lambda statement, _: said.append(statement.strip()))
    return said


@pytest.mark.parametrize("committed", [True, False])
async def test_a_connection_lost_at_the_commit_is_resolved_by_looking(postgres_url, committed):
    probe = Held()
    store, row = await prepared(postgres_url, probe)
    failing = iter([False, True])

    def lose(statement, db):
        if statement == "COMMIT" and next(failing, False):
            if committed:
                db.execute("COMMIT")
            db.close()

    session_of(store)._db = Spying(session_of(store).connected(), lose)
    await check(store, row, await probe.go(store, lambda: mixed(store, row)))
    await store.close()


@pytest.mark.parametrize("committed", [True, False])
async def test_a_connection_lost_in_the_one_statement_of_a_step_is_resolved_by_looking(postgres_url, committed):
    store = await opened(postgres_url, Recorder())
    (row,) = await store.create([birth()])
    session = session_of(store)

    class Deaf(Spying):
        def execute(self, statement, *values, **how):
            if not committed:
                self._db.close()
            self._db.execute(statement, *values, **how)
            self._db.close()
            return self._db.execute("SELECT 1")

    session._db = Deaf(session.connected(), None)
    await store.save(step(row))
    assert await store.record("p1") == after(row, step(row))
    assert [event.seq for event in await store.history("p1")] == [1, 2]
    await store.close()


async def test_what_met_another_transaction_is_tried_again(postgres_url):
    """Two stores create the same process at once: one of them finds the other's."""
    probe = HangAt(1, "store.commit")
    await (await opened(postgres_url, Recorder())).close()
    one, two = PostgresStore(postgres_url, probe=probe), PostgresStore(postgres_url)
    await one.open()
    await two.open()
    first = one.create([birth("p1"), birth("p2")])
    await asyncio.get_running_loop().run_in_executor(None, probe.reached.wait)
    second = two.create([birth("p0"), birth("p1")])
    probe.release()
    assert [row.pid for row in await first] == ["p1", "p2"]
    assert [row.pid for row in await second] == ["p0", "p1"]
    await one.close()
    await two.close()


async def test_an_order_that_comes_while_its_process_ends_is_answered(postgres_url):
    """Whoever is first: an order that is not committed yet is not seen by who ends the process, so it has to wait."""
    probe = HangAt(1, "store.commit")
    two = await opened(postgres_url, Recorder())
    (row,) = await two.create([birth()])
    one = PostgresStore(postgres_url, probe=probe)
    await one.open()
    asking = asyncio.ensure_future(one.ask([Order(id="o", pid="p1", verb="pause", at=1.0)]))
    await asyncio.get_running_loop().run_in_executor(None, probe.reached.wait)
    ending = two.save(step(row, state=State.FINISHED, event="finished"))
    await asyncio.wait([ending], timeout=0.2)  # with the lock it cannot end; without it, it mostly has by then
    probe.release()
    await asyncio.gather(asking, ending)
    assert (await two.receipt("o")).settled
    await one.close()
    await two.close()


@pytest.mark.parametrize("first", ["park", "end"])
async def test_a_parent_that_is_parked_while_its_child_ends_is_not_forgotten(postgres_url, first):
    """Neither sees what the other has not committed, so the second one has to wait, and to look then."""
    probe = HangAt(1, "store.commit")
    two = await opened(postgres_url, Recorder())
    (parent, child) = await two.create([birth("p1"), birth("p2", parent="p1")])
    one = PostgresStore(postgres_url, probe=probe)
    await one.open()

    async def park(store):
        return await store.park(Fence("p1", parent.epoch), Rest(children=("p2",)))

    async def end(store):
        await store.save(step(child, state=State.FINISHED, event="finished"))

    doing = asyncio.ensure_future(park(one) if first == "park" else end(one))
    await asyncio.get_running_loop().run_in_executor(None, probe.reached.wait)
    other = asyncio.ensure_future(end(two) if first == "park" else park(two))
    await asyncio.wait([other], timeout=0.2)  # it cannot end, unless it does not wait
    probe.release()
    parked = [found for found in await asyncio.gather(doing, other) if found is not None]
    found = await two.record("p1")
    assert (found.parked, parked) == (False, [first == "park"])
    await one.close()
    await two.close()


async def test_a_single_request_is_not_tried_again_when_it_surely_failed(postgres_url):
    probe = Recorder()
    store = await opened(postgres_url, probe)
    (row,) = await store.create([birth()])

    def fail(statement, db):
        if "INSERT INTO event" in statement:
            raise psycopg.errors.DiskFull("no space left on device")

    session_of(store)._db = Spying(session_of(store).connected(), fail)
    probe.places.clear()
    with pytest.raises(StoreUnavailableError, match="no space is left on the server's disk"):
        await store.save(step(row))
    assert probe.count("store.begin") == 1
    assert await store.record("p1") == row
    await store.close()


async def test_a_text_that_postgresql_cannot_hold_is_refused_or_shown_without_it(postgres_url):
    store = await opened(postgres_url, Recorder())
    row, other = await store.create([birth("p1"), birth("p2")])
    bad, good = store.save(step(row, status="\ud800")), store.save(step(other, status="a\0b"))
    with pytest.raises(StoreError, match="nothing was written"):
        await bad
    await good
    assert (await store.record("p1")) == row
    assert (await store.record("p2")).status == "a\N{SYMBOL FOR NULL}b"
    await store.close()


async def test_a_crash_of_the_writing_thread_fails_all_and_commits_nothing_more(postgres_url):
    probe = Held()
    store = await opened(postgres_url, probe)
    rows = await store.create([birth(f"p{n}") for n in range(3)])
    probe.then = CrashAt(4, "store.apply")  # one of the empty batch, then the third of the next
    answers = await probe.go(store, lambda: [store.save(step(row)) for row in rows])
    assert isinstance(answers[0], CrashError)
    assert answers == [answers[0]] * 3
    probe.then = lambda place: None
    with pytest.raises(CrashError) as later:
        await store.save(step(rows[0]))
    assert later.value is answers[0]
    assert [(await store.record(row.pid)).seq for row in rows] == [1, 1, 1]
    await store.close()
    await store.open()  # as a new interpreter would
    await store.save(step(rows[0]))
    await store.close()
