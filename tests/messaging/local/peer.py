"""Another interpreter with a communicator: `python -m tests.messaging.local.peer FOLDER`. It tells what it does by lines."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from drupe.messaging.local.communicator import LocalCommunicator
from drupe.storage.memory_queue import MemoryTaskQueue


def tell(line: str) -> None:
    print(line, flush=True)  # noqa: T201 (read by the test)


async def live(folder: Path) -> None:
    communicator = LocalCommunicator(folder, MemoryTaskQueue())
    await communicator.open()

    async def never(body):
        tell(f"took {body}")
        await asyncio.Event().wait()

    def heard(broadcast):
        if broadcast.missed:
            tell(f"missed {broadcast.missed}")
        if broadcast.subject == "last":
            tell("last")

    def fork(body):
        if child := os.fork():
            return child
        signal.pause()
        os._exit(0)

    await communicator.subscribe_rpc(fork, "fork")
    await communicator.subscribe_rpc(never, "never")
    await communicator.subscribe_rpc(lambda body: body, "echo")
    await communicator.subscribe_broadcast(heard)
    tell("ready")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1])))
