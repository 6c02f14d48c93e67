"""What is ready together is committed together, and each is told the truth about its own part."""

import asyncio
import sqlite3

import pytest

from drupe.core.record import Fence, Query
from drupe.errors import DuplicateProcessError, FencedError, StoreUnavailableError, TooLargeError
from drupe.storage.sqlite import SqliteStore
from drupe.testing import CrashAt, CrashError, FailAt, HangAt, Recorder
from drupe.testing.store_case import LEASE, ME, OTHER, after, birth, ended, step


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


async def opened(path, probe):
    store = SqliteStore(path, probe=probe)
    await store.open()
    for owner in (ME, OTHER):
        await store.join(owner, lease=LEASE)
    return store


async def test_what_is_ready_together_is_one_transaction(path):
    probe = Held()
    store = await opened(path, probe)
    rows = await store.create([birth(f"p{n}") for n in range(100)])
    assert await probe.go(store, lambda: [store.save(step(row)) for row in rows]) == [None] * 100
    assert (probe.count("store.begin"), probe.count("store.apply"), probe.count("store.commit")) == (2, 101, 2)
    await store.close()


async def test_a_refusal_costs_no_transaction_of_its_own(path):
    probe = Held()
    store = await opened(path, probe)
    row, other = await store.create([birth("p1"), birth("p2")])
    changes = step(row, epoch=5), step(other), step(row, body=bytes(3_000_000))
    answers = await probe.go(store, lambda: [store.save(change) for change in changes])
    assert [type(answer) for answer in answers] == [FencedError, type(None), TooLargeError]
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
        store.renew(ME, lease=LEASE),
        store.release(Fence("held", 1)),
        store.delete("over"),
    )


async def prepared(path, probe):
    store = await opened(path, probe)
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
    assert (claimed.owner, claimed.epoch) == (OTHER, 1)
    assert (await store.record("held")).owner is None
    assert {found.pid for found in (await store.list(Query())).records} == {"p1", "p2", "free", "held"}
    await store.renew("third", lease=LEASE)


@pytest.mark.parametrize("place", ["store.commit", "store.committed"])
async def test_each_request_of_a_batch_that_failed_is_told_the_truth(path, place):
    """At `store.committed` the error hides a commit that happened: asking again must find it, not repeat it."""
    probe = Held()
    store, row = await prepared(path, probe)
    probe.then = FailAt(2, OSError("lost"), place)  # the first batch is the empty one
    await check(store, row, await probe.go(store, lambda: mixed(store, row)))
    await store.close()


@pytest.mark.parametrize("committed", [True, False])
async def test_an_error_of_the_commit_itself_is_resolved_by_looking(path, committed):
    probe = Held()
    store, row = await prepared(path, probe)
    failing = iter([False, True])
    execute = inside(store).execute

    def doubtful(sql, *values):
        if sql == "COMMIT" and next(failing, False):
            execute("COMMIT" if committed else "ROLLBACK")
            raise sqlite3.OperationalError("disk I/O error")
        return execute(sql, *values)

    inside(store).execute = doubtful
    await check(store, row, await probe.go(store, lambda: mixed(store, row)))
    await store.close()


def inside(store):
    """What the writes of a store work with, to make its statements fail."""
    return store._writer._work._transaction


async def test_a_single_request_is_not_tried_again_when_it_surely_failed(path):
    probe = Recorder()
    store = await opened(path, probe)
    (row,) = await store.create([birth()])
    execute = inside(store).execute

    def failing(sql, *values):
        if "INSERT INTO event" in sql:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error
        return execute(sql, *values)

    inside(store).execute = failing
    probe.places.clear()
    with pytest.raises(StoreUnavailableError, match="disk"):
        await store.save(step(row))
    assert probe.count("store.begin") == 1
    assert await store.record("p1") == row
    await store.close()


async def test_a_crash_of_the_writing_thread_fails_all_and_commits_nothing_more(path):
    probe = Held()
    store = await opened(path, probe)
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
