"""One connection: what happens at its end."""

import asyncio
import socket

from drupe.messaging.local.connection import Outgoing
from drupe.messaging.local.wire import FrameReader
from drupe.testing.host_case import until


class Ends:
    def __init__(self):
        self.ended_with = []

    def met(self, address):
        raise AssertionError

    def ended(self, connection):
        self.ended_with.append(connection)


async def test_much_for_one_that_is_gone_is_dropped_in_silence(caplog):
    """One turn of the loop may have many frames for it before the end of the connection is told."""
    here, there = socket.socketpair()
    ends = Ends()
    _, outgoing = await asyncio.get_running_loop().create_connection(lambda: Outgoing("peer", ends), sock=here)
    there.close()
    for _ in range(50):
        outgoing.send(b"message", firm=True)
    await until(lambda: ends.ended_with)
    assert (ends.ended_with, outgoing.is_open) == ([outgoing], False)
    assert caplog.messages == []


class Line(asyncio.Transport):
    """Takes what is written, call by call."""

    def __init__(self):
        super().__init__()
        self.calls = []
        self.aborted_after = None

    def write(self, data):
        self.calls.append(bytes(data))

    def is_closing(self):
        return self.aborted_after is not None

    def abort(self):
        self.aborted_after = len(self.calls)

    def set_write_buffer_limits(self, high=None, low=None):
        pass

    def messages(self):
        return [content for _, content in FrameReader().feed(b"".join(self.calls))]


def outgoing_on(line):
    outgoing = Outgoing("peer", Ends())
    outgoing.connection_made(line)
    return outgoing


async def test_the_first_message_of_a_turn_goes_at_once_and_the_others_together():
    line, messages = Line(), [b"%d" % number for number in range(100)]
    outgoing = outgoing_on(line)
    for message in messages:
        outgoing.send(message, firm=True)
    assert line.messages() == messages[:1]
    await asyncio.sleep(0)
    assert (line.messages(), len(line.calls)) == (messages, 2)
    outgoing.send(b"later", firm=True)
    assert line.messages()[-1] == b"later"
    await asyncio.sleep(0)
    assert len(line.calls) == 3


async def test_much_in_one_turn_is_handed_over_before_its_end():
    line, messages = Line(), [bytes([number]) * 20_000 for number in range(20)]
    outgoing = outgoing_on(line)
    for message in messages:
        outgoing.send(message, firm=True)
    assert len(line.messages()) > 15
    await asyncio.sleep(0)
    assert line.messages() == messages


async def test_what_was_sent_before_it_is_closed_is_handed_over():
    line, messages = Line(), [b"one", b"two", b"three"]
    outgoing = outgoing_on(line)
    for message in messages:
        outgoing.send(message, firm=True)
    outgoing.close()
    assert (line.messages(), line.aborted_after) == (messages, 2)
    await asyncio.sleep(0)
    assert len(line.calls) == 2
