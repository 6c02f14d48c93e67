"""Steps that are taken again: what was half done is gone, and what they wait for is asked for anew."""

import asyncio
import contextlib

import pytest

from drupe.core.lifecycle import State
from drupe.core.record import Query
from drupe.core.snapshot import Snapshot
from drupe.engine.workchain import ToContext, WorkChain
from drupe.service.runner import Runner
from drupe.storage.memory import MemoryStore
from drupe.storage.memory_state import MemoryState
from drupe.testing.crash import World, begin, crashes, undisturbed
from tests.service.samples import Asking, Gate, Sum, reached

GATES = []
SERVED = []


class Half(WorkChain):
    """Changes its context, makes children, and is then kept at a gate."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.outline(cls.set_out, cls.half, cls.tell)

    def set_out(self):
        self.ctx.times = 0

    async def half(self):
        self.ctx.times += 1
        self.submit(Sum, numbers=[1])
        self.to_context(stale=self.submit(Sum, numbers=[2]))
        if GATES:
            await GATES[0].pass_through()
        self.to_context(sum=self.submit(Sum, numbers=[3]))

    def tell(self):
        return [self.ctx.times, self.ctx.sum.total, self.ctx.stale.total]


class Serves(WorkChain):
    """Waits for a child and for something that cannot be saved."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("total", valid_type=int)
        spec.outline(cls.set_out, cls.ask, cls.tell)

    def set_out(self):
        self.ctx.before = 1

    def ask(self):
        SERVED.append("asked")
        self.ctx.before += 1
        return ToContext(sum=self.submit(Sum, numbers=[1, 2]), volatile=serve())

    def tell(self):
        self.out("total", self.ctx.sum.total + self.ctx.volatile + self.ctx.before)


async def serve():
    await asyncio.sleep(0)
    if GATES:
        await GATES[0].pass_through()
    return 10


@pytest.fixture(autouse=True)
def clean():
    GATES.clear()
    SERVED.clear()


async def test_a_step_that_was_interrupted_is_taken_again_as_if_it_had_not_been_begun():
    """In the same interpreter and with the same object: its context, children and waits are those of one run."""
    GATES.append(Gate())
    async with Runner(MemoryStore()) as runner:
        process = await runner.create(Half)
        await process.step()
        await process.step()
        stepping = asyncio.ensure_future(process.step())
        await GATES[0].reached.wait()
        stepping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await stepping
        assert (await runner.store.record(process.pid)).seq == 3
        assert len((await runner.store.list(Query())).records) == 1
        GATES[0].open.set()
        await process
        await runner.drained()
        assert process.result() == [1, 3, 2]
        assert len((await runner.store.list(Query())).records) == 4


async def test_a_volatile_wait_is_shown_and_its_step_taken_again_by_whoever_resumes_it():
    """On disk the process stands at the step that made what cannot be saved; the child of that step is the same."""
    GATES.append(Gate())
    state = MemoryState()
    async with Runner(MemoryStore(state)) as runner:
        process = await runner.launch(Serves, pid="server")
        await reached(process, State.WAITING)
        await GATES[0].reached.wait()
        record = await runner.store.record("server")
        assert record.state is State.WAITING
        assert Snapshot.decode((await runner.store.checkpoint("server")).body).state is State.RUNNING
        await process.pause("a break")
        await process.play()
        assert Snapshot.decode((await runner.store.checkpoint("server")).body).state is State.RUNNING
        children = (await runner.store.list(Query(parent="server"))).records
    GATES.clear()
    async with Runner(MemoryStore(state)) as runner:
        assert await (await runner.resume("server")) == {"total": 15}
        assert SERVED == ["asked", "asked"]
        found = (await runner.store.list(Query(parent="server"))).records
        assert [row.pid for row in found] == [row.pid for row in children]


def test_a_volatile_wait_crashed_anywhere_comes_to_the_same_end():
    """Its step is repeated each time, so its history shows each wait; outcome and children are those of one run."""

    async def play(runner):
        await (await begin(runner, Serves, pid="server"))
        await runner.drained()

    expected = undisturbed(World, play)
    for crash, world in crashes(World, play):
        found = world.picture()
        assert found.keys() == expected.keys(), crash
        for pid in expected:
            assert found[pid].contents == expected[pid].contents, crash
            assert found[pid].row["state"] == expected[pid].row["state"], crash


async def test_an_answer_that_was_not_committed_has_to_be_given_again():
    """`Process.resume` is heard by the interpreter that holds the process; only the step it starts is durable."""
    state = MemoryState()
    async with Runner(MemoryStore(state)) as runner:
        process = await runner.launch(Asking)
        await reached(process, State.WAITING)
        await process.pause()
        process.resume("forgotten")
    async with Runner(MemoryStore(state)) as runner:
        again = await runner.resume(process.pid)
        assert again.paused
        await again.play()
        again.resume("heard")
        assert await again == {"answer": "heard"}
