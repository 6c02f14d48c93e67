"""What a store promises of claiming many at once: what `claim` does, and all it takes to go on, in one transaction."""

import asyncio
from collections.abc import Callable

import pytest

from drupe.core.lifecycle import TERMINAL, State
from drupe.core.order import Answer, Order, Outcome
from drupe.core.record import Checkpoint, Fence, Record, Rest, Retention, is_queued
from drupe.errors import FencedError, StoreUnavailableError
from drupe.interfaces.store import Store
from drupe.testing.clock import ManualClock
from drupe.testing.probe import FailAt
from drupe.testing.store_case import LEASE, ME, OTHER, Place, StoreCase, birth, born, ended, step, walk


class StoreClaimingContract(StoreCase):
    """`Store.claim_many`."""

    async def test_all_it_takes_to_go_on_comes_with_the_claim(self, store: Store) -> None:
        left = await _left(store, "p1")
        await store.ask([_signal("first"), _signal("second")])
        (claimed,) = await store.claim_many(["p1"], owner=ME)
        assert claimed.record == await store.record("p1")
        assert (claimed.record.owner, claimed.record.epoch, claimed.record.parked) == (ME, left.epoch + 1, False)
        assert claimed.checkpoint == await store.checkpoint("p1")
        assert claimed.inputs == await store.inputs("p1") == b"inputs"
        assert list(claimed.orders) == await store.orders("p1")
        assert [order.id for order in claimed.orders] == ["first", "second"]

    async def test_what_was_answered_does_not_come_with_it(self, store: Store) -> None:
        row = await _left(store, "p1")
        await store.ask([_signal("first"), _signal("second")])
        await store.answer(Fence("p1", row.epoch), [Answer(id="first", outcome=Outcome.APPLIED)])
        (claimed,) = await store.claim_many(["p1"], owner=ME)
        assert [order.id for order in claimed.orders] == ["second"]

    async def test_each_gets_what_is_its_own(self, store: Store) -> None:
        pids = [f"p{number}" for number in range(50)]
        for number, pid in enumerate(pids):
            await walk(store, await born(store, pid, owner=OTHER, inputs=pid.encode()), number % 3 + 1)
        await store.leave(OTHER)
        await store.ask([_signal(f"to-{pid}", pid=pid) for pid in pids[::2]])
        claimed = await store.claim_many(pids, owner=ME)
        assert sorted(one.record.pid for one in claimed) == sorted(pids)
        for one in claimed:
            number = pids.index(one.record.pid)
            seq = number % 3 + 2
            body = b"body %d" % seq
            assert one.checkpoint == Checkpoint(pid=one.record.pid, seq=seq, at=1000.0 + seq, body=body)
            assert (one.record.seq, one.inputs) == (seq, one.record.pid.encode())
            assert [order.id for order in one.orders] == ([] if number % 2 else [f"to-{one.record.pid}"])

    async def test_every_older_epoch_is_fenced(self, store: Store) -> None:
        old = await _left(store, "p1")
        (claimed,) = await store.claim_many(["p1"], owner=ME)
        with pytest.raises(FencedError):
            await store.save(step(old))
        await store.save(step(claimed.record))

    async def test_who_is_parked_is_woken(self, store: Store) -> None:
        row = await walk(store, await born(store, "p1", owner=OTHER), 1, state=State.WAITING)
        await store.park(Fence("p1", row.epoch), Rest(wake_at=5e9))
        (claimed,) = await store.claim_many(["p1"], owner=ME)
        assert (claimed.record.parked, claimed.record.wake_at) == (False, None)
        assert claimed.record == await store.record("p1")

    # --- what is left out ------------------------------------------------------------------------------------

    async def test_what_cannot_be_had_is_left_out_and_left_alone(self, store: Store) -> None:
        await _left(store, "free")
        rows = {
            "held": await born(store, "held", owner=OTHER),
            "mine": await born(store, "mine", owner=ME),
            "paused": await _left(store, "paused", paused=True),
        }
        rows |= {state.value: await ended(store, state.value, state) for state in sorted(TERMINAL)}
        claimed = await store.claim_many(["nobody", *rows, "free", "free", "not a pid"], owner=ME)
        assert [one.record.pid for one in claimed] == ["free"]
        assert {pid: await store.record(pid) for pid in rows} == rows

    async def test_nothing_is_asked_for(self, store: Store) -> None:
        assert await store.claim_many([], owner=ME) == []

    async def test_a_claim_needs_an_owner_that_has_joined(self, store: Store) -> None:
        await _left(store, "p1")
        with pytest.raises(FencedError, match="stranger"):
            await store.claim_many(["p1"], owner="stranger")
        assert (await store.record("p1")).owner is None

    # --- what the dead held ----------------------------------------------------------------------------------

    async def test_what_a_dead_owner_held_can_be_had_and_counts(self, store: Store) -> None:
        rows = {pid: await born(store, pid, owner=OTHER) for pid in ("one", "two", "waiting", "not-asked-for")}
        await store.save(step(rows["waiting"], state=State.WAITING))
        claimed = await store.claim_many(["one", "two", "waiting"], owner=ME, dead=[OTHER])
        found = {one.record.pid: one.record for one in claimed}
        assert found == {pid: await store.record(pid) for pid in ("one", "two", "waiting")}
        assert {pid: (row.owner, row.attempts) for pid, row in found.items()} == {
            "one": (ME, 1),
            "two": (ME, 1),
            "waiting": (ME, 0),
        }
        left = await store.record("not-asked-for")
        assert (left.owner, left.attempts) == (None, 1)
        with pytest.raises(FencedError):  # it is forgotten
            await store.renew(OTHER, lease=LEASE)

    async def test_a_lease_that_has_run_out_keeps_nothing(self, store: Store, clock: ManualClock) -> None:
        await born(store, "p1", owner=OTHER)
        clock.advance(LEASE / 2)
        await store.renew(ME, lease=LEASE)
        assert await store.claim_many(["p1"], owner=ME) == []
        clock.advance(LEASE / 2)
        assert [one.record.owner for one in await store.claim_many(["p1"], owner=ME)] == [ME]

    # --- what lies in a queue ------------------------------------------------------------------------------------

    async def test_what_lies_in_a_queue_is_found_by_nobody_and_had_by_who_was_told_of_it(self, store: Store) -> None:
        await store.create([birth(pid, owner=None, parked=True) for pid in ("p1", "p2", "p3")])
        await born(store, "free", owner=None)
        row = await store.record("p1")
        assert (row.owner, row.epoch, row.parked, is_queued(row)) == (None, 0, True, True)
        assert [row.pid for row in await store.free()] == ["free"]
        assert (await store.claim("p1", owner=ME)).parked is False
        (claimed,) = await store.claim_many(["p2"], owner=ME)
        assert not is_queued(claimed.record)
        assert [row.pid for row in await store.free()] == ["free"]

    async def test_what_lies_in_a_queue_is_found_by_all_once_something_is_asked_of_it(self, store: Store) -> None:
        await born(store, "p1", owner=None, parked=True)
        await store.ask([_signal("go")])
        (row,) = await store.free()
        assert row.pid == "p1"
        assert not is_queued(row)

    # --- others ------------------------------------------------------------------------------------------------

    async def test_of_two_who_want_the_same_each_gets_what_the_other_does_not(
        self, store: Store, place: Place, clock: ManualClock
    ) -> None:
        pids = [f"p{number}" for number in range(200)]
        for pid in pids:
            await born(store, pid, owner=None)
        other = place(clock=clock)
        await other.open()
        pages = [pids[first : first + 10] for first in range(0, 200, 10)]
        asked = [store.claim_many(page, owner=ME) for page in pages]
        asked += [other.claim_many(page[::-1], owner=OTHER) for page in reversed(pages)]
        claimed = [one.record for found in await asyncio.gather(*asked) for one in found]
        await other.close()
        assert sorted(row.pid for row in claimed) == sorted(pids)
        assert {row.epoch for row in claimed} == {1}
        assert sorted(claimed, key=_pid) == sorted([await store.record(pid) for pid in pids], key=_pid)

    async def test_what_is_told_after_a_doubt_is_what_was_claimed(self, place: Place) -> None:
        """The commit may or may not have arrived: it is claimed once, and told."""
        probe = FailAt(1, StoreUnavailableError("no answer came"), "store.committed")
        before = place(clock=ManualClock())
        await before.open()
        await before.join(ME, lease=LEASE)
        await born(before, "p1", owner=None)
        await before.close()
        store = place(clock=ManualClock(), probe=probe)
        await store.open()
        (claimed,) = await store.claim_many(["p1"], owner=ME)
        assert (claimed.record.epoch, claimed.record) == (1, await store.record("p1"))
        await store.close()

    async def test_more_checkpoints_than_are_kept_are_let_go(self, places: Callable[[], Place]) -> None:
        place = places()
        generous = place(clock=ManualClock(), retention=Retention(living=None))
        await generous.open()
        await generous.join(OTHER, lease=LEASE)
        await walk(generous, await born(generous, "p1", owner=OTHER), 5)
        await generous.leave(OTHER)
        await generous.close()
        store = place(clock=ManualClock(), retention=Retention(living=2))
        await store.open()
        await store.join(ME, lease=LEASE)
        (claimed,) = await store.claim_many(["p1"], owner=ME)
        await store.save(step(claimed.record))  # at the latest
        assert await store.checkpoints("p1") == [6, 7]
        await store.close()


async def _left(store: Store, pid: str, **given: object) -> Record:
    """Have a process that nobody holds."""
    row = await walk(store, await born(store, pid, owner=OTHER), 1, **given)
    await store.release(Fence(pid, row.epoch))
    return await store.record(pid)


def _signal(id: str, *, pid: str = "p1") -> Order:
    return Order(id=id, pid=pid, verb="signal", name="go", body=b"{}", at=1.0)


def _pid(row: Record) -> str:
    return row.pid
