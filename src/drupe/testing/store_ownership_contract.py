"""What a store promises about owners: one at a time, by lease and epoch."""

import asyncio
from functools import partial
from itertools import chain
from threading import Barrier

import pytest

from drupe.core.lifecycle import State
from drupe.core.record import Fence, Owner
from drupe.errors import (
    DuplicateProcessError,
    FencedError,
    InvalidStateError,
    OwnedError,
    UnknownProcessError,
)
from drupe.interfaces.store import Store
from drupe.testing.clock import ManualClock
from drupe.testing.store_case import LEASE, ME, OTHER, Place, StoreCase, birth, born, ended, step, walk


class StoreOwnershipContract(StoreCase):
    """Join, renew, leave, claim, release."""

    async def test_a_name_can_join_once_only(self, store: Store) -> None:
        with pytest.raises(DuplicateProcessError, match="other"):
            await store.join(OTHER, lease=LEASE)

    async def test_a_claim_needs_an_owner_that_has_joined(self, store: Store) -> None:
        await born(store, owner=None)
        with pytest.raises(FencedError, match="stranger"):
            await store.claim("p1", owner="stranger")
        assert (await store.record("p1")).epoch == 0

    async def test_a_claim_raises_the_epoch_by_one(self, store: Store) -> None:
        await born(store, owner=None)
        row = await store.claim("p1", owner=ME)
        assert (row.owner, row.epoch, row.attempts) == (ME, 1, 0)
        assert row == await store.record("p1")

    async def test_claiming_what_one_owns_gives_a_new_epoch_and_fences_the_old_one(self, store: Store) -> None:
        old = await born(store)
        new = await store.claim("p1", owner=ME)
        assert (new.owner, new.epoch) == (ME, old.epoch + 1)
        with pytest.raises(FencedError):
            await store.save(step(old))
        await store.save(step(new))

    async def test_what_somebody_else_owns_cannot_be_claimed(self, store: Store) -> None:
        row = await born(store, owner=OTHER)
        with pytest.raises(OwnedError, match="other") as refused:
            await store.claim("p1", owner=ME)
        assert refused.value.owner == OTHER
        assert await store.record("p1") == row

    async def test_an_unknown_process_cannot_be_claimed(self, store: Store) -> None:
        with pytest.raises(UnknownProcessError, match="nobody"):
            await store.claim("nobody", owner=ME)

    async def test_an_ended_process_cannot_be_claimed(self, store: Store) -> None:
        row = await ended(store)
        with pytest.raises(InvalidStateError, match="finished"):
            await store.claim("p1", owner=ME)
        assert await store.record("p1") == row

    # --- leases ------------------------------------------------------------------------------------------

    async def test_a_lease_holds_until_it_has_run_out(self, store: Store, clock: ManualClock) -> None:
        await born(store, owner=OTHER)
        clock.advance(LEASE - 0.01)
        with pytest.raises(OwnedError):
            await store.claim("p1", owner=ME)
        clock.advance(0.01)
        assert (await store.claim("p1", owner=ME)).owner == ME

    async def test_a_renewed_lease_lasts_from_its_renewal(self, store: Store, clock: ManualClock) -> None:
        await born(store, owner=OTHER)
        clock.advance(LEASE - 1)
        await store.renew(OTHER, lease=LEASE)
        clock.advance(LEASE - 1)
        with pytest.raises(OwnedError):
            await store.claim("p1", owner=ME)
        clock.advance(1)
        await store.claim("p1", owner=ME)

    async def test_a_late_renewal_succeeds_while_nothing_was_taken(self, store: Store, clock: ManualClock) -> None:
        await born(store, owner=OTHER)
        clock.advance(5 * LEASE)
        await store.renew(OTHER, lease=LEASE)
        with pytest.raises(OwnedError):
            await store.claim("p1", owner=ME)

    async def test_a_late_write_succeeds_while_nothing_was_taken(self, store: Store, clock: ManualClock) -> None:
        row = await born(store, owner=OTHER)
        clock.advance(5 * LEASE)
        await store.save(step(row))

    async def test_an_owner_from_whom_something_was_taken_cannot_renew(self, store: Store, clock: ManualClock) -> None:
        await born(store, owner=OTHER)
        clock.advance(LEASE)
        await store.claim("p1", owner=ME)
        with pytest.raises(FencedError, match="other"):
            await store.renew(OTHER, lease=LEASE)

    async def test_what_was_taken_is_fenced(self, store: Store, clock: ManualClock) -> None:
        stale = await born(store, owner=OTHER)
        clock.advance(LEASE)
        row = await store.claim("p1", owner=ME)
        for write in (store.save(step(stale)), store.create([], fence=Fence("p1", stale.epoch))):
            with pytest.raises(FencedError, match="p1"):
                await write
        with pytest.raises(FencedError):
            await store.release(Fence("p1", stale.epoch))
        assert await store.record("p1") == row
        assert await store.checkpoints("p1") == [1]

    async def test_a_turned_clock_does_not_end_a_lease(self, store: Store, clock: ManualClock) -> None:
        await born(store, owner=OTHER)
        for jump in (3600, -7200):
            clock.set_now(clock.now() + jump)
            with pytest.raises(OwnedError):
                await store.claim("p1", owner=ME)

    async def test_an_unknown_owner_cannot_renew(self, store: Store) -> None:
        with pytest.raises(FencedError, match="stranger"):
            await store.renew("stranger", lease=LEASE)

    # --- the dead ----------------------------------------------------------------------------------------

    async def test_what_a_dead_owner_holds_can_be_claimed_at_once(self, store: Store) -> None:
        row = await born(store, owner=OTHER)
        claimed = await store.claim("p1", owner=ME, dead=[OTHER])
        assert (claimed.owner, claimed.epoch) == (ME, row.epoch + 1)

    async def test_who_was_declared_dead_holds_nothing_any_more(self, store: Store) -> None:
        await born(store, "p1", owner=OTHER)
        rest = await born(store, "p2", owner=OTHER)
        await store.claim("p1", owner=ME, dead=[OTHER])
        assert (await store.record("p2")).owner is None
        with pytest.raises(FencedError):
            await store.save(step(rest))
        with pytest.raises(FencedError):
            await store.renew(OTHER, lease=LEASE)

    async def test_declaring_somebody_dead_does_not_open_what_another_holds(self, store: Store) -> None:
        await store.join("third", lease=LEASE)
        await born(store, owner=OTHER)
        with pytest.raises(OwnedError):
            await store.claim("p1", owner=ME, dead=["third"])
        await store.renew("third", lease=LEASE)

    # --- leave and release -------------------------------------------------------------------------------

    async def test_who_leaves_releases_everything(self, store: Store) -> None:
        rows = [await born(store, pid, owner=OTHER) for pid in ("p1", "p2")]
        mine = await born(store, "p3")
        await store.leave(OTHER)
        assert [(await store.record(row.pid)).owner for row in rows] == [None, None]
        assert await store.record("p3") == mine
        with pytest.raises(FencedError):
            await store.save(step(rows[0]))
        assert (await store.claim("p1", owner=ME)).epoch == rows[0].epoch + 1

    async def test_who_has_left_is_forgotten(self, store: Store) -> None:
        await store.leave(OTHER)
        await store.leave(OTHER)
        with pytest.raises(FencedError):
            await store.renew(OTHER, lease=LEASE)
        await store.join(OTHER, lease=LEASE)

    async def test_what_is_released_can_be_claimed_by_anybody(self, store: Store) -> None:
        row = await born(store, owner=OTHER)
        await store.release(Fence("p1", row.epoch))
        assert (await store.record("p1")).owner is None
        with pytest.raises(FencedError):
            await store.save(step(row))
        assert (await store.claim("p1", owner=ME)).owner == ME

    async def test_releasing_again_does_nothing_until_somebody_claims(self, store: Store) -> None:
        fence = Fence("p1", (await born(store)).epoch)
        await store.release(fence)
        await store.release(fence)
        row = await store.claim("p1", owner=ME)
        with pytest.raises(FencedError):
            await store.release(fence)
        assert await store.record("p1") == row

    async def test_what_is_not_there_cannot_be_released(self, store: Store) -> None:
        with pytest.raises(FencedError, match="nobody"):
            await store.release(Fence("nobody", 1))

    async def test_owners_are_listed_with_what_is_left_of_their_leases(self, store: Store, clock: ManualClock) -> None:
        await born(store, "p1")
        await born(store, "p2")
        await ended(store, "p3")
        clock.advance(LEASE - 1)
        await store.renew(ME, lease=LEASE)
        clock.advance(2)
        assert await store.owners() == [Owner(name=ME, left=LEASE - 2, held=2), Owner(name=OTHER, left=-1, held=0)]
        await store.leave(OTHER)
        clock.reboot()
        (mine,) = await store.owners()
        assert (mine.name, mine.held) == (ME, 2)
        if store.dialect != "postgresql":  # a server knows no boots of its clients' machines
            assert mine.left is None

    # --- attempts ----------------------------------------------------------------------------------------

    async def test_attempts_count_owners_that_died_since_the_last_progress(self, store: Store) -> None:
        row = await born(store, owner=OTHER)
        for attempts in (1, 2, 3):
            row = await store.claim("p1", owner=ME, dead=[OTHER])
            assert row.attempts == attempts
            assert row == await store.record("p1")
            await store.join(OTHER, lease=LEASE)
            await store.release(Fence("p1", row.epoch))
            row = await store.claim("p1", owner=OTHER)
        for state in (State.RUNNING, State.RUNNING, State.WAITING):  # with and without another state
            await walk(store, await store.claim("p1", owner=OTHER), 1, state=state)
            assert (await store.record("p1")).attempts == 0

    async def test_an_owner_whose_lease_ran_out_counts_as_dead(self, store: Store, clock: ManualClock) -> None:
        await born(store, owner=OTHER)
        clock.advance(LEASE)
        assert (await store.claim("p1", owner=ME)).attempts == 1

    async def test_who_leaves_or_releases_or_claims_again_has_not_failed(self, store: Store) -> None:
        row = await born(store, owner=OTHER)
        await store.release(Fence("p1", row.epoch))
        row = await store.claim("p1", owner=OTHER)
        await store.leave(OTHER)
        row = await store.claim("p1", owner=ME)
        assert (await store.claim("p1", owner=ME)).attempts == row.attempts == 0

    async def test_what_else_a_dead_owner_was_in_a_step_of_counts_one_more(self, store: Store) -> None:
        await born(store, "taken", owner=OTHER)
        await born(store, "created", owner=OTHER)
        rows = {pid: await born(store, pid, owner=OTHER) for pid in ("running", "waiting", "paused", "ended")}
        await born(store, "mine", owner=ME)
        await store.save(step(rows["running"]))
        await store.save(step(rows["waiting"], state=State.WAITING))
        await store.save(step(rows["paused"], paused=True))
        await store.save(step(rows["ended"], state=State.FINISHED))
        await store.claim("taken", owner=ME, dead=[OTHER])
        found = {pid: (await store.record(pid)).attempts for pid in ("taken", "created", "mine", *rows)}
        assert found == {"taken": 1, "created": 1, "running": 1, "waiting": 0, "paused": 0, "ended": 0, "mine": 0}

    async def test_a_parent_that_has_a_living_child_made_progress(self, store: Store) -> None:
        await born(store, "parent", owner=OTHER)
        row = await store.claim("parent", owner=ME, dead=[OTHER])
        fence = Fence("parent", row.epoch)
        child = birth("child", parent="parent", owner=ME)
        await store.create([child], fence=fence)
        assert (await store.record("parent")).attempts == 0

    async def test_a_parent_whose_children_have_ended_made_none(self, store: Store) -> None:
        await born(store, "parent", owner=OTHER)
        child = birth("child", parent="parent", owner=ME)
        await ended(store, "child", parent="parent")
        row = await store.claim("parent", owner=ME, dead=[OTHER])
        await store.create([child], fence=Fence("parent", row.epoch))
        await store.create([], fence=Fence("parent", row.epoch))
        assert (await store.record("parent")).attempts == 1

    # --- many at once ------------------------------------------------------------------------------------

    async def test_of_many_claimers_exactly_one_wins(self, store: Store, place: Place, clock: ManualClock) -> None:
        """Four threads with a loop each, half of them with a store of their own, sixteen claimers in each."""
        await born(store, owner=None)
        names = [f"claimer-{number}" for number in range(64)]
        for name in names:
            await store.join(name, lease=LEASE)
        together = Barrier(4)

        def claim(some: list[str], *, own: bool) -> list[bool]:
            async def claim_all() -> list[bool]:
                used = place(clock=clock) if own else store
                await used.open()
                together.wait(20)
                won = await asyncio.gather(*(_claims(used, name) for name in some))
                if own:
                    await used.close()
                return won

            return asyncio.run(claim_all())

        loop = asyncio.get_running_loop()
        asked = [loop.run_in_executor(None, partial(claim, names[n::4], own=n % 2 == 0)) for n in range(4)]
        won = list(chain.from_iterable(await asyncio.gather(*asked)))
        row = await store.record("p1")
        assert won.count(True) == 1
        assert row.epoch == 1
        assert row.owner in names


class OneMachineContract(StoreCase):
    """What is more of a store that only programs of one machine can have: when that was started anew, all of them are gone."""

    async def test_an_owner_of_another_boot_is_gone(self, store: Store, clock: ManualClock) -> None:
        await born(store, owner=OTHER)
        clock.reboot()
        assert (await store.claim("p1", owner=ME)).owner == ME


async def _claims(store: Store, name: str) -> bool:
    try:
        await store.claim("p1", owner=name)
    except OwnedError:
        return False
    return True
