"""Who asks for something all the time, and notes how long it took: no call may last longer than its deadline."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

from chaos.errand import Errand
from chaos.evidence import Journal
from drupe.core.order import Receipt
from drupe.errors import DrupeError
from drupe.service.controller import Controller

DEADLINES = (0.5, 1.0, 2.0, 5.0)
PAUSE = 0.05
"""Seconds between two calls of one caller."""
OPENLY = 5.0
"""Seconds of a call that is repeated until it is heard."""


class Callers:
    """A few who launch, pause, play and look at processes.

    Args:
        controller: what they call.
        folder: of the run; their calls are noted there.
        journal: what they have launched.
        chance: what they ask for, and of whom.
        step: seconds that a step of what they launch takes.
    """

    def __init__(self, controller: Controller, folder: Path, journal: Journal, chance: Random, step: float) -> None:
        self._controller = controller
        self._journal = journal
        self._chance = chance
        self._step = step
        self._calls = (folder / "calls.jsonl").open("w")
        self.launched: list[str] = []
        """Whom they have launched, and somebody took."""

    async def call(self, name: str, number: int, stop: asyncio.Event) -> None:
        """Be one caller, until there is nothing more to be asked.

        Args:
            name: of the caller.
            number: how many processes it launches before it only asks for the rest.
            stop: set when that is so.
        """
        while not stop.is_set():
            if len(self.launched) < number or not self.launched:
                await self._launch(f"{name}-{len(self.launched):05}")
            pid = self._chance.choice(self.launched)
            if await self._status(pid) is not None:  # else no worker has begun it yet
                await self._pause_and_play(pid)
            await asyncio.sleep(PAUSE)

    def close(self) -> None:
        """Note no more."""
        self._calls.close()

    async def _launch(self, pid: str) -> None:
        """Launch one; who was told that it may not have worked asks again, which is asking once."""

        async def launch(deadline: float) -> Any:
            return await self._controller.launch(Errand, {"pause": self._step}, pid=pid, deadline=deadline)

        while await self._timed("launch", self._chance.choice(DEADLINES), launch) is None:
            await asyncio.sleep(PAUSE)
        self._journal.note("submitted", pid)
        self.launched.append(pid)

    async def _status(self, pid: str) -> Any:
        return await self._timed(
            "status", self._chance.choice(DEADLINES), lambda deadline: self._controller.status(pid, deadline=deadline)
        )

    async def _pause_and_play(self, pid: str) -> None:
        deadline = self._chance.choice(DEADLINES)
        handle = await self._timed(
            "pause", deadline, lambda deadline: self._controller.pause(pid, "chaos", deadline=deadline)
        )
        if handle is not None:
            await self._timed("pause, answered", deadline, lambda deadline: handle.settled(deadline=deadline))
        while not await self._played(pid):
            await asyncio.sleep(PAUSE)

    async def _played(self, pid: str) -> bool:
        """Have it play again, or learn that it has ended; it must not stay paused because nobody could be asked."""
        handle = await self._timed("play", OPENLY, lambda deadline: self._controller.play(pid, deadline=deadline))
        if handle is None:
            return False
        answer = await self._timed("play, answered", OPENLY, lambda deadline: handle.settled(deadline=deadline))
        return isinstance(answer, Receipt)

    async def _timed(self, verb: str, deadline: float, call: Callable[[float], Awaitable[Any]]) -> Any:
        """Call, and note how long it took and what came; get what it returns, None if it failed."""
        began, failure = time.monotonic(), None
        try:
            return await call(deadline)
        except DrupeError as error:
            failure = type(error).__name__
        except Exception as error:  # noqa: BLE001 (that is what is looked for)
            failure = f"untyped {error!r}"
        finally:
            self._calls.write(json.dumps([verb, deadline, time.monotonic() - began, failure]) + "\n")
            self._calls.flush()
        return None
