"""A worker that knows of something to go on with, and cannot, has the others look; they never do so by themselves here."""

import asyncio
import contextlib
from typing import Any

import pytest

from drupe.core.announcement import WORK
from drupe.core.command import Wait
from drupe.core.lifecycle import State
from drupe.engine.process import Process
from drupe.engine.registry import ClassRegistry
from drupe.engine.workchain import ToContext, WorkChain
from drupe.errors import BrokerUnavailableError, UnknownClassError
from drupe.messaging.memory import MemoryCommunicator, MemoryHub
from drupe.service import slots
from drupe.service.controller import Controller
from drupe.service.summons import Summons
from drupe.storage.memory import MemoryStore
from drupe.storage.memory_queue import MemoryTaskQueue
from drupe.storage.memory_state import MemoryState
from drupe.testing.communicator_contract_case import soon
from drupe.testing.host_case import until
from tests.service.samples import Gate
from tests.service.timed import NEVER, at_work


class Answer(Process):
    """Waits for a word."""

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.output("said")

    def run(self) -> Any:
        return Wait(self.end, "for a word", signal="word")

    def end(self, word: str) -> None:
        self.out("said", word)


class Holding(Process):
    """Takes a slot until the test lets it on."""

    gate: Gate

    async def run(self) -> None:
        self.gate.reached.set()
        await self.gate.open.wait()


class Longer(Holding):
    """Likewise, behind a gate of its own."""


class Question(WorkChain):
    """Waits for an answer."""

    child: type[Process] = Answer

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.outline(cls.ask, cls.tell)

    def ask(self) -> Any:
        return ToContext(answer=self.submit(self.child))

    def tell(self) -> None:
        assert self.ctx.answer is not None


class Errand(Question):
    """Waits for a step."""

    child = Holding


class Other(Question):
    """Likewise."""


class Without:
    """All classes but one."""

    def __init__(self, missing: type[Process]) -> None:
        self._all, self._missing = ClassRegistry(Process), missing

    def find(self, kind: str) -> Any:
        if (found := self._all.find(kind)) is self._missing:
            raise UnknownClassError(f"there is no {kind} here")
        return found


class Site:
    """Workers of one store, which look by themselves only once, and park only what they are asked to."""

    def __init__(self) -> None:
        self.state, self.hub = MemoryState(), MemoryHub(MemoryTaskQueue())

    @contextlib.asynccontextmanager
    async def worker(self, **given):
        async with at_work(MemoryStore(self.state), self.hub, **{"park": NEVER, **given}) as worker:
            await until(lambda: worker._alarm.left() > 0.0)  # it has begun its one look
            yield worker

    @contextlib.asynccontextmanager
    async def controller(self):
        store, communicator = MemoryStore(self.state), MemoryCommunicator(self.hub)
        await store.open()
        await communicator.open()
        async with Controller(store, communicator) as controller:
            yield controller
        await communicator.close()

    async def reached(self, pid, state):
        async with asyncio.timeout(30.0):
            while self.state.processes[pid].row.state is not state:  # noqa: ASYNC110 (nobody tells)
                await asyncio.sleep(0.005)


@pytest.fixture
def site():
    return Site()


@pytest.fixture
def gate():
    Holding.gate = Gate()
    return Holding.gate


async def asked(worker, process_class=Question):
    """Have something asked at a worker, parked as the child is at it, and get both pids."""
    runner = worker.runner
    question = (await runner.launch(process_class)).pid
    await until(lambda: runner._host.live[question].state is State.WAITING)
    answer = next(process.pid for process in runner.living() if process.parent == question)
    await until(lambda: runner._host.live[answer].state is not State.CREATED)
    assert await runner.parking(after=0.0)._park(runner._host.live[question])
    return question, answer


@pytest.mark.slow
async def test_a_parent_goes_on_elsewhere_where_no_slot_is_free(site, gate):
    async with site.worker(slots=1) as full, site.worker():
        question, answer = await asked(full)
        await full.runner.launch(Holding)
        await soon(gate.reached.wait())
        await full.runner._host.live[answer].signal("word", "yes")
        await site.reached(question, State.FINISHED)
        gate.open.set()


@pytest.mark.slow
async def test_a_parent_goes_on_elsewhere_where_one_stands_in_line_already(site, gate, monkeypatch):
    """A look waits for a slot: what comes meanwhile would be found when it has given up."""
    monkeypatch.setattr(slots, "_PATIENCE", NEVER)
    async with site.worker(slots=1) as full, site.worker(registry=Without(Other)):
        other, others = await asked(full, Other)
        question, answer = await asked(full)
        await full.runner.launch(Holding)
        await soon(gate.reached.wait())
        await full.runner._host.live[others].signal("word", "yes")
        await until(full._slots.crowded)
        await full.runner._host.live[answer].signal("word", "yes")
        await site.reached(question, State.FINISHED)
        gate.open.set()
        await site.reached(other, State.FINISHED)


@pytest.mark.slow
async def test_a_parent_goes_on_elsewhere_where_its_class_is_not_known(site):
    async with site.worker() as asks:
        question, answer = await asked(asks)
    async with site.worker(registry=Without(Question)) as strange:
        await until(lambda: strange.runner.progress(answer).here)
        async with site.worker():
            await strange.runner._host.live[answer].signal("word", "yes")
            await site.reached(question, State.FINISHED)
            assert question in strange._left


@pytest.mark.slow
async def test_a_parent_goes_on_elsewhere_where_nothing_is_begun_any_more(site, gate):
    """Another step keeps the worker from ending."""
    Longer.gate = Gate()
    async with site.worker(), contextlib.AsyncExitStack() as stack:
        ends = await stack.enter_async_context(site.worker())
        question, _ = await asked(ends, Errand)
        await ends.runner.launch(Longer)
        await soon(asyncio.gather(gate.reached.wait(), Longer.gate.reached.wait()))
        leaving = asyncio.create_task(stack.aclose())
        await until(lambda: ends.runner.stopping)
        gate.open.set()
        await site.reached(question, State.FINISHED)
        assert not leaving.done()
        Longer.gate.open.set()
        await soon(leaving)


@pytest.mark.slow
async def test_a_parent_hears_of_a_child_that_nobody_holds_and_somebody_kills(site):
    async with site.worker() as worker, site.controller() as controller:
        question, answer = await asked(worker)
        assert await worker.runner.parking(after=0.0).look() == 1
        await controller.kill(answer)
        await site.reached(question, State.EXCEPTED)


# --- how often -----------------------------------------------------------------------------------------------


class Air:
    """A communicator that only takes broadcasts."""

    def __init__(self, *failures):
        self.sent, self.failures = [], list(failures)

    async def broadcast_send(self, body=None, *, sender=None, subject=None):
        self.sent.append((sender, subject))
        if self.failures:
            raise self.failures.pop()


async def test_of_many_that_come_together_there_is_one_at_once_and_one_for_all_others():
    air = Air()
    summons = Summons(air, "me", pause=NEVER)
    for _ in range(1000):
        summons.send()
    await until(lambda: air.sent)
    for _ in range(1000):
        summons.send()
        await asyncio.sleep(0)
    assert len(air.sent) == 1
    await soon(summons.close())
    assert air.sent == [("me", WORK)] * 2


async def test_what_came_meanwhile_is_told_of_after_the_pause():
    air = Air()
    summons = Summons(air, "me", pause=0.05)
    summons.send()
    await until(lambda: air.sent)
    summons.send()
    await until(lambda: summons._sending is None)
    assert air.sent == [("me", WORK)] * 2
    await summons.close()


async def test_what_waits_in_the_end_is_sent_and_a_failure_is_nobody_s_affair():
    air = Air(BrokerUnavailableError("it is away"))
    summons = Summons(air, pause=NEVER)
    summons.send()
    await until(lambda: air.sent)
    summons.send()
    await soon(summons.close())
    assert air.sent == [(None, WORK)] * 2


async def test_without_a_communicator_nobody_is_summoned():
    summons = Summons(None)
    summons.send()
    await summons.close()


@pytest.mark.slow
async def test_what_is_left_for_long_is_told_of_once(site, gate, monkeypatch):
    monkeypatch.setattr(slots, "_PATIENCE", 0.05)
    sent = []
    monkeypatch.setattr(Summons, "send", lambda _: sent.append(1))
    async with site.worker(slots=1, sweep=0.01) as full:
        await full.runner.launch(Holding)
        await soon(gate.reached.wait())
        question, answer = await asked(full)
        sweeps, sweep = [], full.sweep

        async def counted():
            sweeps.append(await sweep())
            return sweeps[-1]

        async def looked(times):
            enough = len(sweeps) + times
            async with asyncio.timeout(30.0):
                while len(sweeps) < enough:  # noqa: ASYNC110 (each waits for a slot, and gets none)
                    await asyncio.sleep(0.01)

        monkeypatch.setattr(full, "sweep", counted)
        await full.runner._host.live[answer].signal("word", "yes")
        await until(lambda: sent)
        # The end of the child may be told of while a look is under way, and found by the next: then there are two.
        await looked(2)
        told = len(sent)
        await looked(4)
        assert len(sent) == told
        gate.open.set()
        await site.reached(question, State.FINISHED)
