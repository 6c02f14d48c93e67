"""How many processes a worker runs at a time: a slot for each that takes steps, none for one that only waits.

A slot keeps work from being taken on, nothing from going on: a process that has waited takes its next step also when
others have filled the slots meanwhile, and so do children, which run where their parents do.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

from drupe.engine.listener import ProcessListener
from drupe.engine.progress import is_active
from drupe.errors import TaskRejectedError
from drupe.service.runner import Runner

_LOOKS: Final = 0.1
"""Seconds after which is looked again: that a step begins to wait for a child is told by nobody."""
_PATIENCE: Final = 1.0
"""Seconds that somebody waits for a slot before others shall have the work."""


class Slots:
    """The slots of one runner.

    Args:
        runner: runs the processes.
        count: how many there are.
    """

    def __init__(self, runner: Runner, count: int) -> None:
        self._runner = runner
        self._count = count
        self._reserved = 0
        self._preceded = 0
        """Whether somebody goes first; so many times."""
        self._stirred: asyncio.Future[None] | None = None
        runner.add_listener(_Stir(self))

    def free(self) -> int:
        """Get how many are free; negative when more take steps than there are slots."""
        return self._count - self._reserved - len(self._runner.active())

    @contextmanager
    def precedence(self) -> Iterator[None]:
        """Keep the slots, for the time of the block, for what somebody has left behind: it was begun before all else."""
        self._preceded += 1
        try:
            yield
        finally:
            self._preceded -= 1
            self.stir()

    @asynccontextmanager
    async def reserved(self, *, first: bool = False) -> AsyncIterator[None]:
        """Have a slot kept, for the time of the block, for a process that is to be run.

        Args:
            first: it is taken up within `precedence`.

        Raises:
            TaskRejectedError: none got free soon, or the runner takes nothing on any more.
        """
        try:
            async with asyncio.timeout(_PATIENCE):
                while self.free() < 1 or (self._preceded and not first):
                    await self._stir()
        except TimeoutError:
            raise TaskRejectedError("no slot is free here") from None
        if self._runner.stopping:
            raise TaskRejectedError("nothing is taken on here any more")
        self._reserved += 1
        try:
            yield
        finally:
            self._reserved -= 1
            self.stir()

    async def given_up(self, process: Any) -> None:
        """Wait until a process takes no slot any more, at least for the moment."""
        while is_active(process):
            await self._stir()

    def stir(self) -> None:
        """Have everybody who waits here look again."""
        if self._stirred is not None and not self._stirred.done():
            self._stirred.set_result(None)

    async def _stir(self) -> None:
        if self._stirred is None or self._stirred.done():
            self._stirred = asyncio.get_running_loop().create_future()
        await asyncio.wait([self._stirred], timeout=_LOOKS)


class _Stir(ProcessListener):
    """Has a look taken when a process may have given up its slot."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    def on_process_waiting(self, process: Any) -> None:
        self._slots.stir()

    def on_process_paused(self, process: Any) -> None:
        self._slots.stir()

    def on_process_finished(self, process: Any, outputs: Any) -> None:
        self._slots.stir()

    def on_process_excepted(self, process: Any, reason: str) -> None:
        self._slots.stir()

    def on_process_killed(self, process: Any, msg: str | None) -> None:
        self._slots.stir()
