"""Participants that die, stop, or send what they should not: the others go on."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from drupe.core.message import Rpc, encode_message
from drupe.errors import DeadlineError, DuplicateSubscriberError, OverloadedError, PeerLostError, UnroutableError
from drupe.messaging.local import mesh, place
from drupe.messaging.local.communicator import LocalCommunicator
from drupe.messaging.local.connection import BUFFER
from drupe.messaging.local.place import Place
from drupe.messaging.local.wire import Kind, frame
from drupe.messaging.origin import Origin
from drupe.storage.memory_queue import MemoryTaskQueue
from drupe.testing.communicator_contract_case import Heard, soon
from drupe.testing.host_case import until

ROOT = Path(__file__).parents[3]


class Peer:
    """The other interpreter."""

    def __init__(self, process):
        self.process = process

    async def line(self):
        return (await soon(self.process.stdout.readline())).decode().split()


@pytest.fixture
async def peer(folder):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.messaging.local.peer",
        str(folder),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "src"},
        stdout=subprocess.PIPE,
    )
    peer = Peer(process)
    assert await peer.line() == ["ready"]
    yield peer
    if process.returncode is None:
        process.kill()
    await process.wait()
    process._transport.close()


@pytest.fixture
async def meet(folder):
    opened = []

    async def meet():
        communicator = LocalCommunicator(folder, MemoryTaskQueue())
        await communicator.open()
        opened.append(communicator)
        return communicator

    yield meet
    for communicator in opened:
        await communicator.close()


@pytest.mark.slow
async def test_a_receiver_that_is_killed_after_it_took_a_call_is_noticed_at_once(peer, meet, folder):
    here = await meet()
    assert await soon(here.rpc_send("echo", "over")) == "over"
    call = asyncio.create_task(here.rpc_send("never", 1, deadline=None))
    assert await peer.line() == ["took", "1"]

    peer.process.kill()

    with pytest.raises(PeerLostError):
        await soon(call)
    await soon(peer.process.wait())  # the kernel ends the connections of the dead one after the other
    with pytest.raises(UnroutableError):
        await soon(here.rpc_send("never", deadline=None))
    await here.subscribe_rpc(lambda body: "taken up", "never")
    assert await here.rpc_send("never") == "taken up"
    assert len(list(folder.glob("*.s"))) == len(list(folder.glob("*.n"))) == 1


@pytest.mark.slow
async def test_one_that_is_killed_is_gone_though_a_program_lives_on_that_it_forked(peer, meet):
    """It inherits the sockets: nobody noticed, and newcomers found somebody who listens and never greets."""
    here = await meet()
    child = await soon(here.rpc_send("fork"))
    try:
        assert await soon(here.rpc_send("echo", "over")) == "over", "what the child gives up stays with its parent"
        call = asyncio.create_task(here.rpc_send("never", 1, deadline=None))
        assert await peer.line() == ["took", "1"]

        peer.process.kill()

        with pytest.raises(PeerLostError):
            await soon(call)
        await until(lambda: not here._link._incoming)
        there = await meet()
        assert set(there._link._peers) == {here._link.address}
        os.kill(child, 0)  # it was there all the time
    finally:
        os.kill(child, signal.SIGKILL)


@pytest.mark.slow
async def test_a_newcomer_removes_what_the_dead_left(peer, meet, folder):
    peer.process.kill()
    await soon(peer.process.wait())
    assert len(list(folder.glob("*.s"))) == 1

    here = await meet()

    assert [path.stem for path in folder.glob("*.s")] == [here._link.address]
    assert list(folder.glob("*.n")) == []


async def test_one_that_leaves_while_it_meets_somebody_is_met_by_nobody(meet):
    here, there = await meet(), await meet()
    address = there._link.address
    here._link._peers.pop(address).close()  # as if it had not been met yet
    meeting = here._link._start_to_meet(address)
    assert here._link._start_to_meet(address) is meeting

    await here.close()
    here._link.met("0123456789abcdef")

    assert await meeting
    assert not here._link._meeting
    await until(lambda: not there._link._meeting)  # an answer waits for that
    with pytest.raises(UnroutableError):
        there._link.send(Origin(here._link.address), b"", answers="")


async def test_a_connection_that_ends_while_it_is_made_is_none(meet, monkeypatch):
    here, there = await meet(), await meet()
    await there.subscribe_rpc(lambda body: body, "echo")
    here._link._peers.pop(there._link.address).close()
    monkeypatch.setattr(mesh.Outgoing, "connection_made", lambda self, transport: transport.abort())

    with pytest.raises(UnroutableError):
        await soon(here.rpc_send("echo", deadline=None))


async def test_one_that_is_not_known_yet_is_met_before_it_is_called(meet):
    here, there = await meet(), await meet()
    await there.subscribe_rpc(lambda body: body, "echo")
    here._link._peers.pop(there._link.address).close()
    for _ in range(10):  # turns of the loop, in which each forgets the other
        await asyncio.sleep(0)
    assert not there._link._peers
    assert not here._link._incoming

    assert await soon(here.rpc_send("echo", 1, deadline=None)) == 1


@pytest.mark.slow
async def test_one_that_is_stopped_holds_up_nobody_and_is_told_what_it_missed(peer, meet, monkeypatch):
    here = await meet()
    await here.rpc_send("echo", 1)
    os.kill(peer.process.pid, signal.SIGSTOP)
    monkeypatch.setattr(mesh, "_PATIENCE", 0.1)
    there = await meet()  # a newcomer does not wait for it either
    heard = Heard()
    await there.subscribe_broadcast(heard)

    for number in range(40):
        await here.broadcast_send(b"x" * 500_000, subject=str(number))
        assert (await heard.next()).subject == str(number)
    calls = [asyncio.create_task(here.rpc_send("echo", b"x" * 900_000, deadline=None)) for _ in range(12)]
    done, waiting = await asyncio.wait(calls, timeout=0.5)
    assert waiting
    for refused in done:
        with pytest.raises(OverloadedError):
            await refused
    assert done
    await here.broadcast_send(subject="last")
    here.announce("a queue")  # a hint that it does not need

    os.kill(peer.process.pid, signal.SIGCONT)

    first, number = await peer.line()
    assert first == "missed"
    assert 10 < int(number) < 40
    assert await peer.line() == ["last"]
    assert {len(await soon(call)) for call in waiting} == {900_000}
    assert await soon(there.rpc_send("echo", "still here")) == "still here"


@pytest.mark.slow
async def test_a_newcomer_waits_a_moment_for_one_that_is_stopped_and_reaches_it_once_it_goes_on(peer, meet):
    """Its calls wait in the socket, and are no calls to nobody; and it hears what comes from there afterwards."""
    os.kill(peer.process.pid, signal.SIGSTOP)
    began = time.monotonic()
    here = await meet()
    assert time.monotonic() - began < 3.0, "it took five seconds"

    with pytest.raises(DeadlineError):
        await here.rpc_send("echo", 1, deadline=0.1)
    calls = [asyncio.create_task(here.rpc_send("echo", number, deadline=None)) for number in range(3)]
    await asyncio.sleep(0)
    os.kill(peer.process.pid, signal.SIGCONT)

    assert [await soon(call) for call in calls] == [0, 1, 2]
    assert await soon(here.rpc_send("echo", 3, deadline=None)) == 3


async def test_who_calls_before_it_is_greeted_gets_its_answer(meet):
    """The greeting and the call come together, and the way back takes some turns of the loop more than the answer."""
    here, there = await meet(), await meet()
    await there.subscribe_rpc(lambda body: body, "echo")
    here._link._peers.pop(there._link.address).close()
    for _ in range(10):  # turns of the loop, in which each forgets the other
        await asyncio.sleep(0)
    assert await here._link._connect(there._link.address)

    assert await soon(here.rpc_send("echo", 1, deadline=None)) == 1


async def test_the_answer_to_one_that_is_gone_meanwhile_is_dropped(meet):
    here, there = await meet(), await meet()
    origin = Origin(there._link.address)
    here._link._peers.pop(origin.address).close()
    for _ in range(10):
        await asyncio.sleep(0)
    meeting = here._link._start_to_meet(origin.address)
    here._link.send(origin, b"", answers="")
    await there.close()

    await meeting
    await until(lambda: origin.address not in here._link._peers)
    here._link._send_late(origin, b"")


async def test_an_answer_for_which_there_is_no_room_is_dropped_and_said(meet, caplog):
    here, there = await meet(), await meet()
    peer = here._link._peers[there._link.address]
    peer.pause_writing()
    for _ in range(BUFFER // 900_000):
        peer.send(b"x" * 900_000, firm=True)

    here._link._send_late(Origin(there._link.address), b"x" * 900_000)

    assert "a reply was dropped" in caplog.text


async def test_a_connection_has_the_number_of_its_socket_as_long_as_there_is_one(meet):
    """By which a program that is forked gives it up."""
    here, there = await meet(), await meet()
    ends = [here._link._peers[there._link.address], *here._link._incoming]
    assert len({end.fileno() for end in ends}) == 2
    assert min(end.fileno() for end in ends) > 0

    await there.close()

    await until(lambda: not here._link._incoming)
    assert {end.fileno() for end in ends} == {-1}


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x7f\xff\xff\xff",
        frame(Kind.MESSAGE, encode_message(Rpc(id="1", recipient="echo"))),
        frame(Kind.HELLO, b"../../etc"),
        frame(Kind.HELLO, b"\xff"),
        frame(Kind.HELLO, b"0123456789abcdef") * 2,
        frame(Kind.HELLO, b"0123456789abcdef") + frame(Kind.MISSED, b"many"),
    ],
    ids=["another protocol", "oversized", "no greeting", "path", "no text", "two greetings", "no number"],
)
async def test_a_connection_that_sends_no_frames_is_cut_and_others_go_on(data, meet, folder, caplog):
    here = await meet()
    there = await meet()
    await here.subscribe_rpc(lambda body: body, "echo")

    reader, writer = await asyncio.open_unix_connection(folder / f"{here._link.address}.s")
    writer.write(data)

    assert await soon(read_to_end(reader)) == b""
    writer.close()
    assert "cut" in caplog.text
    assert await there.rpc_send("echo", 1) == 1


def come(stopped, waiting):
    for _ in range(10):
        waiting.enter_context(stopped.connect("0123456789abcdef"))


async def test_one_that_takes_nobody_in_any_more_holds_up_nobody(meet, folder, monkeypatch):
    """It is stopped for long, and as many have come as may wait: the kernel would have the next one wait, too."""
    monkeypatch.setattr(place, "_WAITING", 1)
    stopped = Place(folder)
    stopped.prepare()
    with stopped.listen("0123456789abcdef"), contextlib.ExitStack() as waiting:
        stopped.register("echo", "0123456789abcdef")
        with pytest.raises(BlockingIOError):
            come(stopped, waiting)

        here = await soon(meet())

        with pytest.raises(OverloadedError, match="stopped"):
            await here.rpc_send("echo", deadline=None)
        assert await here._link.knows("0123456789abcdef"), "what it holds is its own"
        with pytest.raises(DuplicateSubscriberError):
            await here.subscribe_rpc(lambda body: body, "echo")


async def read_to_end(reader):
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


async def test_nobody_can_pass_for_one_who_is_there(meet, folder):
    here, there = await meet(), await meet()
    await there.subscribe_rpc(lambda body: body, "echo")

    reader, writer = await asyncio.open_unix_connection(folder / f"{here._link.address}.s")
    writer.write(frame(Kind.HELLO, there._link.address.encode()))

    assert await soon(read_to_end(reader)) == b""
    writer.close()
    assert await here.rpc_send("echo", 1) == 1


async def test_a_message_that_cannot_be_read_is_dropped_and_the_next_one_comes(meet, caplog):
    here, there = await meet(), await meet()
    await there.subscribe_rpc(lambda body: body, "echo")

    here._link.send(Origin(there._link.address), b"\xc1 no MessagePack", answers="")

    assert await here.rpc_send("echo", 1) == 1
    assert "dropped" in caplog.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
async def test_the_connection_of_another_user_is_refused(meet, folder, caplog):
    here = await meet()
    path = folder / f"{here._link.address}.s"
    code = (
        "import os, socket, sys; os.setegid(65534); os.seteuid(65534); s = socket.socket(socket.AF_UNIX)\n"
        "try: s.connect(sys.argv[1]); s.settimeout(10); print('cut' if s.recv(1) == b'' else 'served')\n"
        "except PermissionError: print('kept out')\n"
        "except ConnectionError: print('cut')"
    )

    async def try_it():
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(path), stdout=subprocess.PIPE)
        out, _ = await soon(process.communicate())
        return out.decode().strip()

    assert await try_it() == "kept out"
    folder.chmod(0o755)
    path.chmod(0o777)
    assert await try_it() == "cut"
    assert "another user" in caplog.text
    folder.chmod(0o700)
