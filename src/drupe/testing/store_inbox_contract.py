"""What a store promises about orders: kept until they are answered, answered once, and in one transaction with their change."""

import asyncio
from typing import Any

import msgspec
import pytest

from drupe.core.lifecycle import TERMINAL, State
from drupe.core.order import Answer, Order, Outcome, Receipt
from drupe.core.record import Change, Fence
from drupe.errors import (
    FencedError,
    InvalidStateError,
    OwnedError,
    TooLargeError,
    UnknownOrderError,
    UnknownProcessError,
)
from drupe.interfaces.store import Store
from drupe.testing.clock import ManualClock
from drupe.testing.store_case import LEASE, ME, OTHER, Place, StoreCase, born, ended, step, walk

REFUSED, APPLIED, REQUESTED = Outcome.REFUSED, Outcome.APPLIED, Outcome.REQUESTED


def order(id: str = "o1", pid: str = "p1", **given: Any) -> Order:
    """Get an order to pause, but for what is given."""
    return msgspec.structs.replace(Order(id=id, pid=pid, verb="pause", body=b"why", at=1500.0), **given)


def killed(row: Any, **given: Any) -> Change:
    """Get the change that ends a process as KILLED, but for what is given."""
    return step(row, **{"state": State.KILLED, "event": "killed", **given})


class StoreInboxContract(StoreCase):
    """Ask, look, answer, overrule."""

    # --- asking ------------------------------------------------------------------------------------------

    async def test_an_order_lies_there_until_it_is_answered(self, store: Store) -> None:
        row = await born(store)
        (receipt,) = await store.ask([order(name="go")])
        assert receipt == Receipt(id="o1", pid="p1", verb="pause", name="go", at=1500.0)
        assert await store.receipt("o1") == receipt
        assert await store.orders("p1") == [order(name="go")]
        await store.answer(Fence("p1", row.epoch), [Answer(id="o1", outcome=REFUSED, detail="no")])
        assert await store.orders("p1") == []
        answered = await store.receipt("o1")
        assert (answered.outcome, answered.detail, answered.settled) == (REFUSED, "no", True)
        assert answered.answered is not None

    async def test_orders_come_in_the_order_in_which_they_were_given(self, store: Store) -> None:
        await born(store)
        await store.ask([order("z"), order("a")])
        await store.ask([order("m", at=1.0)])
        assert [found.id for found in await store.orders("p1")] == ["z", "a", "m"]
        assert [found.id for found in await store.asked(ME)] == ["z", "a", "m"]

    async def test_asking_twice_with_one_id_is_asking_once(self, store: Store) -> None:
        row = await born(store)
        await store.ask([order()])
        (again,) = await store.ask([order(body=b"other", verb="play")])
        assert again.verb == "pause"
        assert await store.orders("p1") == [order()]
        await store.answer(Fence("p1", row.epoch), [Answer(id="o1", outcome=APPLIED)])
        (later,) = await store.ask([order()])
        assert later == await store.receipt("o1")
        assert later.outcome is APPLIED
        assert await store.orders("p1") == []

    async def test_one_id_given_twice_in_one_call_is_asked_once(self, store: Store) -> None:
        await born(store)
        receipts = await store.ask([order(), order(verb="play")])
        assert [receipt.verb for receipt in receipts] == ["pause", "pause"]
        assert await store.orders("p1") == [order()]

    async def test_all_orders_are_kept_or_none(self, store: Store) -> None:
        await born(store)
        with pytest.raises(UnknownProcessError, match="nobody"):
            await store.ask([order(), order("o2", "nobody")])
        with pytest.raises(TooLargeError, match="p1"):
            await store.ask([order(), order("o2", body=bytes(2 * 1024 * 1024))])
        assert await store.orders("p1") == []
        with pytest.raises(UnknownOrderError, match="o1"):
            await store.receipt("o1")

    async def test_nobody_has_orders_who_is_not_there(self, store: Store) -> None:
        assert await store.orders("nobody") == []
        assert await store.asked("nobody") == []

    async def test_what_is_asked_of_an_owner_is_what_is_asked_of_its_processes(self, store: Store) -> None:
        await born(store, "mine")
        await born(store, "other", owner=OTHER)
        await born(store, "free", owner=None)
        await store.ask([order("1", "mine"), order("2", "other"), order("3", "free"), order("4", "mine")])
        assert [found.id for found in await store.asked(ME)] == ["1", "4"]
        assert [found.id for found in await store.asked(ME, limit=1)] == ["1"]
        assert [found.id for found in await store.asked(OTHER)] == ["2"]
        await store.claim("free", owner=OTHER)
        assert [found.id for found in await store.asked(OTHER)] == ["2", "3"]

    async def test_of_the_signals_the_oldest_of_each_name_is_what_is_asked(self, store: Store) -> None:
        await born(store)
        await born(store, "p2")
        names = [("1", "p1", "go"), ("2", "p1", "stop"), ("3", "p1", "go"), ("4", "p2", "go"), ("5", "p2", "go")]
        await store.ask([order(id, pid, verb="signal", name=name) for id, pid, name in names])
        await store.ask([order("6"), order("7")])
        assert [found.id for found in await store.asked(ME)] == ["1", "2", "4", "6", "7"]
        assert [found.id for found in await store.asked(ME, limit=4)] == ["1", "2", "4", "6"]
        assert len(await store.orders("p1")) == 5

    async def test_the_first_signal_of_a_name_is_the_oldest_that_is_not_answered(self, store: Store) -> None:
        row = await born(store)
        await born(store, "p2")
        await store.ask(
            [order("other", "p2", verb="signal", name="go"), order("pause", name="go")]
            + [order(id, verb="signal", name=name) for id, name in [("x", "stop"), ("b", "go"), ("a", "go")]]
        )
        for id in ("b", "a"):
            assert await store.first_signal("p1", "go") == order(id, verb="signal", name="go")
            await store.answer(Fence("p1", row.epoch), [Answer(id=id, outcome=APPLIED)])
        assert await store.first_signal("p1", "go") is None
        assert await store.first_signal("nobody", "go") is None

    @pytest.mark.parametrize("state", sorted(TERMINAL))
    @pytest.mark.parametrize("verb", ["pause", "kill", "signal"])
    async def test_what_is_asked_of_the_dead_is_answered_at_once(self, store: Store, state: State, verb: str) -> None:
        await ended(store, state=state)
        (receipt,) = await store.ask([order(verb=verb)])
        assert receipt == await store.receipt("o1")
        assert receipt.outcome is (APPLIED if (verb, state) == ("kill", State.KILLED) else REFUSED)
        assert receipt.answered == 1500.0
        assert receipt.outcome is APPLIED or str(state) in str(receipt.detail)
        assert await store.orders("p1") == []

    # --- answering ---------------------------------------------------------------------------------------

    async def test_an_answer_comes_with_the_change_that_it_is_about(self, store: Store) -> None:
        row = await born(store)
        await store.ask([order(), order("o2")])
        await store.save(step(row, answers=(Answer(id="o1", outcome=APPLIED),), at=1600.0))
        receipt = await store.receipt("o1")
        assert (receipt.outcome, receipt.answered) == (APPLIED, 1600.0)
        assert await store.orders("p1") == [order("o2")]

    async def test_a_change_that_is_refused_answers_nothing(self, store: Store) -> None:
        row = await born(store)
        await store.ask([order()])
        answers = (Answer(id="o1", outcome=APPLIED),)
        for stale in ({"epoch": row.epoch + 1}, {"seq": row.seq + 2}):
            with pytest.raises(FencedError):
                await store.save(step(row, answers=answers, **stale))
        assert (await store.receipt("o1")).outcome is REQUESTED

    async def test_only_who_holds_a_process_answers(self, store: Store) -> None:
        row = await born(store)
        await store.ask([order()])
        await store.claim("p1", owner=OTHER, dead=[ME])
        with pytest.raises(FencedError):
            await store.answer(Fence("p1", row.epoch), [Answer(id="o1", outcome=APPLIED)])
        assert (await store.receipt("o1")).outcome is REQUESTED

    async def test_of_what_nobody_holds_anybody_answers_who_has_seen_it_last(self, store: Store) -> None:
        row = await born(store, owner=None)
        await store.ask([order()])
        with pytest.raises(FencedError):
            await store.answer(Fence("p1", row.epoch + 1), [Answer(id="o1", outcome=APPLIED)])
        await store.answer(Fence("p1", row.epoch), [Answer(id="o1", outcome=APPLIED)])
        assert (await store.receipt("o1")).outcome is APPLIED

    async def test_the_first_answer_is_the_last_word(self, store: Store) -> None:
        row = await born(store)
        await store.ask([order()])
        fence = Fence("p1", row.epoch)
        await store.answer(fence, [Answer(id="o1", outcome=APPLIED)])
        first = await store.receipt("o1")
        await store.answer(fence, [Answer(id="o1", outcome=REFUSED, detail="too late")])
        await store.save(step(row, answers=(Answer(id="o1", outcome=REFUSED),)))
        assert await store.receipt("o1") == first

    async def test_nobody_answers_for_another_process(self, store: Store) -> None:
        row = await born(store)
        await born(store, "p2")
        await store.ask([order("o2", "p2")])
        await store.answer(Fence("p1", row.epoch), [Answer(id="o2", outcome=APPLIED)])
        await store.save(step(row, answers=(Answer(id="o2", outcome=APPLIED),)))
        assert (await store.receipt("o2")).outcome is REQUESTED

    @pytest.mark.parametrize("state", sorted(TERMINAL))
    async def test_the_end_of_a_process_answers_the_rest(self, store: Store, state: State) -> None:
        row = await born(store)
        await born(store, "p2")
        await store.ask([order("mine"), order("kill", verb="kill"), order("late"), order("other", "p2")])
        await store.save(step(row, state=state, event=state, answers=(Answer(id="mine", outcome=APPLIED),)))
        found = {id: (await store.receipt(id)).outcome for id in ("mine", "kill", "late", "other")}
        kill = APPLIED if state is State.KILLED else REFUSED
        assert found == {"mine": APPLIED, "kill": kill, "late": REFUSED, "other": REQUESTED}
        assert str(state) in str((await store.receipt("late")).detail)

    async def test_orders_outlive_an_owner_and_go_with_their_process(self, store: Store) -> None:
        await born(store)
        await store.ask([order()])
        row = await store.claim("p1", owner=OTHER, dead=[ME])
        assert await store.asked(OTHER) == [order()]
        await walk(store, row, 1, state=State.FINISHED, event="finished")
        await store.delete("p1")
        with pytest.raises(UnknownOrderError):
            await store.receipt("o1")

    # --- overruling --------------------------------------------------------------------------------------

    async def test_who_holds_nothing_changes_what_nobody_holds(self, store: Store) -> None:
        row = await born(store, owner=None)
        await store.ask([order()])
        change = step(
            row,
            state=State.CREATED,
            event="paused",
            paused=True,
            status="why",
            answers=(Answer(id="o1", outcome=APPLIED),),
        )
        await store.overrule(change)
        found = await store.record("p1")
        assert (found.paused, found.status, found.seq, found.epoch, found.owner) == (
            True,
            "why",
            2,
            row.epoch + 1,
            None,
        )
        assert (await store.checkpoint("p1")).body == change.body
        assert (await store.history("p1"))[-1].event == "paused"
        assert (await store.receipt("o1")).outcome is APPLIED

    async def test_what_somebody_holds_is_left_alone(self, store: Store) -> None:
        row = await born(store)
        with pytest.raises(OwnedError) as refused:
            await store.overrule(killed(row))
        assert refused.value.owner == ME
        assert await store.record("p1") == row

    async def test_what_the_dead_hold_can_be_changed(self, store: Store, clock: ManualClock) -> None:
        row, other = await born(store), await born(store, "p2")
        await store.overrule(killed(row), dead=[ME])
        assert (await store.record("p1")).state is State.KILLED
        other = await store.record("p2")
        assert (other.owner, other.attempts) == (None, 1)  # who is dead holds nothing
        clock.advance(2 * LEASE)
        await store.overrule(killed(other))
        assert (await store.record("p2")).state is State.KILLED

    async def test_force_takes_one_process_from_a_living_owner_and_fences_it(self, store: Store) -> None:
        row = await born(store)
        await born(store, "p2")
        await store.ask([order(), order("kill", verb="kill")])
        await store.overrule(killed(row), force=True)
        found = await store.record("p1")
        assert (found.state, found.epoch, found.owner) == (State.KILLED, row.epoch + 1, None)
        assert [(await store.receipt(id)).outcome for id in ("o1", "kill")] == [REFUSED, APPLIED]
        with pytest.raises(FencedError):
            await store.save(step(row))
        assert (await store.record("p2")).owner == ME
        await store.renew(ME, lease=LEASE)

    async def test_a_change_that_does_not_follow_is_refused(self, store: Store) -> None:
        row = await walk(store, await born(store, owner=ME), 1)
        await store.release(Fence("p1", row.epoch))
        for stale in ({"epoch": row.epoch + 1}, {"epoch": row.epoch - 1}, {"seq": row.seq}, {"seq": row.seq + 2}):
            with pytest.raises(FencedError):
                await store.overrule(killed(row, **stale), force=True)
        assert (await store.record("p1")).state is State.RUNNING

    async def test_what_has_ended_cannot_be_changed(self, store: Store) -> None:
        row = await ended(store)
        with pytest.raises(InvalidStateError, match="finished"):
            await store.overrule(killed(row), force=True)
        with pytest.raises(UnknownProcessError):
            await store.overrule(killed(msgspec.structs.replace(row, pid="nobody")), force=True)

    async def test_overruling_again_because_the_answer_was_lost_changes_nothing(self, store: Store) -> None:
        row = await born(store, owner=None)
        await store.overrule(killed(row))
        found = await store.record("p1")
        await store.overrule(killed(row))
        assert await store.record("p1") == found
        assert [event.seq for event in await store.history("p1")] == [1, 2]

    async def test_of_those_who_overrule_at_once_one_succeeds(
        self, place: Place, store: Store, clock: ManualClock
    ) -> None:
        row = await born(store, owner=None)
        others = [place(clock=clock) for _ in range(4)]
        for other in others:
            await other.open()
        tries = [one.overrule(step(row, body=b"%d" % n, event="paused", paused=True)) for n, one in enumerate(others)]
        outcomes = await asyncio.gather(*tries, return_exceptions=True)
        for other in others:
            await other.close()
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["FencedError"] * 3 + ["NoneType"]
        assert (await store.record("p1")).seq == 2
