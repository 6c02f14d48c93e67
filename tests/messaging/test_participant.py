"""What a participant does when its link or its queue lets it down, or another participant does what it should not."""

import asyncio

import pytest

from drupe.core.key import Key
from drupe.core.message import Broadcast, Reply, Rpc, Task, decode_message, encode_message
from drupe.core.role import Role
from drupe.errors import DuplicateSubscriberError, OverloadedError, TaskLostError, UnroutableError
from drupe.messaging import consumer
from drupe.messaging.memory import MemoryCommunicator, MemoryHub
from drupe.messaging.origin import Origin
from drupe.messaging.participant import Participant
from drupe.storage.memory_queue import MemoryTaskQueue
from drupe.testing import ManualClock
from drupe.testing.communicator_contract_case import Heard, result, soon


class Wire:
    """A link whose other end is the test's own hand."""

    address = "me"

    def __init__(self):
        self.sent = asyncio.Queue()
        self.full = False

    async def open(self, receiver):
        self.receiver = receiver

    async def close(self):
        pass

    async def register(self, identifier):
        if identifier == "taken":
            raise DuplicateSubscriberError(identifier)

    async def unregister(self, identifier):
        pass

    async def knows(self, address):
        return True

    async def call(self, identifier, data, call):
        call.address = "you"
        self.send(Origin("you"), data, answers="")

    def send(self, origin, data, *, answers):
        if self.full:
            raise OverloadedError("full")
        self.sent.put_nowait((origin.address, decode_message(data)))

    def publish(self, data, *, role):
        pass

    def wake(self, queue):
        pass


class FlakyQueue(MemoryTaskQueue):
    """A queue that fails when told to."""

    broken = False

    async def take(self, queue, *, holder, limit):
        if self.broken:
            raise OSError("disk full")
        return await super().take(queue, holder=holder, limit=limit)

    async def forget(self, holder):
        if self.broken:
            raise OSError("disk full")
        return await super().forget(holder)


@pytest.fixture
def wire():
    return Wire()


@pytest.fixture
def queue():
    return FlakyQueue()


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def me(wire, queue, clock):
    participant = Participant(wire, queue, clock=clock)
    await participant.open()
    yield participant
    queue.broken = False
    await participant.close()


async def test_a_call_whose_deadline_has_passed_is_not_begun(me, wire, clock):
    heard = Heard()
    await me.subscribe_rpc(heard, "x")

    wire.receiver.received(Origin("you"), Rpc(id="1", recipient="x", body="late", deadline=clock.now()))
    wire.receiver.received(Origin("you"), Rpc(id="2", recipient="x", body="in time", deadline=clock.now() + 1))

    answers = {reply.id: reply.failure for _, reply in (await soon(wire.sent.get()), await soon(wire.sent.get()))}
    assert (answers["1"].code, answers["2"]) == ("deadline", None)
    assert heard.rest() == ["in time"]


async def test_what_a_sender_may_not_ask_for_is_refused_and_told(me, wire, queue):
    heard, reader = Heard(), Origin("you", Key(b"r" * 32, Role.READ))
    await me.subscribe_rpc(heard, "x")
    await me.subscribe_broadcast(heard)

    wire.receiver.received(reader, Broadcast(body="intent"))
    wire.receiver.received(reader, Rpc(id="1", recipient="x", body={"verb": "kill"}))
    address, reply = await soon(wire.sent.get())

    assert (address, reply.id, reply.failure.code) == ("you", "1", "not-entitled")
    assert heard.rest() == []


async def test_an_answer_counts_only_from_who_might_have_asked(me, wire):
    call = asyncio.create_task(me.rpc_send("x", {"verb": "kill"}))
    _, request = await soon(wire.sent.get())

    wire.receiver.received(Origin("you", Key(b"r" * 32, Role.READ)), Reply(id=request.id, result="forged"))
    wire.receiver.received(Origin("you", Key(b"c" * 32, Role.CONTROL)), Reply(id=request.id, result="true"))

    assert await soon(call) == "true"


async def test_a_call_to_one_who_left_meanwhile_is_unroutable(me, wire):
    wire.receiver.received(Origin("you"), Rpc(id="1", recipient="gone"))
    address, reply = await soon(wire.sent.get())
    assert address == "you"

    call = asyncio.create_task(me.rpc_send("gone"))
    _, request = await soon(wire.sent.get())
    wire.receiver.received(Origin("you"), Reply(id=request.id, failure=reply.failure))

    with pytest.raises(UnroutableError, match="gone"):
        await soon(call)


async def test_only_who_was_asked_can_answer(me, wire):
    call = asyncio.create_task(me.rpc_send("x"))
    _, request = await soon(wire.sent.get())

    wire.receiver.received(Origin("somebody else"), Reply(id=request.id, result="forged"))
    wire.receiver.received(Origin("you"), Reply(id="unknown", result="odd"))
    wire.receiver.received(Origin("you"), Reply(id=request.id, result="true"))
    wire.receiver.received(Origin("you"), Reply(id=request.id, result="twice"))

    assert await soon(call) == "true"


async def test_a_task_that_comes_as_a_message_is_dropped(me, wire, caplog):
    heard = Heard()
    await me.subscribe_task(heard)

    wire.receiver.received(Origin("you"), Task(id="1", queue="tasks", body="forged"))

    assert await result(await me.task_send("fine")) == "fine"
    assert [task.body for task in heard.rest()] == ["fine"]
    assert "dropped" in caplog.text


async def test_a_receiver_that_takes_no_more_is_an_error_for_the_caller_and_a_note_for_the_answerer(me, wire, caplog):
    await me.subscribe_rpc(lambda body: body, "x")
    wire.full = True

    with pytest.raises(OverloadedError):
        await me.rpc_send("yours")
    wire.receiver.received(Origin("you"), Rpc(id="1", recipient="x"))
    await asyncio.sleep(0)

    assert "a reply was dropped" in caplog.text


async def test_a_name_that_could_not_be_registered_is_not_answered_to(me):
    with pytest.raises(DuplicateSubscriberError):
        await me.subscribe_rpc(Heard(), "taken")

    with pytest.raises(DuplicateSubscriberError):  # from the link again, not from a table that kept it
        await me.subscribe_rpc(Heard(), "taken")
    assert (await me.subscribe_rpc(Heard(), "free")).identifier == "free"


async def test_nothing_is_begun_when_it_is_closed(me, wire):
    heard = Heard()
    await me.subscribe_rpc(heard, "x")
    await me.close()

    wire.receiver.received(Origin("you"), Rpc(id="1", recipient="x"))
    wire.receiver.lost("you")
    me.announce("tasks")
    await asyncio.sleep(0)

    assert heard.rest() == []


async def test_broadcasts_that_were_dropped_on_their_way_are_told(me, wire):
    heard = Heard()
    await me.subscribe_broadcast(heard)

    wire.receiver.missed(7)
    await me.broadcast_send(1)

    assert (await heard.next()).missed == 7


async def test_what_one_who_is_gone_held_is_taken_by_others(me, wire, queue):
    heard = Heard()
    await queue.put([Task(id="1", queue="tasks", body="left behind")])
    await queue.take("tasks", holder="you", limit=1)
    await me.subscribe_task(heard)

    wire.receiver.lost("you")

    task = await heard.next()
    assert (task.body, task.attempt) == ("left behind", 2)


async def test_a_queue_that_fails_is_looked_at_again(me, wire, queue, caplog, monkeypatch):
    monkeypatch.setattr(consumer, "POLL", 0.01)
    heard = Heard()
    queue.broken = True
    await me.subscribe_task(heard)
    await asyncio.sleep(0)
    wire.receiver.lost("you")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await queue.put([Task(id="1", queue="tasks", body="nobody was told of it")])
    queue.broken = False

    assert (await heard.next()).body == "nobody was told of it"
    assert "could not be read" in caplog.text
    assert "could not be put back" in caplog.text


async def test_a_task_that_went_back_meanwhile_is_lost_to_its_holder(me, queue):
    lost = Heard()

    async def slow(task):
        if task.attempt > 1:
            return "done by the second"
        await queue.forget("me")  # as whoever takes it for dead would
        for use in (task.accept(), task.reply(1)):
            with pytest.raises(TaskLostError):
                await use
        lost("told")
        me.announce("tasks")
        return "done by the first"

    await me.subscribe_task(slow)

    assert await result(await me.task_send()) == "done by the second"
    assert lost.rest() == ["told"]


async def test_a_task_that_went_back_meanwhile_cannot_be_rejected(me, queue):
    await me.task_send(no_reply=True)
    async with me.pull() as tasks:
        async for task in tasks:
            await queue.forget("me")
            with pytest.raises(TaskLostError, match="went back"):
                await task.reject()
            break


async def test_what_is_taken_while_the_subscription_ends_goes_back(me, queue):
    entered, go_on, heard = asyncio.Event(), asyncio.Event(), Heard()
    take = queue.take

    async def slow_take(*arguments, **options):
        entered.set()
        await go_on.wait()
        return await take(*arguments, **options)

    queue.take = slow_take
    await queue.put([Task(id="1", queue="tasks")])
    handle = await me.subscribe_task(heard)
    await soon(entered.wait())
    ending = asyncio.create_task(handle.unsubscribe())
    await asyncio.sleep(0)
    go_on.set()
    await soon(ending)

    assert heard.rest() == []
    assert [taken.attempt for taken in await take("tasks", holder="you", limit=9)] == [2]


async def test_a_receiver_in_memory_that_is_blocked_is_not_waited_for(caplog):
    hub = MemoryHub(MemoryTaskQueue())
    here, there = MemoryCommunicator(hub), MemoryCommunicator(hub)
    await here.open()
    await there.open()
    heard = Heard()
    await there.subscribe_broadcast(heard)
    message = encode_message(Rpc(id="1", recipient="x"))

    for _ in range(3):  # nothing here lets the loop turn, as if it were blocked
        here._link.publish(encoded(1), role=Role.CONTROL)
    for _ in range(1024):
        here._link.send(Origin(there._link.address), message, answers="1")
    with pytest.raises(OverloadedError):
        here._link.send(Origin(there._link.address), message, answers="1")
    for _ in range(1500):
        here._link.publish(encoded(2), role=Role.CONTROL)

    first = await heard.next()
    assert first.missed == 3 + 1500 - 1024
    await here.close()
    with pytest.raises(UnroutableError):
        here._link.send(Origin("nobody"), message, answers="1")
    await there.close()


def encoded(body):

    return encode_message(Broadcast(body=body))
