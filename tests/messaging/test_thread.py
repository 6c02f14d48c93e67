"""Any communicator behind blocking calls."""

import asyncio
import threading
from concurrent.futures import CancelledError, Future
from functools import partial

import pytest

from drupe.errors import (
    CommunicationError,
    CommunicatorClosedError,
    DeadlineError,
    LoopError,
    RemoteError,
    TaskLostError,
    TaskRejectedError,
    UnroutableError,
)
from drupe.messaging.memory import MemoryCommunicator, MemoryHub
from drupe.messaging.thread import ThreadCommunicator
from drupe.storage.memory_queue import MemoryTaskQueue

SOON = 20


@pytest.fixture
def hub():
    return MemoryHub(MemoryTaskQueue())


@pytest.fixture
def here(hub):
    with ThreadCommunicator(partial(MemoryCommunicator, hub)) as communicator:
        yield communicator


@pytest.fixture
def there(hub):
    with ThreadCommunicator(partial(MemoryCommunicator, hub)) as communicator:
        yield communicator


def test_a_call_gives_a_future_of_the_answer(here, there):
    there.subscribe_rpc(lambda body: body * 2, "double")

    answer = here.rpc_send("double", 4)

    assert isinstance(answer, Future)
    assert answer.result(SOON) == 8


def test_a_task_gives_a_future_of_its_result(here, there):
    there.subscribe_task(lambda task: task.body * 2, queue="doubles", prefetch=2)

    assert here.task_send(4, queue="doubles").result(SOON) == 8
    assert here.task_send(4, no_reply=True).result(SOON) is None
    with pytest.raises(DeadlineError):
        here.task_send(4, queue="nobody", deadline=0.01).result(SOON)


def test_broadcasts_are_heard(here, there):
    heard = Future()
    there.subscribe_broadcast(heard.set_result, lambda sender, subject: subject == "wanted")

    here.broadcast_send(1, subject="unwanted")
    here.broadcast_send(2, sender="me", subject="wanted", correlation_id="c")

    assert heard.result(SOON).body == 2


def test_errors_arrive_as_they_are(here, there):
    there.subscribe_rpc(lambda body: body["no such key"], "fail")

    with pytest.raises(UnroutableError):
        here.rpc_send("nobody").result(SOON)
    with pytest.raises(RemoteError, match="KeyError"):
        here.rpc_send("fail", {}).result(SOON)


def test_unsubscribing_ends_it_also_twice_and_after_the_end(here, there):
    handle = there.subscribe_rpc(lambda body: 1)
    assert here.rpc_send(handle.identifier).result(SOON) == 1
    handle.unsubscribe()
    handle.unsubscribe()

    with pytest.raises(UnroutableError):
        here.rpc_send(handle.identifier).result(SOON)
    left = there.subscribe_rpc(lambda body: 1)
    there.close()
    left.unsubscribe()


def test_tasks_can_be_pulled(here, there):
    sent = [here.task_send(body) for body in ("reply", "accept", "fail", "error", "none")]

    async def no_more(communicator):  # all were sent before, so they are in the queue now
        return None

    here.call(no_more).result(SOON)
    seen = []
    with there.pull() as tasks:
        for task in tasks:
            seen.append((task.body, task.queue, task.no_reply, task.attempt, len(task.id)))
            if task.body == "reply":
                task.reply("replied")
                with pytest.raises(TaskLostError):
                    task.reject()
            elif task.body == "accept":
                task.accept()
                task.reply("accepted")
            elif task.body == "fail":
                task.fail(ValueError("failed"))
            elif task.body == "error":
                with pytest.raises(ZeroDivisionError), task:
                    1 / 0  # noqa: B018
            else:
                with task:
                    pass

    assert [entry[1:] for entry in seen] == [("tasks", False, 1, 32)] * 5
    assert [sent[index].result(SOON) for index in (0, 1, 4)] == ["replied", "accepted", None]
    for index, text in ((2, "failed"), (3, "ZeroDivisionError")):
        with pytest.raises(RemoteError, match=text):
            sent[index].result(SOON)


def test_a_pulled_task_that_is_rejected_goes_back(here, there):
    sent, rejected = here.task_send(1), False
    while not rejected:  # it is on its way into the queue
        with there.pull() as tasks:
            for task in tasks:
                with task:
                    rejected = True
                    raise TaskRejectedError("later")

    there.subscribe_task(lambda task: task.attempt)

    assert sent.result(SOON) > 1


def test_calling_from_its_own_thread_is_an_error_that_says_so(here):
    def call_itself(body):
        for use in (lambda: here.rpc_send("x"), here.close, lambda: here.broadcast_send(1), here.stop):
            with pytest.raises(LoopError, match="own thread"):
                use()
        return "refused"

    here.subscribe_rpc(call_itself, "x")

    assert here.rpc_send("x").result(SOON) == "refused"


def test_cancelling_a_future_gives_up_waiting(here, there):
    begun, ended = threading.Event(), threading.Event()

    async def wait(communicator):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = here.call(wait)
    assert begun.wait(SOON)
    assert waiting.cancel()

    assert ended.wait(SOON)
    with pytest.raises(CancelledError):
        waiting.result(SOON)


def test_a_future_that_is_cancelled_before_its_work_began_does_none(here):
    held, go_on, done = threading.Event(), threading.Event(), []

    async def block(communicator):
        held.set()
        go_on.wait(SOON)

    async def work(communicator):
        done.append(1)

    blocking = here.call(block)
    assert held.wait(SOON)
    waiting = here.call(work)
    assert waiting.cancel()
    go_on.set()
    blocking.result(SOON)
    here.rpc_send("nobody").exception(SOON)

    assert done == []


def test_before_and_after_its_life_it_refuses_by_name(hub):
    communicator = ThreadCommunicator(partial(MemoryCommunicator, hub))
    with pytest.raises(CommunicatorClosedError, match="not open yet"):
        communicator.rpc_send("x")
    assert not communicator.is_closed()

    with communicator, pytest.raises(CommunicationError, match="before"):
        communicator.open()
    communicator.close()

    assert communicator.is_closed()
    with pytest.raises(CommunicatorClosedError, match="closed"):
        communicator.rpc_send("x")
    with pytest.raises(CommunicationError, match="before"):
        communicator.open()


def test_one_that_was_never_opened_can_be_closed(hub):
    communicator = ThreadCommunicator(partial(MemoryCommunicator, hub))

    communicator.close()
    communicator.close()

    with pytest.raises(CommunicationError, match="before"):
        communicator.open()


def test_closing_fails_whoever_waits(here, there):
    begun = threading.Event()

    async def never(body):
        begun.set()
        await asyncio.Event().wait()

    there.subscribe_rpc(never, "never")
    answer, reply = here.rpc_send("never", deadline=None), here.task_send("nobody does it")
    assert begun.wait(SOON)

    here.close()

    for future in (answer, reply):
        with pytest.raises(CommunicatorClosedError):
            future.result(SOON)


def test_close_callbacks_are_called(here):
    closed = Future()
    here.add_close_callback(closed.set_result)

    here.close()

    assert closed.result(SOON) is None


class Broken(MemoryCommunicator):
    def __init__(self, hub, *, broken):
        super().__init__(hub)
        self.broken = broken

    async def open(self):
        if self.broken == "open":
            raise ConnectionRefusedError("no server")
        await super().open()

    async def close(self):
        await super().close()
        if self.broken == "close":
            raise OSError("disk full")


def test_a_failure_to_open_is_told_to_whoever_opens(hub):
    communicator = ThreadCommunicator(partial(Broken, hub, broken="open"))

    with pytest.raises(ConnectionRefusedError):
        communicator.open()

    communicator.close()
    assert communicator.is_closed()


def test_a_failure_to_close_is_told_to_whoever_closes(hub):
    communicator = ThreadCommunicator(partial(Broken, hub, broken="close")).open()

    with pytest.raises(OSError, match="disk full"):
        communicator.close()

    assert communicator.is_closed()


def test_its_thread_ends_with_it(hub):
    before = set(threading.enumerate())
    with ThreadCommunicator(partial(MemoryCommunicator, hub), name="of its own"):
        (own,) = set(threading.enumerate()) - before
        assert (own.name, own.daemon) == ("of its own", True)

    own.join(SOON)
    assert not own.is_alive()
