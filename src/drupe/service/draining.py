"""Letting what runs come to an end: no step is begun any more, and those that run are waited for."""

import asyncio
from typing import Any, Final

from drupe.core.control import Posture
from drupe.service.stored import StoredHost

_LOOKS: Final = 0.1
_SETTLES: Final = 0.05


class Draining:
    """Lets the processes of one host stop where they stand.

    Args:
        host: who holds them.
    """

    def __init__(self, host: StoredHost) -> None:
        self._host = host

    def begin(self) -> None:
        """Have no new step started."""
        self._host.stopping = True
        for process in self._host.live.values():
            process._life.halted = True
            process._life.nudge()

    def running(self) -> list[Any]:
        """Get the processes whose step is running now (not those that wait, nor those whose step waits for a child)."""
        return [
            process
            for process in self._host.live.values()
            if process._life.driver is not None
            and process._life.posture in (Posture.BUSY, Posture.PAUSING, Posture.KILLING)
            and not process._life.waiting_for_child
        ]

    def tasks(self) -> list[asyncio.Task[Any]]:
        """Get the tasks that processes are run by."""
        return [process._life.task for process in self._host.live.values() if process._life.task is not None]

    async def ended(self) -> None:
        """Wait until nothing runs any more: everything ended, or, once it has begun, no step is running."""
        still = False
        while tasks := self.tasks():
            was_still, still = still, self._host.stopping and not self.running()
            if still and was_still:
                # What is left waits inside a step for a child that takes no more steps: that step is taken again.
                await cancelled(tasks)
            elif still:  # a step whose child has just ended is about to go on
                await asyncio.wait(tasks, timeout=_SETTLES)
            else:
                pause = _LOOKS if self._host.stopping else None
                await asyncio.wait(tasks, timeout=pause, return_when=asyncio.FIRST_COMPLETED)


async def cancelled(tasks: list[asyncio.Task[Any]], *, within: float | None = None) -> bool:
    """Cancel tasks and wait for their end, or for so many seconds; whether some are left."""
    for task in tasks:
        task.cancel()
    return bool((await asyncio.wait(tasks, timeout=within))[1])
