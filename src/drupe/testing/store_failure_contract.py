"""What a store promises when it is interrupted: at each named place of a write, a crash and a failure."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from drupe.core.order import Answer, Order, Outcome
from drupe.core.record import Fence, Query, Rest, birth_record
from drupe.errors import FencedError, OwnedError, StoreUnavailableError
from drupe.interfaces.store import Store
from drupe.testing.clock import ManualClock
from drupe.testing.probe import CrashAt, CrashError, FailAt, HangAt, Recorder
from drupe.testing.store_case import LEASE, ME, OTHER, Place, StoreCase, birth, born, ended, step

INSIDE: Final = ["store.begin", "store.apply", "store.commit", "store.committed"]

_MINE: Final = birth_record(birth("mine"))
_FENCE: Final = Fence("mine", 1)
_CHILDREN: Final = (birth("new1"), birth("new2"))
_VERBS: Final[dict[str, Callable[[Store], Awaitable[object]]]] = {
    "store.join": lambda store: store.join("third", lease=LEASE),
    "store.renew": lambda store: store.renew(ME, lease=3 * LEASE),
    "store.leave": lambda store: store.leave(ME),
    "store.claim": lambda store: store.claim("mine", owner=ME),
    "store.claim_many": lambda store: store.claim_many(["left"], owner=ME),
    "store.release": lambda store: store.release(_FENCE),
    "store.park": lambda store: store.park(_FENCE, Rest(wake_at=5e9)),
    "store.create": lambda store: store.create(_CHILDREN, fence=_FENCE),
    "store.save": lambda store: store.save(step(_MINE, births=_CHILDREN)),
    "store.delete": lambda store: store.delete("over"),
    "store.ask": lambda store: store.ask([Order(id="new", pid="mine", verb="play", at=1.0)]),
    "store.answer": lambda store: store.answer(_FENCE, [Answer(id="asked", outcome=Outcome.REFUSED)]),
    "store.overrule": lambda store: store.overrule(step(_MINE), force=True),
}
_each_verb: Final = pytest.mark.parametrize("verb", _VERBS)
_each_place: Final = pytest.mark.parametrize("inside", ["", *INSIDE])  # "": where the verb is called


class StoreFailureContract(StoreCase):
    """Crash and failure at each place; close and open again."""

    @_each_verb
    async def test_a_write_passes_its_places_in_order(self, place: Place, verb: str) -> None:
        recorder = Recorder()
        await _prepare(place)
        store = place(clock=ManualClock(), probe=recorder)
        await store.open()
        await _VERBS[verb](store)
        await store.close()
        assert recorder.places == [verb, *INSIDE]

    @_each_verb
    @_each_place
    async def test_a_crash_before_the_commit_leaves_nothing_and_one_after_it_everything(
        self, places: Callable[[], Place], verb: str, inside: str
    ) -> None:
        place = places()
        await _prepare(place)
        store = place(clock=ManualClock(), probe=CrashAt(1, inside or verb))
        await store.open()
        for write in (_VERBS[verb], _VERBS[verb], _VERBS["store.create"]):  # the dead write nothing
            with pytest.raises(CrashError):
                await write(store)
        await store.close()
        assert await _picture(place) == await _undisturbed(places(), verb if inside == "store.committed" else None)

    @_each_verb
    @_each_place
    async def test_a_failure_is_told_exactly_when_nothing_was_written(
        self, places: Callable[[], Place], verb: str, inside: str
    ) -> None:
        place = places()
        await _prepare(place)
        store = place(clock=ManualClock(), probe=FailAt(1, StoreUnavailableError("the disk is full"), inside or verb))
        await store.open()
        try:
            await _VERBS[verb](store)
            done = True
        except StoreUnavailableError:
            done = False
        await store.close()
        assert done is (inside == "store.committed")
        assert await _picture(place) == await _undisturbed(places(), verb if done else None)

    async def test_after_a_failure_the_store_goes_on(self, place: Place) -> None:
        await _prepare(place)
        store = place(clock=ManualClock(), probe=FailAt(1, StoreUnavailableError("the disk is full"), "store.commit"))
        await store.open()
        with pytest.raises(StoreUnavailableError, match="full"):
            await store.save(step(_MINE))
        await store.save(step(_MINE))
        assert (await store.record("mine")).seq == 2
        await store.close()

    async def test_nobody_is_told_before_the_commit(self, place: Place) -> None:
        await _prepare(place)
        probe = HangAt(1, "store.commit")
        store = place(clock=ManualClock(), probe=probe)
        await store.open()
        saving = asyncio.get_running_loop().run_in_executor(None, _save_elsewhere, store)
        await asyncio.get_running_loop().run_in_executor(None, probe.reached.wait)
        assert not saving.done()
        probe.release()
        await saving
        assert (await store.record("mine")).seq == 2
        await store.close()

    # --- open and close ----------------------------------------------------------------------------------

    async def test_opening_and_closing_twice_does_nothing(self, place: Place) -> None:
        store = place()
        await store.close()
        await store.open()
        await store.join(ME, lease=LEASE)
        row = await born(store)
        await store.open()
        assert await store.record("p1") == row
        await store.close()
        await store.close()

    async def test_what_was_asked_before_closing_is_done(self, place: Place) -> None:
        store = place()
        await store.open()
        await store.join(ME, lease=LEASE)
        asked = [store.create([birth(f"p{n}")]) for n in range(50)]
        await store.close()
        await asyncio.gather(*asked)
        await store.open()
        assert len((await store.list(Query())).records) == 50
        await store.close()

    async def test_a_store_that_is_not_open_refuses(self, place: Place) -> None:
        store = place()
        for _ in "never opened", "closed":
            for verb, write in _VERBS.items():
                with pytest.raises(StoreUnavailableError, match="open"):
                    await write(store)
                assert verb
            for read in (store.record, store.inputs, store.checkpoint, store.checkpoints, store.history, store.find):
                with pytest.raises(StoreUnavailableError, match="open"):
                    await read("p1")
            with pytest.raises(StoreUnavailableError, match="open"):
                await store.list(Query())
            await store.open()
            await store.close()

    async def test_another_store_of_the_same_place_has_everything(self, place: Place) -> None:
        await _prepare(place)
        found = []
        for _ in "first", "second":
            store = place()
            await store.open()
            found.append(
                (
                    await store.list(Query()),
                    await store.inputs("mine"),
                    await store.checkpoint("over"),
                    await store.history("over"),
                )
            )
            await store.close()
        assert found[0] == found[1]
        assert {row.pid for row in found[0][0].records} == {"mine", "left", "over"}

    async def test_two_stores_of_the_same_place_see_and_fence_each_other(self, place: Place) -> None:
        clock = ManualClock()
        await _prepare(place)
        one, two = place(clock=clock), place(clock=clock)
        await one.open()
        await two.open()
        row = await two.claim("mine", owner=OTHER, dead=[ME])
        with pytest.raises(FencedError):
            await one.save(step(_MINE))
        await two.save(step(row))
        assert (await one.record("mine")).seq == 2
        await one.close()
        await two.close()


def _save_elsewhere(store: Store) -> None:
    async def save() -> None:
        await store.save(step(_MINE))

    asyncio.run(save())


async def _prepare(place: Place) -> None:
    store = place(clock=ManualClock())
    await store.open()
    await store.join(ME, lease=LEASE)
    await store.join(OTHER, lease=LEASE)
    await born(store, "mine")
    await born(store, "left", owner=None)
    await ended(store, "over")
    await store.ask([Order(id="asked", pid="mine", verb="pause", at=1.0)])
    await store.close()


async def _undisturbed(place: Place, verb: str | None) -> object:
    """Get the picture of a place where all that happened is ``verb``."""
    await _prepare(place)
    if verb is not None:
        store = place(clock=ManualClock())
        await store.open()
        await _VERBS[verb](store)
        await store.close()
    return await _picture(place)


async def _picture(place: Place) -> object:
    """Get all that can be seen of a place: processes, what belongs to them, who is there and how long their lease lasts."""
    clock = ManualClock()
    store = place(clock=clock)
    await store.open()
    rows = (await store.list(Query())).records
    kept = [(await store.checkpoints(row.pid), await store.history(row.pid)) for row in rows]
    orders, receipt = await store.orders("mine"), await store.receipt("asked")
    clock.advance(2 * LEASE)
    taken = await _succeeds(store.claim("mine", owner=OTHER))
    there = [await _succeeds(store.renew(name, lease=LEASE)) for name in (ME, OTHER, "third")]
    await store.close()
    return rows, kept, orders, receipt, taken, there


async def _succeeds(write: Awaitable[object]) -> bool:
    try:
        await write
    except (OwnedError, FencedError):
        return False
    return True
