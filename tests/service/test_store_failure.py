"""A store that fails: the process is given up, not decided upon; whoever waits is told; resuming it later finishes it."""

import asyncio
import contextlib

import pytest

from drupe.core.command import Wait
from drupe.core.lifecycle import State
from drupe.engine.process import Process
from drupe.engine.workchain import ToContext, WorkChain
from drupe.errors import ExceptedError, StoreUnavailableError
from drupe.service.runner import Runner
from drupe.storage.memory import MemoryStore
from drupe.testing.probe import FailAt
from tests.service.samples import Asking, Sum, Sums, reached

FULL = StoreUnavailableError("the disk is full")


class Nests(Process):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("total", valid_type=int)

    def run(self):
        self.out("total", Sum({"numbers": [1, 2]}).execute().total)


class Awaits(Nests):
    async def run(self):
        self.out("total", (await self.submit(Sum, numbers=[1, 2])).total)


class HandsOver(WorkChain):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("total", valid_type=int)
        spec.outline(cls.ask, cls.tell)

    def ask(self):
        return ToContext(sum=self.submit(Sum, numbers=[1, 2]))

    def tell(self):
        self.out("total", self.ctx.sum.total)


@contextlib.asynccontextmanager
async def failing_at(place, hit):
    store = MemoryStore(probe=FailAt(hit, FULL, place))
    async with Runner(store) as runner:
        yield runner


@pytest.mark.parametrize("hit", range(1, 6))
@pytest.mark.parametrize("place", ["store.save", "store.begin", "store.apply", "store.commit"])
async def test_a_process_whose_store_fails_is_given_up_and_finishes_when_resumed(place, hit):
    """One failed write at any step: EXCEPTED is for errors of the process, and this is none."""
    async with failing_at(place, hit + 2 if place != "store.save" else hit) as runner:
        process = await runner.launch(Sum, numbers=[1, 2, 3])
        with pytest.raises(StoreUnavailableError, match="full"):
            await process
        assert (await runner.store.record(process.pid)).state in (State.CREATED, State.RUNNING)
        assert process not in runner.living()
        again = await runner.resume(process.pid)
        assert again is not process
        assert await again == {"total": 6}


@pytest.mark.parametrize("parent", [Nests, Awaits, HandsOver])
async def test_a_parent_that_waits_for_a_child_that_was_given_up_is_given_up_too(parent):
    """The child's failed write must not become the parent's outcome, which no later resume could change."""
    for hit in range(1, 12):
        async with failing_at("store.save", hit) as runner:
            process = await runner.launch(parent)
            try:
                assert await process == {"total": 3}
                break
            except StoreUnavailableError:
                pass
            assert (await runner.store.record(process.pid)).state is not State.EXCEPTED
            assert await (await runner.resume(process.pid)) == {"total": 3}
    assert hit > 6


async def test_a_chain_with_many_children_finishes_after_any_one_failure():
    rows = [[1], [2], [3]]
    for hit in range(1, 60):
        async with failing_at("store.save", hit) as runner:
            process = await runner.launch(Sums, rows=rows)
            try:
                assert await process == {"totals": [1, 2, 3]}
                assert hit > 12
                return
            except StoreUnavailableError:
                assert await (await runner.resume(process.pid)) == {"totals": [1, 2, 3]}


async def test_creating_reports_a_failing_store_and_creates_nothing():
    async with failing_at("store.create", 1) as runner:
        with pytest.raises(StoreUnavailableError):
            await runner.create(Sum, {"numbers": []}, pid="one")
        assert not runner.living()
        assert await (await runner.launch(Sum, numbers=[], pid="one")) == {"total": 0}


@pytest.mark.parametrize("verb", ["pause", "kill"])
async def test_a_verb_that_cannot_be_written_is_told_and_the_process_takes_no_further_step(verb):
    async with failing_at("store.save", 3) as runner:
        process = await runner.launch(Asking)
        await reached(process, State.WAITING)
        waiter = asyncio.ensure_future(process.wait())
        with pytest.raises(StoreUnavailableError):
            await getattr(process, verb)("why")
        with pytest.raises(StoreUnavailableError):
            await waiter
        process.resume(42)
        await runner.drained()
        record = await runner.store.record(process.pid)
        assert (record.state, record.paused) == (State.WAITING, False)
        again = await runner.resume(process.pid)
        again.resume(42)
        assert await again == {"answer": 42}


async def test_a_store_that_fails_for_one_process_leaves_the_others_alone():
    async with failing_at("store.save", 4) as runner:
        processes = [await runner.launch(Sum, numbers=[n, n]) for n in range(5)]
        found = await asyncio.gather(*processes, return_exceptions=True)
        failed = [n for n, outcome in enumerate(found) if isinstance(outcome, StoreUnavailableError)]
        assert len(failed) == 1
        assert [outcome for outcome in found if outcome not in [found[n] for n in failed]] == [
            {"total": 2 * n} for n in range(5) if n not in failed
        ]


async def test_an_error_of_the_process_itself_is_its_outcome():
    class Fails(Process):
        def run(self):
            raise ValueError("mine")

    async with Runner(MemoryStore()) as runner:
        process = await runner.launch(Fails)
        with pytest.raises(ValueError, match="mine"):
            await process
        assert (await runner.store.record(process.pid)).state is State.EXCEPTED


async def test_a_failing_hook_before_the_commit_is_the_outcome_too():
    class Fails(Process):
        def on_wait(self, data):
            raise ValueError("mine")

        def run(self):
            return Wait()

    async with Runner(MemoryStore()) as runner:
        process = await runner.launch(Fails)
        with pytest.raises((ValueError, ExceptedError), match="mine"):
            await process
        assert [event.event for event in await runner.store.history(process.pid)] == ["created", "running", "excepted"]
