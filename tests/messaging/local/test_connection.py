"""One connection: what happens at its end."""

import asyncio
import socket

from drupe.messaging.local.connection import Outgoing
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
