"""Participants that send without end: what they cost is bounded, they are told, and others go on."""

import asyncio
import gc
import itertools
from pathlib import Path

import msgspec
import pytest

from drupe.core.message import MAX_FRAME, Broadcast, Rpc, encode_message, open_message
from drupe.core.role import Role
from drupe.errors import MessageError, OverloadedError, RemoteError
from drupe.messaging import load
from drupe.messaging.local import connection, mesh
from drupe.messaging.local.communicator import LocalCommunicator
from drupe.messaging.local.wire import Kind, frame
from drupe.messaging.origin import Origin
from drupe.storage.memory_queue import MemoryTaskQueue
from drupe.testing.communicator_contract_case import Heard, soon

pytestmark = pytest.mark.slow

MB = 1024 * 1024


@pytest.fixture
async def meet(tmp_path):
    opened = []

    async def meet():
        communicator = LocalCommunicator(tmp_path / "meet", MemoryTaskQueue())
        await communicator.open()
        opened.append(communicator)
        return communicator

    yield meet
    for communicator in opened:
        await communicator.close()


def resident():
    """The bytes of memory that this interpreter has now."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 (what is waited for is a number that a load has reached)
            await asyncio.sleep(0)


async def cancelled(calls):
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)


async def never(body):
    await asyncio.Event().wait()


async def test_who_has_too_many_calls_answered_at_a_time_is_told_and_others_are_answered(meet):
    worker, flooder, friend = await meet(), await meet(), await meet()
    await worker.subscribe_rpc(never, "never")
    await worker.subscribe_rpc(lambda body: body, "echo")

    calls = [asyncio.create_task(flooder.rpc_send("never", deadline=None)) for _ in range(load.CALLS + 500)]
    await until(lambda: sum(call.done() for call in calls) == 500)
    refused = [call for call in calls if call.done()]

    for call in refused:
        with pytest.raises(OverloadedError, match="too many calls"):
            await call
    assert await soon(friend.rpc_send("echo", 1)) == 1
    with pytest.raises(OverloadedError):
        await soon(flooder.rpc_send("echo", 1))
    await cancelled(calls)


async def test_calls_with_large_bodies_are_refused_when_they_are_too_large_together(meet):
    worker, flooder, friend = await meet(), await meet(), await meet()
    await worker.subscribe_rpc(never, "never")
    await worker.subscribe_rpc(len, "length")
    body = bytes(MAX_FRAME - 1000)

    calls = [asyncio.create_task(flooder.rpc_send("never", body, deadline=None)) for _ in range(8)]
    await until(lambda: worker._load._begun.get(flooder._link.address, (0,))[0] == 8)
    calls += [asyncio.create_task(flooder.rpc_send("never", body, deadline=None)) for _ in range(8)]
    await until(lambda: worker._load._begun[flooder._link.address][0] == 16)
    with pytest.raises(OverloadedError):
        await soon(flooder.rpc_send("length", body))

    assert await soon(friend.rpc_send("length", body)) == len(body)
    await cancelled(calls)


@pytest.mark.untraced
@pytest.mark.timeout(120)
async def test_a_flood_of_all_that_can_be_sent_takes_no_more_memory_than_its_bounds(meet, caplog):
    worker, friend = await meet(), await meet()
    gate, slow, calm = asyncio.Event(), Heard(), Heard()

    async def tell_slowly(broadcast):
        await gate.wait()
        slow(broadcast)

    await worker.subscribe_broadcast(tell_slowly)
    await worker.subscribe_broadcast(calm, lambda sender, subject: subject == "calm")
    await worker.subscribe_rpc(never, "never")
    await worker.subscribe_rpc(lambda body: body, "echo")
    small = [encode_message(Broadcast(body=number)) for number in range(1000)]
    wide = encode_message(
        Broadcast(body=[[] for _ in range(MAX_FRAME - 1000)])
    )  # a hundred times as large when it is read
    link, flooder = worker._link, Origin("flooder")
    receive = link._receiver.received
    before = resident()

    for round_ in range(60):
        for data in small:
            receive(flooder, open_message(data))
        receive(flooder, open_message(wide))
        for number in range(1000):
            receive(flooder, open_message(encode_message(Rpc(id=f"{round_}-{number}", recipient="never"))))
        await asyncio.sleep(0)
    for _ in range(100):
        receive(flooder, open_message(bytes(memoryview(wide))))
    grown = resident() - before

    assert grown < 64 * MB, f"{grown / MB:.0f} MB"
    assert await soon(friend.rpc_send("echo", 1)) == 1
    await friend.broadcast_send("still here", subject="calm")
    assert (await calm.next()).body == "still here"
    gate.set()


async def test_who_begins_to_greet_and_does_not_end_holds_up_nobody_and_makes_room(meet, tmp_path, caplog):
    worker, friend = await meet(), await meet()
    await worker.subscribe_rpc(lambda body: body, "echo")
    path = tmp_path / "meet" / f"{worker._link.address}.s"
    before, streams = resident(), []

    for _ in range(mesh._STRANGERS + 100):
        streams.append(await asyncio.open_unix_connection(path))
        streams[-1][1].write(frame(Kind.HELLO, b"0123456789abcdef")[:7])  # and no more

    assert await soon(streams[0][0].read()) == b""  # the oldest was cut
    assert await soon(friend.rpc_send("echo", 1)) == 1
    assert len([one for one in worker._link._incoming if one.address is None]) == mesh._STRANGERS
    assert resident() - before < 16 * MB
    assert caplog.text.count("did not greet") == 1
    for _, writer in streams:
        writer.close()


async def test_of_one_connection_only_some_frames_are_taken_in_one_turn_and_all_in_the_end(meet, tmp_path):
    worker, heard = await meet(), Heard()
    await worker.subscribe_broadcast(heard)
    _, writer = await asyncio.open_unix_connection(tmp_path / "meet" / f"{worker._link.address}.s")
    writer.write(frame(Kind.HELLO, b"0123456789abcdef"))
    writer.write(b"".join(frame(Kind.MESSAGE, encode_message(Broadcast(body=number))) for number in range(900)))
    left = []

    def all_taken():
        left.extend(len(one._frames) for one in worker._link._incoming)
        return len(left) > 1 and left[-1] == 0 < max(left)

    await until(all_taken)
    writer.transport.abort()

    taken = [before - after for before, after in itertools.pairwise(left) if before > after]
    assert 0 < max(taken) <= connection._TURN
    assert [(await heard.next()).body for _ in range(900)] == list(range(900))


async def test_what_is_too_large_or_has_too_long_a_name_is_refused_before_it_is_sent(meet):
    here, there = await meet(), await meet()
    await there.subscribe_rpc(lambda body: body, "echo")

    for send in (
        lambda: here.task_send(queue="q" * 10_240),
        lambda: here.rpc_send("r" * 10_240),
        lambda: here.broadcast_send(subject="s" * 10_240),
        lambda: here.broadcast_send(sender="\ud800"),
        lambda: here.rpc_send("echo", bytes(MAX_FRAME)),
    ):
        with pytest.raises(MessageError):
            await soon(send())

    assert await soon(here.rpc_send("echo", 1)) == 1
    await here.task_send(queue="q" * 1024)  # whose hint the others can read
    assert await soon(here.rpc_send("echo", 1)) == 1


async def test_a_body_that_cannot_be_read_over_there_is_told_to_who_sent_it(meet):
    here, there = await meet(), await meet()
    await there.subscribe_rpc(lambda body: body, "echo")
    body = msgspec.Raw(msgspec.msgpack.encode(msgspec.msgpack.Ext(1, msgspec.msgpack.encode(["a:Type", 1]))))
    data = msgspec.msgpack.encode(Rpc(id="1", recipient="echo", body=body))
    call = here._calls.expect("1", Role.READ)
    await here._link.call("echo", data, call)

    with pytest.raises(RemoteError, match="no type 'a:Type' is registered here"):
        await soon(here._calls.wait(call, 20, "it"))
