"""The controller for plain code does what the other does, from any thread but its own."""

import asyncio
import threading
from contextlib import asynccontextmanager

import pytest

from drupe import Process, State, Wait
from drupe.core.order import Outcome
from drupe.core.record import Query
from drupe.errors import ClosedError, DeadlineError, KilledError, LoopError, UnknownProcessError
from drupe.service.blocking import BlockingController
from drupe.service.controller import Controller
from drupe.service.runner import Runner
from drupe.storage.memory import MemoryStore
from drupe.storage.memory_state import MemoryState
from tests.service.samples import reached

YES, LATER = Outcome.APPLIED, Outcome.REQUESTED


class Listening(Process):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("heard")

    def run(self):
        return Wait(self.hear, "for news", signal="news")

    def hear(self, payload):
        self.out("heard", payload)


class Broken(Process):
    def run(self):
        raise ValueError("no")


@pytest.fixture
def state():
    return MemoryState()


@pytest.fixture
async def runner(state):
    async with Runner(MemoryStore(state), poll=0.005) as runner:
        yield runner


@pytest.fixture
def make(state):
    """Makes controllers of the one store."""

    @asynccontextmanager
    async def make():
        store = MemoryStore(state)
        await store.open()
        async with Controller(store) as controller:
            yield controller
        await store.close()

    return make


async def waiting(runner):
    process = await runner.launch(Listening)
    await reached(process, State.WAITING)
    return process


async def plainly(function, *arguments):
    """Call plain code that blocks, while the loop of the processes goes on."""
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


async def test_one_that_excepted_is_retried(runner, make):
    process = await runner.launch(Broken)
    await reached(process, State.EXCEPTED)

    def retry():
        with BlockingController(make) as controller:
            return controller.retry(process.pid)

    record = await plainly(retry)
    assert (record.retry_of, record.owner) == (process.pid, None)


async def test_every_verb_does_what_the_other_controller_does(runner, make):
    process, other = await waiting(runner), await waiting(runner)

    def steer():
        with BlockingController(make) as controller:
            assert controller.pause(process.pid, "for tea").settled().outcome is YES
            status = controller.status(process.pid)
            assert (status.paused, status.status, status.step) == (True, "for tea", "for news")
            assert controller.play(process.pid).settled().outcome is YES
            assert controller.signal(process.pid, "news", {"a": 1}).receipt.outcome in (LATER, YES)
            assert controller.wait(process.pid) == {"heard": {"a": 1}}
            for handles in (
                controller.pause_all(reason="over"),
                controller.play_all(),
                controller.kill_all(Query(), "over"),
            ):
                assert [handle.settled().outcome for handle in handles] == [YES]
            with pytest.raises(KilledError, match="over"):
                controller.wait(other.pid)
            assert controller.kill(other.pid, force=True, cascade=True).below == ()
            with pytest.raises(UnknownProcessError):
                controller.status("nobody")

    await plainly(steer)


async def test_a_call_ends_by_its_deadline(runner, make):
    process = await waiting(runner)

    def wait():
        with BlockingController(make) as controller, pytest.raises(DeadlineError):
            controller.wait(process.pid, deadline=0.02)

    await plainly(wait)


async def test_it_may_be_used_from_several_threads(runner, make):
    processes = [await waiting(runner) for _ in range(4)]

    def steer():
        with BlockingController(make) as controller:
            threads = [threading.Thread(target=controller.pause, args=[process.pid]) for process in processes]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert all(controller.play(process.pid).settled().outcome is YES for process in processes)

    await plainly(steer)


def test_its_own_thread_is_refused(make):
    async def call(_):
        for blocking in (lambda: controller.status("nobody"), controller.__exit__):
            with pytest.raises(LoopError, match="own thread"):
                blocking()

    with BlockingController(make) as controller:
        controller.call(call)


def test_what_making_it_raises_comes_out(state):
    @asynccontextmanager
    async def broken():
        raise LookupError("no store")
        yield

    with pytest.raises(LookupError, match="no store"), BlockingController(broken):
        pass


def test_one_that_is_closed_says_so(make):
    controller = BlockingController(make)
    with pytest.raises(ClosedError):
        controller.status("nobody")
    with controller:
        pass
    with pytest.raises(ClosedError, match="not open"):
        controller.status("nobody")


def test_who_waits_when_it_is_closed_hears_of_it(make):
    heard = []

    def wait():
        try:
            controller.call(forever)
        except ClosedError as error:
            heard.append(str(error))

    begun = threading.Event()

    async def forever(_):
        begun.set()
        await asyncio.Event().wait()

    with BlockingController(make) as controller:
        thread = threading.Thread(target=wait)
        thread.start()
        begun.wait(10)
    thread.join(10)
    assert heard == ["this controller is not open (any more)"]
