"""One subscriber to a queue of tasks: takes as many as it has room for, and has its callback do them."""

import asyncio
import inspect
import logging
from typing import Any, Final

from drupe.interfaces.communicator import TaskCallback
from drupe.messaging.held_task import HeldTask, Surroundings
from drupe.messaging.source import Source

POLL: Final = 1.0
"""Seconds after which a queue is looked at though nobody said that something came: hints may be lost."""

_LOG: Final = logging.getLogger("drupe.messaging")


class Consumer:
    """Takes tasks and gives them to a callback.

    Args:
        callback: does them.
        source: where they come from.
        prefetch: how many at a time, at most.
        surroundings: the participant.
        awake: set when there may be something to take.
    """

    def __init__(
        self,
        callback: TaskCallback,
        source: Source,
        *,
        prefetch: int,
        surroundings: Surroundings,
        awake: asyncio.Event,
    ) -> None:
        self.queue = source.queue
        self._callback = callback
        self._source = source
        self._prefetch = prefetch
        self._surroundings = surroundings
        self._awake = awake
        self._ended = False
        self._running: set[asyncio.Task[None]] = set()
        self._taking = asyncio.get_running_loop().create_task(self._take_all())

    def wake(self) -> None:
        """Look at the queue."""
        self._awake.set()

    async def end(self) -> None:
        """Take nothing more; what was taken is done."""
        self._ended = True
        self.wake()
        # Never cancelled while it takes: a task that was just taken would be held by nobody who knows of it.
        await asyncio.wait([self._taking])
        await self._source.end()

    def running(self) -> "list[asyncio.Task[None]]":
        """Get the tasks that are being done."""
        return list(self._running)

    async def _take_all(self) -> None:
        while not self._ended:
            self._awake.clear()
            if not await self._take_some():
                await self._sleep()

    async def _take_some(self) -> bool:
        """Take what there is room for; False when there was nothing, or no room."""
        free = self._prefetch - len(self._running)
        if free < 1:
            return False
        try:
            taken = await self._source.take(free)
        except Exception:  # noqa: BLE001 (logged; it is tried again)
            _LOG.exception("queue %r could not be read; it is tried again", self.queue)
            return False
        held = [HeldTask(one, self._surroundings) for one in taken]
        for task in held:
            if self._ended:
                await task.put_back()
            else:
                self._start(task)
        return bool(taken)

    async def _sleep(self) -> None:
        try:
            async with asyncio.timeout(POLL):
                await self._awake.wait()
        except TimeoutError:
            pass

    def _start(self, held: HeldTask) -> None:
        task = asyncio.get_running_loop().create_task(self._do(held))
        self._running.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self.wake()

    async def _do(self, held: HeldTask) -> None:
        try:
            if not await held.admitted():
                _LOG.warning("a task of queue %r was refused: its sender may not have it done", self.queue)
                return
            async with held:
                result: Any = self._callback(held)
                if inspect.isawaitable(result):
                    result = await result
                if not held.is_ended:
                    await held.reply(result)
        except Exception:  # noqa: BLE001 (its sender was told, or it is logged)
            if not held.told:  # nobody waits for it
                _LOG.exception("a task of queue %r failed", self.queue)
