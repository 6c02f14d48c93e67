"""A broker that ends, a connection that is cut, participants that die or send what they should not: nothing is lost or hangs."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import aio_pika
import pytest

from drupe.errors import (
    BrokerUnavailableError,
    CommunicationError,
    DeadlineError,
    MessageError,
    PeerLostError,
    SettingsError,
    UnroutableError,
)
from drupe.messaging.rabbitmq.communicator import RabbitmqCommunicator
from drupe.testing.communicator_contract_case import Heard, result, soon
from tests.messaging.rabbitmq.node import Node
from tests.messaging.rabbitmq.proxy import Proxy

pytestmark = [pytest.mark.service("rabbitmq"), pytest.mark.slow]

ROOT = Path(__file__).parents[3]

PEER = """
import asyncio, sys
from drupe.messaging.rabbitmq.communicator import RabbitmqCommunicator
from drupe.messaging.rabbitmq.topology import Topology

async def main(url, prefix, call_wait_ms):
    communicator = RabbitmqCommunicator(url, topology=Topology(prefix=prefix, call_wait_ms=int(call_wait_ms)))
    await communicator.open()

    async def never(body):
        print("took", body, flush=True)
        await asyncio.Event().wait()

    async def hold(task):
        print("holds", task.body, task.attempt, flush=True)
        await asyncio.Event().wait()

    async def same(body):
        return body

    await communicator.subscribe_rpc(never, "never")
    await communicator.subscribe_rpc(same, "same")
    await communicator.subscribe_task(hold, queue="held")
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
async def meet(amqp):
    opened = []

    async def meet(**given):
        communicator = amqp(**given)
        await soon(communicator.open())
        opened.append(communicator)
        return communicator

    yield meet
    for communicator in opened:
        await soon(communicator.close())


@pytest.fixture
async def proxy(broker_url):
    async with Proxy(urlsplit(broker_url).port) as proxy:
        yield proxy


@pytest.fixture
async def far(proxy, topology):
    """A communicator whose connection can be cut."""
    communicator = RabbitmqCommunicator(proxy.url, topology=topology)
    await soon(communicator.open())
    yield communicator
    await soon(communicator.close())


@pytest.fixture
def call_wait_ms(topology):
    """How long calls to the other interpreter wait at the broker."""
    return topology.call_wait_ms


@pytest.fixture
async def peer(broker_url, topology, call_wait_ms):
    """Another interpreter that takes calls and tasks, and answers some."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PEER,
        broker_url,
        topology.prefix,
        str(call_wait_ms),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "src"},
        stdout=subprocess.PIPE,
    )
    assert await line(process) == "ready"
    yield process
    if process.returncode is None:
        process.kill()
    await process.wait()
    process._transport.close()


async def line(process):
    return (await soon(process.stdout.readline())).decode().strip()


async def test_a_receiver_that_is_killed_after_it_took_a_call_is_noticed_at_once(peer, meet):
    here = await meet()
    call = asyncio.create_task(here.rpc_send("never", 1, deadline=None))
    assert await line(peer) == "took 1"

    peer.kill()

    with pytest.raises(PeerLostError):
        await soon(call)
    with pytest.raises(UnroutableError):
        await soon(here.rpc_send("never", 2, deadline=None))
    await here.subscribe_rpc(lambda body: body, "never")
    assert await (await meet()).rpc_send("never", "taken up") == "taken up"


async def test_a_task_whose_holder_is_killed_goes_to_another(peer, meet):
    here = await meet()
    receipt = await here.task_send("work", queue="held")
    assert await line(peer) == "holds work 1"
    await here.subscribe_task(lambda task: (task.body, task.attempt), queue="held")

    peer.kill()

    assert await result(receipt) == ("work", 2)


async def test_a_sender_that_is_cut_off_while_it_waits_is_told_and_goes_on(far, proxy, meet):
    there, begun = await meet(), Heard()

    async def never(body):
        begun(body)
        await asyncio.Event().wait()

    await there.subscribe_rpc(never, "never")
    await there.subscribe_rpc(lambda body: body, "echo")
    await far.subscribe_rpc(lambda body: f"far {body}", "far")
    call = asyncio.create_task(far.rpc_send("never", 1, deadline=None))
    await begun.next()

    proxy.cut()

    with pytest.raises(BrokerUnavailableError):
        await soon(call)
    assert await soon(far.rpc_send("echo", 2, deadline=None)) == 2
    assert await soon(there.rpc_send("far", 3, deadline=None)) == "far 3"


async def test_the_reply_to_a_task_comes_also_when_its_sender_was_cut_off(far, proxy, meet):
    there, go_on, begun = await meet(), asyncio.Event(), Heard()

    async def slow(task):
        begun(task)
        await go_on.wait()
        return task.body

    await there.subscribe_task(slow)
    receipt = await far.task_send("work")
    await begun.next()
    proxy.cut()
    go_on.set()

    assert await result(receipt) == "work"


@pytest.mark.parametrize("allowance", [0, 1, 7, 20, 60, 150, 400])
async def test_a_connection_that_is_cut_inside_a_publish_loses_nothing(far, proxy, meet, allowance):
    there, heard = await meet(), Heard()
    await there.subscribe_task(heard)
    await far.task_send("first", no_reply=True)
    assert (await heard.next()).body == "first"

    proxy.allowance = allowance
    if not allowance:
        proxy.cut()
    receipts = await soon(asyncio.gather(*(far.task_send(number) for number in range(20))))

    assert await soon(asyncio.gather(*map(result, receipts))) == list(range(20))


async def test_a_confirmation_that_is_lost_makes_a_task_come_twice_at_most(far, proxy, meet):
    there, heard = await meet(), Heard()
    await there.subscribe_task(heard)
    await far.task_send("before", no_reply=True)
    assert (await heard.next()).body == "before"
    proxy.deaf.set()
    sending = asyncio.create_task(far.task_send("once", no_reply=True))
    first = await heard.next()
    assert not sending.done()

    proxy.deaf.clear()
    proxy.cut()

    await soon(sending)
    await there.task_send("last", no_reply=True)
    seen = [first]
    while seen[-1].body != "last":
        seen.append(await heard.next())
    assert 0 < sum(task.body == "once" for task in seen) <= 2
    assert len({task.id for task in seen if task.body == "once"}) == 1


async def test_subscriptions_come_back_with_the_connection(far, proxy, meet):
    there, tasks, news = await meet(), Heard(), Heard()
    await far.subscribe_task(tasks)
    await far.subscribe_broadcast(news)
    for number in range(3):
        proxy.cut()
        await there.task_send(number, no_reply=True)
        while (await tasks.next()).body != number:
            pass  # one whose acknowledgement was cut off comes again
        await there.broadcast_send(number)
    last = await news.next()
    while last.body != 2:
        last = await news.next()


async def test_a_broker_that_is_down_ends_every_call_by_its_deadline(far, proxy):
    proxy._target = 1  # nobody is there
    proxy.cut()

    with pytest.raises((BrokerUnavailableError, DeadlineError)):  # on its way, when the connection was lost
        await soon(far.rpc_send("anybody", deadline=0.5))
    with pytest.raises(DeadlineError):
        await soon(far.rpc_send("anybody", deadline=0.2))


@pytest.mark.timeout(180)
async def test_a_broker_that_is_restarted_under_load_loses_nothing(topology):
    with tempfile.TemporaryDirectory(prefix="drupe-broker-") as folder:
        node = Node(Path(folder))
        try:
            await asyncio.to_thread(node.start)
            await restart_under_load(node, partial(RabbitmqCommunicator, node.url, topology=topology))
        finally:
            await asyncio.to_thread(node.close)


async def restart_under_load(node, amqp):
    here, there = amqp(), amqp()
    await here.open()
    await there.open()
    await there.subscribe_task(lambda task: task.body, prefetch=10)
    await there.subscribe_rpc(lambda body: body, "echo")
    tasks, calls, stopped = [], [], asyncio.Event()

    async def send():
        number = 0
        while not stopped.is_set():
            receipt = await here.task_send(number)
            tasks.append((number, asyncio.create_task(receipt.result(deadline=120))))
            calls.append(asyncio.create_task(here.rpc_send("echo", number, deadline=60)))
            number += 1
            await asyncio.sleep(0.002)

    sending = asyncio.create_task(send())
    await until(lambda: len(tasks) > 50)
    for end in (node.stop, node.kill):
        before = len(tasks)
        await asyncio.to_thread(end)
        await asyncio.to_thread(node.start)
        await until(lambda before=before: len(tasks) > before + 100)
    stopped.set()
    await asyncio.wait_for(sending, 60)
    results = await asyncio.wait_for(asyncio.gather(*(task for _, task in tasks)), 120)
    assert results == [number for number, _ in tasks]
    outcomes = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 120)
    assert {type(outcome) for outcome in outcomes if isinstance(outcome, BaseException)} <= {
        BrokerUnavailableError,
        PeerLostError,
        UnroutableError,
        DeadlineError,
    }
    assert [outcome for outcome in outcomes if not isinstance(outcome, BaseException)] == [
        number for number, outcome in enumerate(outcomes) if not isinstance(outcome, BaseException)
    ]
    await here.close()
    await there.close()


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 (what is waited for is a number that a load has reached)
            await asyncio.sleep(0.01)


async def test_what_cannot_be_read_is_dropped_and_the_next_one_comes(broker_url, topology, meet, caplog):
    here, there, tasks, news = await meet(), await meet(), Heard(), Heard()
    await there.subscribe_task(tasks)
    await there.subscribe_broadcast(news)
    await there.subscribe_rpc(lambda body: body, "echo")
    connection = await aio_pika.connect(broker_url)
    channel = await connection.channel()
    for body in (b"\xc1", b"", b"x" * 2_000_000):
        for name, key in ((topology.tasks, "tasks"), (topology.news, ""), (topology.calls, "echo")):
            exchange = await channel.get_exchange(name, ensure=False)
            await exchange.publish(aio_pika.Message(body), key)
    await connection.close()

    await here.broadcast_send("fine")
    assert (await news.next()).body == "fine"
    assert await here.rpc_send("echo", "fine") == "fine"
    assert await result(await here.task_send("fine")) == "fine"
    assert (
        caplog.text.count("a message was not taken") == 2
    )  # one warning for each of the two, not one for each message
    assert caplog.text.count("a task of tasks was given up") == 1
    with pytest.raises(MessageError):
        await here.task_send(b"x" * 2_000_000)


async def test_a_thousand_names_need_no_queue_each(meet):
    here, there = await meet(), await meet()
    names = [f"name-{number}" for number in range(1000)]

    await soon(asyncio.gather(*(there.subscribe_rpc(str.upper, name) for name in names)))

    assert await soon(asyncio.gather(*(here.rpc_send(name, name) for name in names))) == [
        name.upper() for name in names
    ]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("amqp://far.example/", "TLS"),
        ("amqps://far.example/", "far.example is another machine, so messages must be sealed"),
        ("http://localhost/", "amqp://"),
        ("amqp://", "amqp://"),
        ("amqp://localhost:port/", "amqp://"),
    ],
)
def test_an_address_that_cannot_be_is_refused(url, why):
    with pytest.raises(SettingsError, match=why):
        RabbitmqCommunicator(url)


@pytest.mark.parametrize("call_wait_ms", [60_000])
async def test_calls_wait_at_the_broker_for_a_reader_that_is_busy(peer, meet):
    """A broker gives a slow reader some of many calls; the others wait, and do not come back as if nobody were there."""
    caller, beside = await meet(), await meet()

    async def same(body):
        return body

    await beside.subscribe_rpc(same, "beside")
    peer.send_signal(signal.SIGSTOP)
    text = "x" * 20_000  # so that what is on the way to the reader fills all buffers
    calls = [asyncio.ensure_future(caller.rpc_send("same", [number, text], deadline=60)) for number in range(600)]
    await soon(caller.rpc_send("beside", None))  # it went out after all others, so those are with the broker
    peer.send_signal(signal.SIGCONT)
    answers = await asyncio.wait_for(asyncio.gather(*calls), 60)

    assert answers == [[number, text] for number in range(600)]


async def test_whoever_leaves_takes_no_waiting_call_along(meet):
    """Each of many callers is told, whether its call had come or was on its way."""
    reader, caller = await meet(), await meet()
    begun = Heard()

    async def never(body):
        begun(body)
        await asyncio.Event().wait()

    await reader.subscribe_rpc(never, "never")
    calls = [asyncio.ensure_future(caller.rpc_send("never", number, deadline=None)) for number in range(300)]
    await begun.next()
    await soon(reader.close())
    ends = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 30)

    assert {type(end) for end in ends} <= {PeerLostError, UnroutableError}


async def test_a_broker_that_is_not_there_is_named_without_its_password():
    communicator = RabbitmqCommunicator("amqp://me:secret@127.0.0.1:1/")

    with pytest.raises(BrokerUnavailableError, match=r"127\.0\.0\.1:1") as refused:
        await soon(communicator.open())

    assert "secret" not in str(refused.value)
    assert isinstance(refused.value, CommunicationError)
    await communicator.close()
