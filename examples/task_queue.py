"""Sharing out work: a task that is done, one that is put back first, one that fails, and what nobody took.

It prints:

    polished: lens (attempt 1)
    polished: mirror (attempt 2)
    prism: ValueError, it is chipped
    left in the queue: ['grating', 'window']
    left in the queue: ['window']
"""

import asyncio
import tempfile
from contextlib import chdir
from typing import Any

from drupe import open_communicator
from drupe.errors import RemoteError, TaskRejectedError
from drupe.interfaces.communicator import IncomingTask
from drupe.service import profile


async def polish(task: IncomingTask) -> str:
    """Do a task. What it returns is the reply, what it raises too; `TaskRejectedError` puts the task back."""
    if task.body == "mirror" and task.attempt == 1:
        raise TaskRejectedError("the machine is set up for lenses")
    if task.body == "prism":
        raise ValueError("it is chipped")
    return f"{task.body} (attempt {task.attempt})"


async def main() -> None:
    """Send tasks, and do them in another communicator, as another program would. They survive both."""
    settings = profile.load()
    async with open_communicator(settings) as sender, open_communicator(settings) as workshop:
        subscription = await workshop.subscribe_task(polish, queue="polish", prefetch=2)
        for piece in ("lens", "mirror"):
            receipt = await sender.task_send(piece, queue="polish")  # it is in the queue now
            print(f"polished: {await receipt.result()}")
        try:
            await (await sender.task_send("prism", queue="polish")).result()
        except RemoteError as error:
            print(f"prism: {error.kind}, {error.message}")
        await subscription.unsubscribe()

        for piece in ("grating", "window"):
            await sender.task_send(piece, queue="polish", no_reply=True)
        async with workshop.pull("polish") as tasks:
            left: dict[Any, IncomingTask] = {task.body: task async for task in tasks}
            print(f"left in the queue: {sorted(left)}")
            await left["grating"].accept()  # the others go back at the end of the block
        async with workshop.pull("polish") as tasks:
            print(f"left in the queue: {[task.body async for task in tasks]}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        asyncio.run(main())
