"""What was committed is told to everybody, in order, by the communicator's thread, and costs whoever commits it nothing."""

import asyncio
import threading
from functools import partial

import pytest

from drupe.core.lifecycle import State
from drupe.core.record import Change
from drupe.engine.process import Process
from drupe.errors import CommunicatorClosedError
from drupe.messaging.loop import LoopCommunicator
from drupe.messaging.memory import MemoryCommunicator, MemoryHub
from drupe.messaging.thread import ThreadCommunicator
from drupe.service.announcer import Announcer
from drupe.service.runner import Runner
from drupe.storage.memory import MemoryStore
from drupe.storage.memory_queue import MemoryTaskQueue
from drupe.testing.communicator_contract_case import Heard, soon
from tests.service.samples import Asking, Sum, Sums, reached


@pytest.fixture
def hub():
    return MemoryHub(MemoryTaskQueue())


@pytest.fixture
async def heard(hub):
    """What everybody hears."""
    heard = Heard()
    communicator = MemoryCommunicator(hub)
    await communicator.open()
    await communicator.subscribe_broadcast(heard)
    yield heard
    await communicator.close()


@pytest.fixture
async def far(hub):
    communicator = LoopCommunicator(ThreadCommunicator(partial(MemoryCommunicator, hub)))
    await communicator.open()
    yield communicator
    await communicator.close()


def change(seq, was=State.RUNNING, state=State.RUNNING, event="step", pid="p1"):
    return Change(pid=pid, epoch=1, seq=seq, at=0.0, was=was, state=state, body=b"", event=event)


def words(broadcast):
    return broadcast.subject.split(".")[1:]


async def until(heard, pid, state):
    """What is heard of a process until it is in a state."""
    found = []
    while not found or found[-1].subject.split(".")[-1] != state:
        broadcast = await heard.next()
        if broadcast.sender == pid:
            found.append(broadcast)
    return found


# --- what is told ------------------------------------------------------------------------------------------


async def test_every_change_of_state_is_told_with_the_pid_as_its_sender(hub, heard):
    far = LoopCommunicator(ThreadCommunicator(partial(MemoryCommunicator, hub)))
    async with Runner(MemoryStore(), communicator=far) as runner:
        process = await runner.launch(Asking)
        await reached(process, State.WAITING)
        process.resume(1)
        await process

        found = await until(heard, process.pid, "finished")
        assert [words(broadcast) for broadcast in found] == [
            ["none", "created"],
            ["created", "running"],
            ["running", "waiting"],
            ["waiting", "running"],
            ["running", "finished"],
        ]
        assert [broadcast.body["seq"] for broadcast in found] == [1, 2, 3, 4, 5]
        assert found[-1].body["kind"] == process.kind


async def test_what_is_told_last_is_told_before_the_runner_leaves(hub, heard):
    far = LoopCommunicator(ThreadCommunicator(partial(MemoryCommunicator, hub)))
    async with Runner(MemoryStore(), communicator=far) as runner:
        process = await runner.launch(Sum, numbers=[1, 2, 3])
        await process

    assert (await until(heard, process.pid, "finished"))[-1].body["state"] == "finished"


async def test_a_pause_is_told_and_children_are(hub, heard):
    far = LoopCommunicator(ThreadCommunicator(partial(MemoryCommunicator, hub)))
    async with Runner(MemoryStore(), communicator=far) as runner:
        process = await runner.create(Sums, {"rows": [[1], [2]]})
        await process.pause("a break")
        await process.play()
        await process

    found = []
    while not found or words(found[-1]) != ["running", "finished"] or found[-1].sender != process.pid:
        found.append(await heard.next())
    assert [broadcast.body["paused"] for broadcast in found[:3]] == [False, True, False]
    assert found[1].body["status"] == "a break"
    assert len({broadcast.sender for broadcast in found if words(broadcast) == ["none", "created"]}) == 3


# --- how -----------------------------------------------------------------------------------------------


async def test_of_steps_that_follow_each_other_only_the_last_is_told(far, heard):
    announcer = Announcer(far)
    hold(far, gate := threading.Event())
    announcer.changed(change(2, State.CREATED, event="running"), "flows:Sum")
    for seq in range(3, 1000):
        announcer.changed(change(seq), "flows:Sum")
    announcer.changed(change(1000, state=State.WAITING, event="waiting"), "flows:Sum")
    announcer.changed(change(1001, State.WAITING, event="running"), "flows:Sum")
    announcer.changed(change(1002), "flows:Sum")
    gate.set()
    await soon(announcer.flush())

    assert [(await heard.next()).body["seq"] for _ in range(5)] == [2, 999, 1000, 1001, 1002]
    assert heard.rest() == []


async def test_an_end_does_not_wait_for_what_else_may_come(far, heard):
    announcer = Announcer(far, pause=3600.0)
    announcer.changed(change(2, State.CREATED, event="running"), "flows:Sum")
    assert (await heard.next()).body["seq"] == 2

    announcer.changed(change(3), "flows:Sum")
    announcer.changed(change(4, state=State.FINISHED, event="finished"), "flows:Sum")

    assert [(await heard.next()).body["seq"] for _ in range(2)] == [3, 4]


async def test_what_comes_too_fast_is_dropped_the_oldest_first(far, heard):
    announcer = Announcer(far, limit=10)
    hold(far, gate := threading.Event())
    for seq in range(1, 13):
        announcer.changed(change(seq, event="running"), "flows:Sum")
    gate.set()
    await soon(announcer.flush())

    assert [broadcast.body["seq"] for broadcast in heard.rest()] == [6, 7, 8, 9, 10, 11, 12]


async def test_it_is_sent_though_the_loop_of_the_process_is_blocked(hub):
    """The step itself waits, on its loop, until somebody else has heard that it runs."""
    told = threading.Event()

    class Blocks(Process):
        def run(self):
            assert told.wait(20)

    async def listen(communicator):
        await communicator.subscribe_broadcast(
            lambda broadcast: told.set() if words(broadcast) == ["created", "running"] else None
        )

    far = LoopCommunicator(ThreadCommunicator(partial(MemoryCommunicator, hub)))
    with ThreadCommunicator(partial(MemoryCommunicator, hub)) as other:
        other.call(listen).result()
        async with Runner(MemoryStore(), communicator=far) as runner:
            await (await runner.launch(Blocks))


async def test_nothing_is_in_the_way_when_the_communicator_is_closed(far):
    announcer = Announcer(far)
    await far.close()

    for seq in range(1, 10):
        announcer.changed(change(seq, event="running"), "flows:Sum")
    await soon(announcer.flush())


async def test_a_process_goes_on_without_the_communicator_of_its_runner(hub):
    far = LoopCommunicator(ThreadCommunicator(partial(MemoryCommunicator, hub)))
    async with Runner(MemoryStore(), communicator=far) as runner:
        process = await runner.launch(Asking)
        await reached(process, State.WAITING)
        await far.close()
        process.resume(1)
        assert await process == {"answer": 1}


async def test_a_sending_that_fails_does_not_keep_the_next_from_being_sent(far, heard, monkeypatch):
    announcer = Announcer(far)
    send = MemoryCommunicator.broadcast_send
    calls = []

    async def fails_once(self, *given, **named):
        calls.append(named)
        if len(calls) == 1:
            raise OSError("the wire is cut")
        await send(self, *given, **named)

    monkeypatch.setattr(MemoryCommunicator, "broadcast_send", fails_once)
    announcer.changed(change(1, event="running"), "flows:Sum")
    announcer.changed(change(2, event="running"), "flows:Sum")

    assert (await heard.next()).body["seq"] == 2


def hold(far, gate):
    """Keep the communicator's thread from doing anything until the gate opens."""

    async def wait(_):
        assert gate.wait(20)

    return far.call(wait)


def test_a_closed_one_says_so():
    far = LoopCommunicator(ThreadCommunicator(partial(MemoryCommunicator, MemoryHub(MemoryTaskQueue()))))

    with pytest.raises(CommunicatorClosedError):
        far.call(lambda _: asyncio.sleep(0))


async def test_what_ends_while_others_are_still_to_be_told_of_wakes_nobody(far):
    """Each call wakes another thread."""
    announcer, calls, gate = Announcer(far), [], threading.Event()

    async def block(_):
        gate.wait()

    blocked = far.call(block)
    call = far.call
    far.call = lambda work: calls.append(work) or call(work)
    for number in range(100):
        announcer.changed(change(2, state=State.FINISHED, event="finished", pid=f"p{number}"), "sample:Sample")
    gate.set()
    assert len(calls) == 1
    await asyncio.wrap_future(blocked)
    await soon(announcer.flush())
