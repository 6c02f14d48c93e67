"""What a store promises of processes that wait: nobody holds them, and none is forgotten."""

from typing import Any

import pytest

from drupe.core.lifecycle import TERMINAL, State
from drupe.core.order import Answer, Order, Outcome
from drupe.core.record import Fence, Record, Rest
from drupe.errors import FencedError, UnknownProcessError
from drupe.interfaces.store import Store
from drupe.testing.clock import ManualClock
from drupe.testing.store_case import LEASE, ME, OTHER, StoreCase, born, ended, step, walk

_ENDS = sorted(TERMINAL)


class StoreParkingContract(StoreCase):
    """Park, wake, and find what can go on."""

    async def test_who_is_parked_is_held_by_nobody_and_not_found(self, store: Store) -> None:
        row = await _waits(store)
        assert await store.park(_fence(row), Rest()) is True
        found = await store.record("p1")
        assert (found.owner, found.parked, found.wake_at) == (None, True, None)
        assert (found.epoch, found.seq, found.state, found.attempts) == (row.epoch, row.seq, row.state, row.attempts)
        assert await store.free() == []
        assert await store.held(ME) == {}

    async def test_parking_again_does_nothing(self, store: Store) -> None:
        row = await _waits(store)
        for _ in range(2):
            assert await store.park(_fence(row), Rest(wake_at=5e9)) is True
        assert (await store.record("p1")).wake_at == 5e9

    async def test_only_the_owner_parks(self, store: Store) -> None:
        row = await _waits(store)
        with pytest.raises(FencedError):
            await store.park(Fence("p1", row.epoch - 1), Rest())
        with pytest.raises(FencedError):
            await store.park(Fence("nobody", 1), Rest())
        await store.release(_fence(row))
        with pytest.raises(FencedError):
            await store.park(_fence(row), Rest())
        assert not (await store.record("p1")).parked

    async def test_a_save_with_the_epoch_of_before_is_fenced(self, store: Store) -> None:
        row = await _parked(store)
        with pytest.raises(FencedError):
            await store.save(step(row))

    async def test_a_claim_wakes(self, store: Store) -> None:
        row = await _parked(store, wake_at=5e9)
        claimed = await store.claim("p1", owner=OTHER)
        assert (claimed.owner, claimed.epoch, claimed.parked, claimed.wake_at) == (OTHER, row.epoch + 1, False, None)
        assert claimed == await store.record("p1")

    # --- what wakes ----------------------------------------------------------------------------------------

    @pytest.mark.parametrize("verb", ["pause", "play", "kill", "signal"])
    async def test_an_order_wakes(self, store: Store, verb: str) -> None:
        await _parked(store, wake_at=5e9)
        await store.ask([_order(verb)])
        assert await store.free() == [await store.record("p1")]
        assert (await store.record("p1")).wake_at is None

    async def test_one_that_was_asked_before_wakes_nobody(self, store: Store) -> None:
        row = await _waits(store)
        await store.ask([_order("signal", name="other")])
        assert await store.park(_fence(row), Rest(signal="go")) is True
        await store.ask([_order("signal", name="other")])
        assert await store.free() == []

    @pytest.mark.parametrize("order", [("pause", None), ("kill", None), ("signal", "go")])
    async def test_who_is_asked_for_something_already_is_not_parked(
        self, store: Store, order: tuple[str, str | None]
    ) -> None:
        row = await _waits(store)
        await store.ask([_order(order[0], name=order[1])])
        assert await store.park(_fence(row), Rest(signal="go")) is False
        assert await store.record("p1") == row
        await store.answer(_fence(row), [Answer(id="o1", outcome=Outcome.REFUSED)])
        assert await store.park(_fence(row), Rest(signal="go")) is True

    async def test_signals_of_other_names_keep_nobody_from_resting(self, store: Store) -> None:
        row = await _waits(store)
        await store.ask([_order("signal", name="other")])
        assert await store.park(_fence(row), Rest()) is True

    @pytest.mark.parametrize("state", _ENDS)
    async def test_the_end_of_a_child_wakes_its_parent(self, store: Store, state: State) -> None:
        await _parked(store)
        children = [await born(store, pid, parent="p1") for pid in ("c1", "c2")]
        await store.save(step(children[0]))
        assert await store.free() == []
        await walk(store, children[1], 1, state=state, event=state.value)
        assert await store.free() == [await store.record("p1")]

    async def test_so_does_one_that_is_ended_from_outside(self, store: Store) -> None:
        await _parked(store)
        child = await born(store, "c1", parent="p1", owner=None)
        await store.overrule(step(child, state=State.KILLED, event="killed"))
        assert [row.pid for row in await store.free()] == ["p1"]

    async def test_who_waits_for_a_child_that_has_ended_is_not_parked(self, store: Store) -> None:
        row = await _waits(store)
        await born(store, "c1", parent="p1")
        await ended(store, "c2", parent="p1")
        assert await store.park(_fence(row), Rest(children=("c1", "c2"))) is False
        assert await store.park(_fence(row), Rest(children=("c1",))) is True

    @pytest.mark.parametrize("children", [("c1", "stranger"), ("nobody",)])
    async def test_who_waits_for_what_would_not_wake_it_is_not_parked(
        self, store: Store, children: tuple[str, ...]
    ) -> None:
        row = await _waits(store)
        await born(store, "c1", parent="p1")
        await born(store, "stranger", parent=None)
        assert await store.park(_fence(row), Rest(children=children)) is False
        assert await store.record("p1") == row

    async def test_a_time_that_has_come_wakes(self, store: Store, clock: ManualClock) -> None:
        now = await self._now(store, clock)
        row = await _waits(store)
        assert await store.park(_fence(row), Rest(wake_at=now - 1.0)) is False
        assert await store.park(_fence(row), Rest(wake_at=now + 3600.0)) is True
        assert await store.free() == []
        early = await _parked(store, "p2", wake_at=now + 0.2)
        await self._pass(clock, 0.4)
        assert [row.pid for row in await store.free()] == [early.pid]

    async def test_the_next_time_is_known_as_long_as_it_is_to_come(self, store: Store, clock: ManualClock) -> None:
        assert await store.next_wake() is None
        now = await self._now(store, clock)
        await _parked(store)
        await _parked(store, "p2", wake_at=now + 3600.0)
        assert await self._next_wake(store) == pytest.approx(3600.0, abs=5.0)
        soon = await _parked(store, "p3", wake_at=now + 0.2)
        assert 0.0 < await self._next_wake(store) < 0.3
        await self._pass(clock, 0.4)
        assert [row.pid for row in await store.free()] == [soon.pid]
        assert await self._next_wake(store) == pytest.approx(3600.0, abs=5.0)

    async def test_nobody_is_waited_for_that_is_woken_paused_or_over(self, store: Store, clock: ManualClock) -> None:
        now = await self._now(store, clock)
        for number, pid in enumerate(("claimed", "asked", "over", "paused", "rests")):
            await _parked(store, pid, wake_at=now + 1000.0 * (number + 1))
        await store.claim("claimed", owner=OTHER)
        await store.ask([_order("signal", pid="asked")])
        await store.overrule(step(await store.record("over"), state=State.KILLED, event="killed"))
        paused = step(await store.record("paused"), state=State.WAITING, paused=True, event="paused")
        await store.overrule(paused)
        assert await self._next_wake(store) == pytest.approx(5000.0, abs=5.0)
        played = step(
            await store.record("paused"), was=State.WAITING, state=State.WAITING, paused=False, event="played"
        )
        await store.overrule(played)
        assert await self._next_wake(store) == pytest.approx(4000.0, abs=5.0)

    async def _next_wake(self, store: Store) -> float:
        found = await store.next_wake()
        assert found is not None
        return found

    async def _now(self, store: Store, clock: ManualClock) -> float:
        """Get the time of day of the store; a database that has a clock of its own overrides it."""
        return clock.now()

    async def _pass(self, clock: ManualClock, seconds: float) -> None:
        """Let time pass; likewise."""
        clock.advance(seconds)

    # --- what is found -------------------------------------------------------------------------------------

    async def test_what_nobody_holds_is_found_the_oldest_first(self, store: Store) -> None:
        for number, pid in enumerate(("young", "old", "middle")):
            await born(store, pid, owner=None, created=(3.0, 1.0, 2.0)[number])
        assert [row.pid for row in await store.free()] == ["old", "middle", "young"]
        assert [row.pid for row in await store.free(limit=2)] == ["old", "middle"]

    async def test_the_workers_of_a_queue_find_what_is_theirs_or_nobody_s(self, store: Store) -> None:
        for number, queue in enumerate(("a", None, "b", "a", "c")):
            await born(store, f"p{number}", owner=None, created=9.0 - number, queue=queue)
            await born(store, f"q{number}", owner=OTHER, created=9.0 - number, queue=queue)
            assert (await store.record(f"p{number}")).queue == queue
        assert [row.pid for row in await store.free()] == ["p4", "p3", "p2", "p1", "p0"]
        assert [row.pid for row in await store.free(queue="a")] == ["p3", "p1", "p0"]
        assert [row.pid for row in await store.free(queue="a", limit=2)] == ["p3", "p1"]
        assert [row.pid for row in await store.free(queue="none")] == ["p1"]
        assert [row.pid for row in await store.free(queue="none", dead=[OTHER])] == ["p1", "q1"]
        assert (await store.claim("p0", owner=ME)).queue == "a"

    async def test_what_is_due_is_found_by_the_workers_of_its_queue(self, store: Store, clock: ManualClock) -> None:
        now = await self._now(store, clock)
        for number, queue in enumerate(("a", None, "b", "a")):
            for pid, wake_at in ((f"p{number}", now + 100 + number), (f"q{number}", now + 5.0)):
                row = await walk(store, await born(store, pid, queue=queue), 1, state=State.WAITING, event="waiting")
                assert await store.park(_fence(row), Rest(wake_at=wake_at))
        for queue, first in (("a", 100), ("b", 102), ("none", 101)):
            await self._pass(clock, 6.0 if queue == "a" else 0.0)
            assert (await store.next_wake(queue=queue) or 0.0) == pytest.approx(first, abs=10.0)
        assert (await store.next_wake() or 0.0) == pytest.approx(100, abs=10.0)
        assert sorted(row.pid for row in await store.free(queue="a")) == ["q0", "q1", "q3"]
        assert [row.pid for row in await store.free(queue="none")] == ["q1"]
        assert sorted(row.pid for row in await store.free()) == ["q0", "q1", "q2", "q3"]

    async def test_what_was_handed_in_and_never_taken_is_found_last_of_all(
        self, store: Store, clock: ManualClock
    ) -> None:
        now = await self._now(store, clock)
        for number, queue in enumerate(("a", None, "b", "a")):
            await born(store, f"p{number}", owner=None, parked=True, wake_at=now + 100 + number, queue=queue)
            await born(store, f"q{number}", owner=None, parked=True, wake_at=now - 9 + number, queue=queue)
        await born(store, "left", owner=OTHER, created=9e9, queue="a")
        assert sorted(row.pid for row in (await store.free(queue="a", dead=[OTHER]))[1:]) == ["q0", "q1", "q3"]
        assert [row.pid for row in await store.free(queue="a", dead=[OTHER], limit=1)] == ["left"]
        assert [row.pid for row in await store.free(queue="none")] == ["q1"]
        assert sorted(row.pid for row in await store.free()) == ["q0", "q1", "q2", "q3"]
        assert await store.next_wake() is None
        assert (await store.claim("p2", owner=ME)).wake_at is None

    async def test_whatever_is_paused_and_asked_for_something_is_found_by_all(self, store: Store) -> None:
        paused = await walk(store, await born(store, queue="a"), 1, paused=True, event="paused")
        await store.release(_fence(paused))
        await store.ask([_order("play")])
        assert [row.pid for row in await store.free(queue="b")] == ["p1"]

    async def test_what_is_held_paused_or_over_is_not_found(self, store: Store) -> None:
        await born(store, "held")
        await ended(store, "over")
        paused = await walk(store, await born(store, "paused"), 1, paused=True, event="paused")
        await store.release(_fence(paused))
        assert await store.free() == []
        played = await store.claim("paused", owner=ME)
        await store.save(step(played, paused=False, event="played"))
        await store.release(_fence(played))
        assert [row.pid for row in await store.free()] == ["paused"]

    async def test_what_the_dead_hold_is_found(self, store: Store, clock: ManualClock) -> None:
        for pid, owner in (("mine", ME), ("theirs", OTHER), ("nobody's", None)):
            await born(store, pid.replace("'", ""), owner=owner)
        assert [row.pid for row in await store.free()] == ["nobodys"]
        assert [row.pid for row in await store.free(dead=[OTHER])] == ["nobodys", "theirs"]
        await self._pass_lease(store, clock)
        assert [row.pid for row in await store.free()] == ["nobodys", "theirs"]
        await store.claim("theirs", owner=ME)
        assert [row.pid for row in await store.free()] == ["nobodys"]

    async def test_what_is_paused_and_asked_for_something_is_found_last(self, store: Store) -> None:
        """Whoever asked may have died before it was carried out."""
        for pid in ("silent", "asked", "signalled"):
            await store.release(_fence(await walk(store, await born(store, pid), 1, paused=True, event="paused")))
        await walk(store, await born(store, "held"), 1, paused=True, event="paused")
        await born(store, "young", owner=None, created=9e9)
        await store.ask(
            [
                _order("play", id="1", pid="asked"),
                _order("play", id="2", pid="asked"),
                _order("play", id="3", pid="held"),
                _order("signal", id="4", pid="signalled", name="word"),
            ]
        )
        assert [row.pid for row in await store.free()] == ["young", "asked"]
        assert [row.pid for row in await store.free(limit=1)] == ["young"]
        assert sorted(row.pid for row in await store.free(dead=[ME])) == ["asked", "held", "young"]
        row = await store.record("asked")
        answers = [Answer(id=id, outcome=Outcome.APPLIED) for id in "12"]
        await store.answer(Fence(row.pid, row.epoch), answers)
        assert [row.pid for row in await store.free()] == ["young"]

    async def _pass_lease(self, store: Store, clock: ManualClock) -> None:
        """Let the lease of all but `ME` run out."""
        clock.advance(2 * LEASE)
        await store.renew(ME, lease=LEASE)

    async def test_a_parked_one_that_is_paused_and_played_rests_on(self, store: Store) -> None:
        row = await _parked(store)
        await store.overrule(step(row, state=State.WAITING, paused=True, event="paused"))
        await store.overrule(
            step(await store.record("p1"), was=State.WAITING, state=State.WAITING, paused=False, event="played")
        )
        assert (await store.record("p1")).parked
        assert await store.free() == []

    async def test_one_that_is_killed_rests_no_more(self, store: Store) -> None:
        row = await _parked(store, wake_at=5e9)
        await store.overrule(step(row, state=State.KILLED, event="killed"))
        found = await store.record("p1")
        assert (found.parked, found.wake_at, found.state) == (False, None, State.KILLED)

    async def test_an_unknown_one_is_unknown(self, store: Store) -> None:
        with pytest.raises(UnknownProcessError):
            await store.ask([_order("signal")])


def _order(verb: str, *, id: str = "o1", pid: str = "p1", name: str | None = None) -> Order:
    return Order(id=id, pid=pid, verb=verb, name=name, at=1000.0)


def _fence(row: Record) -> Fence:
    return Fence(row.pid, row.epoch)


async def _waits(store: Store, pid: str = "p1") -> Record:
    await walk(store, await born(store, pid), 1, state=State.WAITING, event="waiting")
    return await store.record(pid)


async def _parked(store: Store, pid: str = "p1", **rest: Any) -> Record:
    assert await store.park(_fence(await _waits(store, pid)), Rest(**rest))
    return await store.record(pid)
