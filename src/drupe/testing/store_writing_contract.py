"""What a store promises about writes: all or nothing, by the owner only, told after they are durable."""

import asyncio
import contextlib

import msgspec
import pytest

from drupe.core.lifecycle import TERMINAL, State
from drupe.core.record import Checkpoint, Event, Fence, Page, Query, Retention, birth_record
from drupe.errors import (
    ChildMismatchError,
    FencedError,
    InvalidStateError,
    SettingsError,
    StoreError,
    TooLargeError,
    UnknownProcessError,
)
from drupe.interfaces.store import Store
from drupe.testing.store_case import LEASE, ME, OTHER, Place, StoreCase, after, birth, born, ended, step, walk

BAD_PIDS = ["", "..", "a/b", "a\\b", "a\0b", "a b", "ä", "p\n", "x" * 65, "x" * 10_240]


class StoreWritingContract(StoreCase):
    """Create, save, delete."""

    # --- create ------------------------------------------------------------------------------------------

    async def test_a_created_process_has_its_row_and_first_checkpoint(self, store: Store) -> None:
        asked = birth(parent="elder", generation=2, retry_of="former", kind="m:Other", version=7)
        (row,) = await store.create([asked])
        assert row == birth_record(asked) == await store.record("p1")
        assert await store.inputs("p1") == asked.inputs
        assert await store.checkpoint("p1") == Checkpoint(pid="p1", seq=1, at=asked.created, body=asked.body)
        assert await store.history("p1") == [Event(seq=1, at=asked.created, event="created", state=State.CREATED)]

    async def test_rows_come_back_in_the_order_asked_for(self, store: Store) -> None:
        pids = ["p3", "p1", "p2"]
        assert [row.pid for row in await store.create([birth(pid) for pid in pids])] == pids

    async def test_creating_nothing_creates_nothing(self, store: Store) -> None:
        assert await store.create([]) == []
        assert await store.list(Query()) == Page(())

    async def test_creating_again_gets_the_row_as_it_is(self, store: Store) -> None:
        row = await walk(store, await born(store), 2)
        assert await store.create([birth(body=b"other", created=5.0)]) == [row]
        assert await store.checkpoints("p1") == [1, 2, 3]

    async def test_a_pid_asked_for_twice_at_once_is_created_once(self, store: Store) -> None:
        first, second = await store.create([birth(), birth()])
        assert first == second
        with pytest.raises(ChildMismatchError):
            await store.create([birth("p2"), birth("p2", kind="m:Other")])

    async def test_another_class_or_other_inputs_are_refused_and_nothing_is_created(self, store: Store) -> None:
        row = await born(store, "p2", kind="m:Former")
        with pytest.raises(ChildMismatchError, match=r"p2.*m:Former.*m:Later"):
            await store.create([birth("p1"), birth("p2", kind="m:Later"), birth("p3")])
        assert (await store.list(Query())).records == (row,)

    async def test_children_are_created_only_while_their_parent_is_owned(self, store: Store) -> None:
        parent = await born(store, "parent")
        fence = Fence("parent", parent.epoch)
        await store.create([birth("p1", parent="parent")], fence=fence)
        await store.claim("parent", owner=ME)
        with pytest.raises(FencedError, match="parent"):
            await store.create([birth("p2", parent="parent")], fence=fence)
        assert await store.find("p2") == []

    async def test_an_ended_or_unknown_parent_gets_no_children(self, store: Store) -> None:
        parent = await ended(store, "parent")
        for fence in (Fence("parent", parent.epoch), Fence("nobody", 1)):
            with pytest.raises(FencedError):
                await store.create([birth("p1")], fence=fence)

    async def test_what_tries_another_again_begins_where_that_one_stood(self, store: Store) -> None:
        row = await born(store, owner=None, state=State.WAITING, retry_of="p0", generation=2)
        assert (row.state, row.retry_of, row.generation, row.seq) == (State.WAITING, "p0", 2, 1)
        assert row == await store.record("p1")
        assert [event.state for event in await store.history("p1")] == [State.WAITING]

    async def test_who_creates_owns_from_the_start(self, store: Store) -> None:
        row = await born(store, owner=ME)
        assert (row.owner, row.epoch, row.attempts) == (ME, 1, 0)
        await store.save(step(row))

    async def test_only_who_has_joined_can_own_from_the_start(self, store: Store) -> None:
        with pytest.raises(FencedError, match="stranger"):
            await store.create([birth("p1"), birth("p2", owner="stranger")])
        assert await store.find("p1") == []

    @pytest.mark.parametrize("pid", BAD_PIDS)
    async def test_what_is_no_pid_is_refused(self, store: Store, pid: str) -> None:
        for bad in (birth(pid), birth(parent=pid), birth(retry_of=pid)):
            with pytest.raises(StoreError, match="pid"):
                await store.create([birth("p2"), bad])
        assert await store.list(Query()) == Page(())

    # --- save --------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("state", list(State))
    async def test_a_change_moves_row_checkpoint_and_history_on(self, store: Store, state: State) -> None:
        row = await born(store)
        change = step(row, state=state, paused=True, status="halfway", detail=None, event="moved")
        await store.save(change)
        assert await store.record("p1") == after(row, change)
        assert await store.checkpoint("p1") == Checkpoint(pid="p1", seq=2, at=change.at, body=change.body)
        assert (await store.history("p1"))[1:] == [Event(seq=2, at=change.at, event="moved", state=state)]

    async def test_pause_and_status_are_as_the_last_change_says(self, store: Store) -> None:
        row = await born(store)
        for paused, status in ((True, "a"), (True, None), (False, "b"), (False, "b")):
            row = await walk(store, row, 1, paused=paused, status=status)
            assert await store.record("p1") == row

    async def test_the_stored_state_counts_not_the_one_believed(self, store: Store) -> None:
        row = await born(store)
        change = step(row, was=State.RUNNING, state=State.RUNNING)
        await store.save(change)
        assert await store.record("p1") == after(row, change)
        assert (await store.list(Query(states=(State.RUNNING,)))).records == (after(row, change),)

    @pytest.mark.parametrize("wrong", [{"epoch": 0}, {"epoch": 2}, {"seq": 2}, {"seq": 3}, {"seq": 5}, {"pid": "p9"}])
    async def test_a_stale_epoch_or_number_changes_nothing(self, store: Store, wrong: dict[str, int]) -> None:
        row = await walk(store, await born(store), 2)
        with pytest.raises(FencedError):
            await store.save(msgspec.structs.replace(step(row), **wrong))
        assert await store.record("p1") == row
        assert await store.checkpoints("p1") == [1, 2, 3]
        assert len(await store.history("p1")) == 3

    async def test_what_nobody_owns_cannot_be_saved(self, store: Store) -> None:
        row = await born(store, owner=None)
        with pytest.raises(FencedError):
            await store.save(step(row))

    @pytest.mark.parametrize("state", [State.RUNNING, State.WAITING, State.FINISHED])
    async def test_what_was_released_cannot_be_saved(self, store: Store, state: State) -> None:
        row = await walk(store, await born(store), 1)
        await store.release(Fence("p1", row.epoch))
        with pytest.raises(FencedError):
            await store.save(step(row, state=state))
        assert (await store.record("p1")).seq == row.seq

    async def test_a_change_from_before_the_last_one_is_stale(self, store: Store) -> None:
        row = await born(store)
        first = step(row)
        await store.save(first)
        await store.save(step(after(row, first)))
        with pytest.raises(FencedError):
            await store.save(first)

    @pytest.mark.parametrize("state", [State.RUNNING, State.FINISHED])
    async def test_the_same_change_saved_again_does_nothing(self, store: Store, state: State) -> None:
        row = await walk(store, await born(store), 1)
        change = step(row, state=state, births=(birth("child", owner=None),))
        await store.save(change)
        await store.save(change)
        assert await store.record("p1") == after(row, change)
        assert len(await store.history("p1")) == 3

    @pytest.mark.parametrize("other", [{"body": b"other"}, {"event": "other"}, {"state": State.WAITING}])
    async def test_another_change_of_the_same_number_is_refused(self, store: Store, other: dict[str, object]) -> None:
        row = await born(store)
        await store.save(step(row))
        with pytest.raises(FencedError):
            await store.save(step(row, **other))
        assert (await store.checkpoint("p1")).body == step(row).body

    @pytest.mark.parametrize("state", sorted(TERMINAL))
    async def test_an_end_releases_and_is_final(self, store: Store, state: State) -> None:
        row = await ended(store, state=state)
        assert row.owner is None
        assert await store.record("p1") == row
        with pytest.raises(FencedError):
            await store.save(step(row, state=State.RUNNING))
        assert await store.record("p1") == row

    async def test_children_are_born_with_the_change(self, store: Store) -> None:
        row = await born(store)
        children = (birth("c1", parent="p1", owner=None), birth("c2", parent="p1"))
        await store.save(step(row, births=children))
        assert [await store.record(child.pid) for child in children] == [birth_record(child) for child in children]

    async def test_children_that_are_there_stay_as_they_are(self, store: Store) -> None:
        row, child = await born(store), await ended(store, "c1")
        await store.save(step(row, births=(birth("c1"), birth("c2"))))
        assert await store.record("c1") == child
        assert await store.find("c2") == ["c2"]

    @pytest.mark.parametrize("bad", [birth("c1", kind="m:Other"), birth("c1/.."), birth("c3", owner="stranger")])
    async def test_a_refused_child_refuses_the_whole_change(self, store: Store, bad: object) -> None:
        row = await born(store)
        await born(store, "c1")
        with pytest.raises((ChildMismatchError, StoreError)):
            await store.save(step(row, births=(birth("c2"), bad)))
        assert await store.record("p1") == row
        assert await store.checkpoints("p1") == [1]
        assert await store.find("c2") == []

    # --- limits ------------------------------------------------------------------------------------------

    async def test_what_is_too_large_is_refused_before_anything_is_written(self, place: Place) -> None:
        store = place(max_bytes=100)
        await store.open()
        await store.join(ME, lease=LEASE)
        row = await born(store, inputs=bytes(100), body=bytes(100))
        await store.save(step(row, body=bytes(100)))
        for write in (
            store.create([birth("p2"), birth("p3", inputs=bytes(101))]),
            store.create([birth("p2"), birth("p3", body=bytes(101))]),
            store.save(step(row, seq=3, body=bytes(101))),
            store.save(step(row, seq=3, births=(birth("p2"), birth("p3", body=bytes(101))))),
        ):
            with pytest.raises(TooLargeError, match="101"):
                await write
        assert (await store.record("p1")).seq == 2
        assert await store.find("p2") == []
        await store.close()

    async def test_what_says_why_a_process_failed_is_never_too_large(self, place: Place) -> None:
        store = place(max_bytes=100)
        await store.open()
        await store.join(ME, lease=LEASE)
        row = await born(store, body=bytes(100))
        await store.save(step(row, state=State.EXCEPTED, body=bytes(101)))
        assert (await store.record("p1")).state is State.EXCEPTED
        await store.close()

    async def test_a_large_checkpoint_comes_back_as_it_was(self, store: Store) -> None:
        row = await born(store)
        body = bytes(range(256)) * 8192
        await store.save(step(row, body=body))
        assert (await store.checkpoint("p1")).body == body

    # --- retention ---------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("retention", "living", "at_the_end"),
        [
            (None, list(range(3, 13)), [13]),
            (Retention(living=1, ended=1), [12], [13]),
            (Retention(living=3, ended=2), [10, 11, 12], [12, 13]),
            (Retention(living=2, ended=None), [11, 12], [11, 12, 13]),
            (Retention(living=None, ended=None), list(range(1, 13)), list(range(1, 14))),
            (Retention(living=None, ended=1), list(range(1, 13)), [13]),
        ],
    )
    async def test_the_last_checkpoints_are_kept(
        self, place: Place, retention: Retention | None, living: list[int], at_the_end: list[int]
    ) -> None:
        store = place(retention=retention)
        await store.open()
        await store.join(ME, lease=LEASE)
        row = await born(store)
        for number in range(2, 13):
            row = await walk(store, row, 1)
            assert await store.checkpoints("p1") == list(range(1, number + 1))[-len(living) :]
        assert await store.checkpoints("p1") == living
        await walk(store, row, 1, state=State.KILLED)
        assert await store.checkpoints("p1") == at_the_end
        assert [event.seq for event in await store.history("p1")] == list(range(1, 14))
        await store.close()

    @pytest.mark.parametrize(
        ("retention", "kept"), [(Retention(living=3), [8, 9, 10]), (Retention(living=8), list(range(5, 11)))]
    )
    async def test_another_retention_holds_from_the_first_step_of_the_next_owner_on(
        self, place: Place, retention: Retention, kept: list[int]
    ) -> None:
        before = place(retention=Retention(living=5))
        await before.open()
        await before.join(ME, lease=LEASE)
        await walk(before, await born(before), 8)
        await before.leave(ME)
        await before.close()
        store = place(retention=retention)
        await store.open()
        await store.join(OTHER, lease=LEASE)
        await walk(store, await store.claim("p1", owner=OTHER), 1)
        assert await store.checkpoints("p1") == kept
        await store.close()

    @pytest.mark.parametrize("retention", [Retention(living=0), Retention(ended=0)])
    def test_a_store_that_would_keep_nothing_is_refused(self, place: Place, retention: Retention) -> None:
        with pytest.raises(SettingsError):
            place(retention=retention)

    # --- delete ------------------------------------------------------------------------------------------

    async def test_a_deleted_process_is_gone_with_all_that_belongs_to_it(self, store: Store) -> None:
        await ended(store, "p1")
        child = await ended(store, "p2", parent="p1")
        await store.delete("p1")
        for read in (store.record, store.inputs, store.checkpoint, store.checkpoints, store.history, store.delete):
            with pytest.raises(UnknownProcessError):
                await read("p1")
        assert (await store.list(Query())).records == (child,)
        assert await born(store, "p1") == birth_record(birth("p1"))
        assert await store.checkpoints("p1") == [1]
        assert len(await store.history("p1")) == 1

    async def test_a_living_process_cannot_be_deleted(self, store: Store) -> None:
        row = await walk(store, await born(store), 1)
        with pytest.raises(InvalidStateError, match="running"):
            await store.delete("p1")
        assert await store.record("p1") == row

    async def test_what_nobody_has_ever_held_can_be_deleted_and_nothing_else_with_it(self, store: Store) -> None:
        """Also not what was held and let go of, or has ended since."""
        for pid in ("queued", "held", "let-go"):
            await born(store, pid, owner=None, parked=True)
        await store.claim("held", owner=ME)
        await store.release(Fence("let-go", (await store.claim("let-go", owner=ME)).epoch))
        await ended(store, "over")
        with pytest.raises(InvalidStateError):
            await store.delete("queued")
        await store.delete("queued", untouched=True)
        for pid in ("held", "let-go", "over"):
            with pytest.raises(InvalidStateError, match="somebody"):
                await store.delete(pid, untouched=True)
            assert (await store.record(pid)).epoch == 1
        with pytest.raises(UnknownProcessError):
            await store.record("queued")

    # --- many at once ------------------------------------------------------------------------------------

    async def test_one_refusal_does_not_touch_what_is_committed_together_with_it(self, store: Store) -> None:
        rows = await store.create([birth(f"p{n}") for n in range(20)])
        answers = await asyncio.gather(
            *(store.save(step(row, epoch=row.epoch + n % 2)) for n, row in enumerate(rows)), return_exceptions=True
        )
        assert [isinstance(answer, FencedError) for answer in answers] == [n % 2 == 1 for n in range(20)]
        assert [(await store.record(row.pid)).seq for row in rows] == [2 - n % 2 for n in range(20)]

    async def test_a_store_serves_several_loops_in_several_threads(self, store: Store) -> None:
        def run(number: int) -> None:
            async def processes() -> None:
                rows = await store.create([birth(f"t{number}-{n}") for n in range(5)])
                await asyncio.gather(*(walk(store, row, 20) for row in rows))

            asyncio.run(processes())

        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(None, run, n) for n in range(3)))
        assert {row.seq for row in (await store.list(Query())).records} == {21}

    async def test_a_cancelled_waiter_does_not_take_its_write_back(self, store: Store) -> None:
        row = await born(store)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(store.save(step(row)), 0)
        await store.join("third", lease=LEASE)  # asked for later, so done later
        assert (await store.record("p1")).seq == 2
