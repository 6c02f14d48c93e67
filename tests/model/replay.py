"""Doing to a real store what happens in the model, and seeing that it says the same.

A trace is one of the many ways through `tests.model.protocol`, by chance. Each of its moves that touches a store is made
with the store's own methods; what the model says is refused must be refused, with the right error, and after every move
epoch, number, owner and end of the process are compared.
"""

from collections.abc import Callable
from random import Random

import pytest

from drupe.core.lifecycle import TERMINAL, State
from drupe.core.message import Task
from drupe.core.order import Answer, Order, Outcome
from drupe.core.record import Birth, Change
from drupe.errors import FencedError, OwnedError
from drupe.interfaces.store import Store
from drupe.interfaces.task_queue import Taken
from drupe.testing.clock import ManualClock
from tests.model.protocol import ANSWERED, DEAD, FROZEN, HELD, NOBODY, SERVED, UNASKED, UP, Ownership, Worker
from tests.model.protocol import State as Picture

PID, CHILD, ORDER, QUEUE = "process", "child", "order", "queue"
LEASE = 10.0


class Replay:
    """One trace of the model, on a store that is empty and open.

    Args:
        model: the protocol.
        store: the real thing.
        clock: the store's.
        chance: chooses the way.
    """

    def __init__(self, model: Ownership, store: Store, clock: ManualClock, chance: Random) -> None:
        self._model = model
        self._store = store
        self._clock = clock
        self._chance = chance
        self._last = 1 + model.size.steps
        self._lives = [1] * model.size.workers
        self._dead: set[str] = set()
        self._taken: dict[int, Taken] = {}
        self._orphans: list[str] = []
        self._tasks = 0
        self.trace: list[tuple[str | int, ...]] = []

    async def run(self, length: int) -> None:
        """Go so many moves, or until nothing more can happen."""
        for i in range(len(self._lives)):
            await self._store.join(self._name(i), lease=LEASE)
        await self._put_task()
        before = self._model.start()
        for _ in range(length):
            moves = list(self._model.moves(before))
            if not moves:
                return
            move = self._chance.choice(moves)
            self.trace.append(move.what)
            await self._make(move.what, before)
            await self._compare(move.to)
            before = move.to

    async def _make(self, what: tuple[str | int, ...], before: Picture) -> None:
        name, *rest = what
        make: Callable = getattr(self, "_" + str(name).split(",")[0].replace(" ", "_").replace("'", ""))
        await make(before, *rest)

    async def _compare(self, after: Picture) -> None:
        if after.row is None:
            assert await self._store.find(PID) == []
            return
        row = await self._store.record(PID)
        assert (row.epoch, row.seq, row.state in TERMINAL) == (after.row.epoch, after.row.seq, after.row.over)
        if after.row.owner == DEAD:
            assert row.owner in self._dead
        else:
            assert row.owner == (None if after.row.owner < 0 else self._name(after.row.owner))
        if after.order != UNASKED:
            assert (await self._store.receipt(ORDER)).settled is (after.order == ANSWERED)

    # --- what workers do with tasks --------------------------------------------------------------------------

    async def _takes_the_task(self, before: Picture, i: int) -> None:
        (self._taken[i],) = await self._store.tasks.take(QUEUE, holder=self._name(i), limit=1)

    async def _acknowledges_the_task(self, before: Picture, i: int) -> None:
        assert await self._store.tasks.settle(self._taken.pop(i)) is (before.workers[i].task == SERVED)

    async def _puts_the_task_back(self, before: Picture, i: int) -> None:
        assert await self._store.tasks.release(self._taken.pop(i)) is (before.workers[i].task == HELD)

    async def _has_nothing_to_do_for_the_task(self, before: Picture, i: int) -> None:
        row = before.row
        assert row is not None
        if not row.over and row.owner not in (i, NOBODY, DEAD) and before.workers[row.owner].status == UP:
            with pytest.raises(OwnedError):
                await self._store.claim(PID, owner=self._name(i))

    async def _creates(self, before: Picture, i: int) -> None:
        await self._store.create([self._birth(PID, owner=self._name(i))])

    # --- what workers do with the process --------------------------------------------------------------------

    async def _claims(self, before: Picture, i: int, why: str) -> None:
        assert before.row is not None
        if before.row.owner >= 0 and before.row.owner != i:
            await self._let_leases_run_out(before)
        row = await self._store.claim(PID, owner=self._name(i), dead=self._dead)
        assert (row.epoch, row.seq) == (before.row.epoch + 1, before.row.seq)

    async def _takes_step(self, before: Picture, i: int, seq: int) -> None:
        pass

    async def _commits_step(self, before: Picture, i: int, seq: int) -> None:
        await self._store.save(self._step(before.workers[i], seq))

    async def _commits(self, before: Picture, i: int, seq: int) -> None:
        await self._commits_step(before, i, seq)

    async def _commits_again(self, before: Picture, i: int, seq: int) -> None:
        await self._commits_step(before, i, seq)

    async def _is_refused_step(self, before: Picture, i: int, seq: int) -> None:
        with pytest.raises(FencedError):
            await self._commits_step(before, i, seq)

    async def _kills_it(self, before: Picture, i: int) -> None:
        hand = before.workers[i].hand
        assert hand
        await self._store.save(self._kill(hand.epoch, hand.seq))

    async def _is_refused_the_kill(self, before: Picture, i: int) -> None:
        with pytest.raises(FencedError):
            await self._kills_it(before, i)

    async def _runs_the_child_to_its_end(self, before: Picture, i: int) -> None:
        row = await self._store.claim(CHILD, owner=self._name(i))
        await self._store.save(self._change(CHILD, row.epoch, row.seq, State.FINISHED))

    async def _learns_that_it_was_declared_dead(self, before: Picture, i: int) -> None:
        with pytest.raises(FencedError):
            await self._store.renew(self._name(i), lease=LEASE)
        await self._store.leave(self._name(i))
        await self._store.tasks.forget(self._name(i))

    async def _learns_that_it_is_not_the_owner_any_more(self, before: Picture, i: int) -> None:
        hand = before.workers[i].hand
        assert hand
        assert (await self._store.record(PID)).epoch != hand.epoch
        assert (await self._store.held(self._name(i))).get(PID) != hand.epoch

    # --- faults ----------------------------------------------------------------------------------------------

    async def _is_killed(self, before: Picture, i: int) -> None:
        self._dead.add(self._name(i))
        if before.workers[i].task in (HELD, SERVED):
            self._orphans.append(self._name(i))

    async def _starts_again(self, before: Picture, i: int) -> None:
        self._lives[i] += 1
        await self._store.join(self._name(i), lease=LEASE)

    async def _is_frozen(self, before: Picture, i: int) -> None:
        pass

    async def _goes_on(self, before: Picture, i: int) -> None:
        pass

    async def _loses_its_task_to_the_queue(self, before: Picture, i: int) -> None:
        assert await self._store.tasks.forget(self._name(i)) == 1

    async def _a_dead_workers_task_comes_back(self, before: Picture) -> None:
        assert await self._store.tasks.forget(self._orphans.pop()) == 1

    async def _the_task_comes_twice(self, before: Picture) -> None:
        await self._put_task()

    async def _a_task_is_lost(self, before: Picture) -> None:
        (lost,) = await self._store.tasks.take(QUEUE, holder="thief", limit=1)
        assert await self._store.tasks.settle(lost)

    async def _somebody_asks_for_a_kill(self, before: Picture) -> None:
        await self._store.ask([Order(id=ORDER, pid=PID, verb="kill", at=self._clock.now())])

    async def _whoever_asked_kills_it_in_the_store(self, before: Picture) -> None:
        row = before.row
        assert row is not None
        if row.owner >= 0:
            await self._let_leases_run_out(before)
        await self._store.overrule(self._kill(row.epoch, row.seq), dead=sorted(self._dead))

    # --- pieces ----------------------------------------------------------------------------------------------

    def _name(self, i: int) -> str:
        return f"{'ABCDEFGH'[i]}{self._lives[i]}"

    async def _put_task(self) -> None:
        self._tasks += 1
        await self._store.tasks.put([Task(id=f"task-{self._tasks}", queue=QUEUE, no_reply=True)])

    async def _let_leases_run_out(self, before: Picture) -> None:
        """Let time pass; those who are not frozen renew theirs, late."""
        self._clock.advance(LEASE + 1)
        for i, worker in enumerate(before.workers):
            if worker.status == UP and worker.joined:
                await self._store.renew(self._name(i), lease=LEASE)
        assert any(worker.status == FROZEN for worker in before.workers)

    def _birth(self, pid: str, *, owner: str | None = None) -> Birth:
        return Birth(pid=pid, kind="model:Model", version=1, inputs=b"", digest=b"", body=b"", created=1.0, owner=owner)

    def _step(self, worker: Worker, seq: int) -> Change:
        assert worker.hand
        state = State.FINISHED if seq + 1 == self._last else State.RUNNING
        return self._change(PID, worker.hand.epoch, seq, state, births=(self._birth(CHILD),) if seq == 1 else ())

    def _kill(self, epoch: int, seq: int) -> Change:
        return self._change(PID, epoch, seq, State.KILLED, answers=(Answer(id=ORDER, outcome=Outcome.APPLIED),))

    def _change(self, pid: str, epoch: int, seq: int, state: State, **given: tuple) -> Change:
        was = State.CREATED if seq == 1 else State.RUNNING
        return Change(
            pid=pid, epoch=epoch, seq=seq + 1, at=2.0, was=was, state=state, body=b"%d" % seq, event="step", **given
        )
