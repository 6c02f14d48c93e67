"""Calling by name: an answer, an error of the other side, and a name that nobody answers to.

It prints:

    21.5 K above room temperature
    ValueError: the probe 'b' is not connected
    nobody answers to 'barometer'
"""

import asyncio
import tempfile
from contextlib import chdir
from typing import Any

from drupe import open_communicator
from drupe.errors import RemoteError, UnroutableError
from drupe.service import profile

READINGS = {"a": 21.5}


async def read(probe: Any) -> float:
    """Answer; what it raises is raised over there, as a `RemoteError`."""
    if probe not in READINGS:
        raise ValueError(f"the probe {probe!r} is not connected")
    return READINGS[probe]


async def main() -> None:
    """Be both sides, each with a communicator of its own, as two programs would."""
    settings = profile.load()
    async with open_communicator(settings) as laboratory, open_communicator(settings) as office:
        await laboratory.subscribe_rpc(read, "thermometer")

        print(f"{await office.rpc_send('thermometer', 'a', deadline=5.0)} K above room temperature")
        try:
            await office.rpc_send("thermometer", "b")
        except RemoteError as error:
            print(error)  # its traceback over there is `error.traceback_text`
        try:
            await office.rpc_send("barometer")
        except UnroutableError as error:
            print(error)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        asyncio.run(main())
