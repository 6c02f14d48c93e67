"""What goes through a broker is sealed: who has no key, or not the right one, gets nothing done and disturbs nobody."""

import aio_pika
import pytest

from drupe.core.entitlement import NEWS
from drupe.core.key import Key, KeyRing
from drupe.core.message import Rpc, encode_message
from drupe.core.role import Role
from drupe.errors import MessageRefusedError, NotEntitledError
from drupe.messaging.envelope import Lane, Place
from drupe.messaging.seal import SKEW, Seal
from drupe.runtime.clock import SystemClock
from drupe.testing import ManualClock
from drupe.testing.communicator_contract import CommunicatorContract
from drupe.testing.communicator_contract_case import Heard, result, soon

pytestmark = [pytest.mark.service("rabbitmq"), pytest.mark.slow]

READ, CONTROL, LAUNCH = KEYS = [Key(bytes([number]) * 32, role) for number, role in enumerate(Role, 1)]
RING = KeyRing(KEYS)
STATUS = {"verb": "status"}
KILL = {"verb": "kill"}


class TestSealedCommunicator(CommunicatorContract):
    @pytest.fixture
    def communicators(self, amqp):
        return lambda **given: amqp(keys=RING, **given)


@pytest.fixture
async def meet(amqp):
    opened = []

    async def meet(*keys, **given):
        communicator = amqp(**({"keys": KeyRing(keys)} if keys else {}), **given)
        await soon(communicator.open())
        opened.append(communicator)
        return communicator

    yield meet
    for communicator in opened:
        await soon(communicator.close())


@pytest.fixture
async def worker(meet):
    """A communicator with all keys that answers to p."""
    worker = await meet(*KEYS)
    worker.asked = Heard()
    await worker.subscribe_rpc(noting(worker.asked, "yes"), "p")
    await worker.subscribe_task(lambda task: noting(worker.asked, "done")(task.body))
    return worker


def noting(heard, answer):
    def take(body):
        heard(body)
        return answer

    return take


@pytest.fixture
async def channel(broker_url):
    """What somebody has who can reach the broker."""
    connection = await aio_pika.connect(broker_url)
    yield await connection.channel()
    await connection.close()


async def recorded(channel, topology, exchange, key):
    """A queue that gets a copy of what goes to a place."""
    queue = await channel.declare_queue(exclusive=True)
    await queue.bind(exchange, key)
    return queue


@pytest.mark.parametrize(
    ("key", "allowed"), [(READ, {"status"}), (CONTROL, {"status", "kill"}), (LAUNCH, {"status", "kill", "task"})]
)
async def test_a_key_lets_its_holder_do_what_its_role_says(meet, worker, key, allowed):
    holder = await meet(key)
    asked = {
        "status": lambda: holder.rpc_send("p", STATUS),
        "kill": lambda: holder.rpc_send("p", KILL),
        "task": lambda: send_task(holder),
    }

    for name, ask in asked.items():
        if name in allowed:
            assert await soon(ask()) in {"yes", "done"}
        else:
            with pytest.raises(NotEntitledError, match="there is none here"):
                await soon(ask())
    assert len(worker.asked.rest()) == len(allowed)


async def send_task(sender, body="work"):
    return await result(await sender.task_send(body))


async def test_the_role_that_the_receiver_knows_decides_and_the_sender_is_told(meet, worker):
    usurper = await meet(Key(READ.secret, Role.LAUNCH))

    for ask in (usurper.rpc_send("p", KILL), send_task(usurper, {"verb": "launch"})):
        with pytest.raises(NotEntitledError, match="came with 'read'"):
            await soon(ask)

    async with worker.pull("other") as tasks:
        receipt = await usurper.task_send("pulled", queue="other")
        assert [task async for task in tasks] == []
    with pytest.raises(NotEntitledError):
        await result(receipt)
    assert await soon(usurper.rpc_send("p", STATUS)) == "yes"
    assert worker.asked.rest() == [STATUS]


async def test_broadcasts_are_heard_from_those_who_may_send_them(meet):
    worker, reader, usurper = await meet(*KEYS), await meet(READ), await meet(Key(READ.secret, Role.LAUNCH))
    heard = Heard()
    for listener in (worker, reader):
        await listener.subscribe_broadcast(heard)

    await usurper.broadcast_send("forged", subject="intent")
    with pytest.raises(NotEntitledError):
        await reader.broadcast_send("forged", subject="intent")
    await worker.broadcast_send("news", subject=f"{NEWS}running.finished")

    assert [(await heard.next()).body for _ in range(2)] == ["news", "news"]


@pytest.mark.parametrize("keys", [(), (Key(b"x" * 32, Role.LAUNCH),)], ids=["no key", "another key"])
async def test_who_has_not_the_key_is_refused_at_once_and_disturbs_nobody(meet, worker, keys, caplog):
    stranger, friend = await meet(*keys), await meet(*KEYS)
    await worker.subscribe_broadcast(news := Heard())

    await stranger.broadcast_send("forged")
    receipt = await stranger.task_send("forged")
    for _ in range(100):
        with pytest.raises(MessageRefusedError):
            await soon(stranger.rpc_send("p", STATUS, deadline=None))

    assert await soon(friend.rpc_send("p", STATUS)) == "yes"
    assert await send_task(friend) == "done"
    await friend.broadcast_send("news")
    assert (await news.next()).body == "news"
    assert worker.asked.rest() == [STATUS, "work"]
    assert not receipt._call.future.done()
    assert len([record for record in caplog.records if "not taken" in record.getMessage()]) < 10


async def test_what_was_recorded_on_its_way_is_not_done_again(meet, worker, channel, topology):
    friend, news = await meet(*KEYS), Heard()
    await worker.subscribe_broadcast(news)
    calls = await recorded(channel, topology, topology.calls, "p")
    broadcasts = await recorded(channel, topology, topology.news, "")
    await friend.rpc_send("p", KILL)
    await friend.broadcast_send("once")
    await news.next()
    call, broadcast = await soon(calls.get(timeout=10)), await soon(broadcasts.get(timeout=10))

    await repeat(channel, call, topology.calls, "p")
    await repeat(channel, broadcast, topology.news, "")
    await friend.rpc_send("p", STATUS)
    await friend.broadcast_send("last")

    assert worker.asked.rest() == [KILL, STATUS]
    assert (await news.next()).body == "last"


async def repeat(channel, message, exchange, key):
    to = await channel.get_exchange(exchange, ensure=False)
    copy = aio_pika.Message(message.body, message_id=message.message_id, reply_to=message.reply_to)
    await to.publish(copy, key, mandatory=False)


async def test_what_was_recorded_is_of_no_use_elsewhere(meet, worker, channel, topology):
    friend = await meet(*KEYS)
    await worker.subscribe_rpc(worker.asked, "other")
    await worker.subscribe_task(worker.asked, queue="other")
    calls = await recorded(channel, topology, topology.calls, "p")
    tasks = await recorded(channel, topology, topology.tasks, "tasks")
    await friend.rpc_send("p", KILL)
    await send_task(friend)
    call, task = await soon(calls.get(timeout=10)), await soon(tasks.get(timeout=10))

    await repeat(channel, call, topology.calls, "other")
    await repeat(channel, task, topology.tasks, "other")
    await repeat(channel, task, topology.calls, "p")
    await repeat(channel, call, topology.tasks, "tasks")
    assert await send_task(friend, "last") == "done"
    await friend.rpc_send("p", STATUS)

    assert worker.asked.rest() == [KILL, "work", "last", STATUS]


async def test_a_clock_that_is_wrong_is_found_out(meet, worker):
    late = await meet(*KEYS, clock=ManualClock(now=SystemClock().now() - 60 - SKEW - 1))
    early = await meet(*KEYS, clock=ManualClock(now=SystemClock().now() + SKEW + 5))

    for wrong in (late, early):
        with pytest.raises(MessageRefusedError, match="are the keys and the clocks right"):
            await soon(wrong.rpc_send("p", STATUS, deadline=None))
    assert worker.asked.rest() == []


async def test_a_task_that_lay_in_its_queue_for_a_week_is_done(meet):
    sender = await meet(LAUNCH, clock=ManualClock(now=SystemClock().now() - 7 * 24 * 3600))
    await sender.task_send("old", queue="q", no_reply=True)
    worker, done = await meet(*KEYS), Heard()

    await worker.subscribe_task(done, queue="q")

    assert (await done.next()).body == "old"


async def test_a_key_is_replaced_while_others_go_on(meet):
    new = Key(b"n" * 32, Role.LAUNCH, since=1.0)
    old_one, both, new_one = await meet(LAUNCH), await meet(*KEYS, new), await meet(new)
    await both.subscribe_rpc(lambda body: "both", "both")

    assert await soon(old_one.rpc_send("both", KILL)) == await soon(new_one.rpc_send("both", KILL)) == "both"


async def test_what_was_sealed_for_another_world_is_of_no_use_in_this(meet, worker, channel, topology):
    other = Seal(RING, "another world")
    body = other.wrap(encode_message(Rpc(id="1", recipient="p", body=KILL)), Place(Lane.CALL, "p"), role=Role.CONTROL)
    exchange = await channel.get_exchange(topology.calls, ensure=False)

    await exchange.publish(aio_pika.Message(body, reply_to="x", message_id="1"), "p")
    friend = await meet(*KEYS)
    assert await soon(friend.rpc_send("p", STATUS)) == "yes"

    assert worker.asked.rest() == [STATUS]
