"""Where a process is: what the store says without its class, and what its owner adds, whatever its loop does."""

import asyncio
import time

import pytest

from drupe import CODEC, Continue, Process, Wait, WorkChain
from drupe.core.asking import order_of
from drupe.core.lifecycle import State
from drupe.core.message import LookRequest, PauseRequest, PlayRequest, StatusRequest, request_body
from drupe.core.order import Outcome
from drupe.core.status import Blocked, Progress, Status
from drupe.engine.workchain import ToContext
from drupe.errors import MessageError, UnknownProcessError
from drupe.messaging.memory import MemoryCommunicator, MemoryHub
from drupe.messaging.thread import ThreadCommunicator
from drupe.service.desk import Desk
from drupe.service.runner import Runner
from drupe.service.status import stored_status, with_progress
from drupe.storage.memory import MemoryStore
from tests.service.samples import Gate, reached, until


class Asking(Process):
    def run(self):
        return Wait(self.answered, "for an answer")

    def answered(self, value):
        pass


class Listening(Process):
    def run(self):
        return Wait(signal="news")


class Resting(Process):
    def run(self):
        return Wait()


class Gated(Process):
    async def run(self):
        return Continue(self.measure)

    async def measure(self):
        await self.gate.pass_through()


class Family(WorkChain):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.outline(cls.begin, cls.end)

    def begin(self):
        return ToContext(one=self.submit(Resting), two=self.submit(Resting))

    def end(self):
        pass


class Linear(WorkChain):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.outline(cls.begin, cls.measure)

    def begin(self):
        pass

    async def measure(self):
        await self.gate.pass_through()


@pytest.fixture
async def runner():
    async with Runner(MemoryStore(), poll=None, stall=0.02) as runner:
        yield runner


async def waiting(runner, process_class):
    process = await runner.launch(process_class)
    await reached(process, State.WAITING)
    return process


async def inside(runner, process_class):
    process = await runner.launch(type(process_class.__name__, (process_class,), {"gate": Gate()}))
    await process.gate.reached.wait()
    return process


# --- the store ---------------------------------------------------------------------------------------------------


async def test_a_process_that_waits_says_for_what(runner):
    for process_class, step in ((Asking, "for an answer"), (Listening, "signal news"), (Resting, None)):
        process = await waiting(runner, process_class)
        status = await stored_status(runner.store, process.pid)
        assert (status.state, status.step, status.paused, status.owner) == (State.WAITING, step, False, runner.owner)
    family = await waiting(runner, Family)
    assert (await stored_status(runner.store, family.pid)).step == "waiting for one, two"


async def test_a_process_says_which_step_it_is_in_or_takes_next(runner):
    process = await runner.create(Asking)
    assert (await stored_status(runner.store, process.pid)).step == "run"
    process = await inside(runner, Gated)
    status = await stored_status(runner.store, process.pid)
    row = await runner.store.record(process.pid)
    assert (status.step, status.seq, status.since, status.kind) == ("measure", row.seq, row.updated, process.kind)


async def test_of_a_chain_only_its_owner_knows_the_step(runner):
    process = await inside(runner, Linear)
    assert (await stored_status(runner.store, process.pid)).step is None
    assert runner.progress(process.pid).step == "measure"


async def test_a_paused_process_says_why_and_how_many_orders_there_are(runner):
    process = await waiting(runner, Asking)
    await process.pause("for tea")
    await runner.store.ask([order_of(PlayRequest(), id=id, pid=process.pid, at=1.0) for id in "ab"])
    status = await stored_status(runner.store, process.pid)
    assert (status.paused, status.status, status.step, status.orders) == (True, "for tea", "for an answer", 2)


async def test_one_that_has_ended_is_in_no_step(runner):
    process = await runner.launch(Asking)
    await process.kill()
    status = await stored_status(runner.store, process.pid)
    assert (status.state, status.step, status.owner) == (State.KILLED, None, None)


async def test_one_that_is_not_there_has_no_status(runner):
    with pytest.raises(UnknownProcessError, match="nobody"):
        await stored_status(runner.store, "nobody")


class Strange:
    """Of a type that somebody else registers."""


async def test_what_cannot_be_read_here_is_not_looked_at(runner):
    CODEC.register("strange", Strange, lambda _: 1, lambda _: 1 / 0)

    class Holding(Process):
        def run(self):
            return Wait(None, "with something strange", Strange())

    process = await waiting(runner, Holding)
    assert (await stored_status(runner.store, process.pid)).step == "with something strange"


async def test_a_damaged_checkpoint_leaves_the_rest(runner):
    process = await waiting(runner, Asking)
    checkpoint = runner.store.checkpoint

    async def damaged(pid):
        found = await checkpoint(pid)
        return type(found)(pid=pid, seq=found.seq, at=found.at, body=found.body[:-9])

    runner.store.checkpoint = damaged
    status = await stored_status(runner.store, process.pid)
    assert (status.state, status.step) == (State.WAITING, None)


# --- the owner ---------------------------------------------------------------------------------------------------


async def test_what_the_owner_tells_completes_the_status(runner):
    process = await inside(runner, Linear)
    status = await stored_status(runner.store, process.pid)
    blocked = Blocked(seconds=1.5, kind="m:C", step="x")
    told = with_progress(status, Progress(pid=process.pid, here=True, step="measure", blocked=blocked))
    assert (told.step, told.blocked, told.answered, told.state) == ("measure", blocked, True, status.state)
    gone = with_progress(status, Progress(pid=process.pid, here=False))
    assert gone == status
    assert told.as_json()["blocked"]["seconds"] == 1.5
    assert isinstance(told, Status)


def test_progress_is_read_back_from_a_message():
    progress = Progress(pid="p", here=True, step="s", blocked=Blocked(seconds=1.0, stack="here"))
    assert Progress.of_body(progress.as_body()) == progress
    with pytest.raises(MessageError, match="progress"):
        Progress.of_body({"pid": 3})


async def test_who_is_told_to_look_has_looked_when_it_answers(runner):
    process, other = await waiting(runner, Asking), await waiting(runner, Asking)
    desk = Desk(runner.attend, runner.account)
    order = order_of(PauseRequest(), id="one", pid=process.pid, at=1.0)
    await runner.store.ask([order])
    assert await desk(request_body(LookRequest(pid=process.pid))) is True
    assert (await runner.store.receipt("one")).outcome is Outcome.APPLIED
    await runner.store.ask([order_of(PauseRequest(), id="two", pid=other.pid, at=1.0)])
    assert await desk(request_body(LookRequest())) is True
    assert (await runner.store.receipt("two")).outcome is Outcome.APPLIED


async def test_looking_at_all_sees_what_came_while_it_looked(runner):
    processes = [await waiting(runner, Asking) for _ in range(3)]
    desk, looks = Desk(runner.attend, runner.account), []
    for n, process in enumerate(processes):
        await runner.store.ask([order_of(PauseRequest(), id=str(n), pid=process.pid, at=1.0)])
        looks.append(asyncio.get_running_loop().create_task(desk(request_body(LookRequest()))))
        await asyncio.sleep(0)
    await asyncio.gather(*looks)
    assert all([(await runner.store.receipt(str(n))).outcome is Outcome.APPLIED for n in range(3)])


async def test_who_stops_waiting_for_the_answer_disturbs_nothing(runner):
    process = await waiting(runner, Asking)
    await runner.store.ask([order_of(PauseRequest(), id="one", pid=process.pid, at=1.0)])
    looking = asyncio.get_running_loop().create_task(
        Desk(runner.attend, runner.account)(request_body(LookRequest(pid=process.pid)))
    )
    await asyncio.sleep(0)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    await until(lambda: process.paused)


@pytest.mark.parametrize("request_", [PauseRequest(), PlayRequest()])
async def test_an_owner_is_not_asked_for_what_belongs_into_the_store(runner, request_):
    with pytest.raises(MessageError, match="orders are in the store"):
        await Desk(runner.attend, runner.account)(request_body(request_))


async def test_it_answers_while_a_step_blocks_its_loop(runner):
    """The call comes on the communicator's thread, and its answer needs no other."""
    hub = MemoryHub(runner.store.tasks)
    told = []

    class Blocking(Process):
        def run(self):
            while not (found := asked.result(deadline)).blocked:
                pass
            told.append(found)

    def ask(pid):
        return caller.rpc_send(runner.owner, request_body(StatusRequest(pid=pid)))

    class Asked:
        def result(self, deadline):
            assert time.monotonic() < deadline
            return Progress.of_body(ask(process.pid).result(10))

    with (
        ThreadCommunicator(lambda: MemoryCommunicator(hub)) as answering,
        ThreadCommunicator(lambda: MemoryCommunicator(hub)) as caller,
    ):
        answering.subscribe_rpc(Desk(runner.attend, runner.account), runner.owner)
        asked, deadline = Asked(), time.monotonic() + 10
        process = await runner.launch(Blocking)
        await process
    assert (told[0].blocked.pid, told[0].blocked.step, told[0].here) == (process.pid, "run", True)
