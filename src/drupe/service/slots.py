"""How many processes a worker runs at a time: a slot for each that takes steps, none for one that only waits.

A slot keeps work from being taken on, nothing from going on: a process that has waited takes its next step also when
others have filled the slots meanwhile, and so do children, which run where their parents do.

Who wants a slot stands in line. When one may have got free it is looked once, for all that happened in a turn of the loop, and
given to whoever stands first; nobody else is woken, so a long line costs no more than a short one.
"""

import asyncio
from collections import deque
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

_Place = asyncio.Future[None]


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
        self._ahead: deque[_Place] = deque()
        """Places in line of those who go first, and below of all others; a place is done once it has a slot, or is left."""
        self._line: deque[_Place] = deque()
        self._watched: dict[str, asyncio.Future[None]] = {}
        """Processes, by pid, that somebody waits for to give up their slots."""
        self._look: asyncio.Handle | None = None
        """The look that is to come at the end of this turn of the loop."""
        self._later: asyncio.Handle | None = None
        """The one that is to come though nothing is told."""
        runner.add_listener(_Stir(self))

    def free(self) -> int:
        """Get how many are free; negative when more take steps than there are slots."""
        return self._count - self._reserved - len(self._runner.active())

    def crowded(self) -> bool:
        """Tell whether somebody who goes first has to wait."""
        return any(not place.done() for place in self._ahead)

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
        async with self.several(1, first=first):
            yield

    @asynccontextmanager
    async def several(self, wanted: int, *, first: bool = False) -> AsyncIterator[int]:
        """Have slots kept for as many processes as are wanted and slots are free, one at least; get how many. Else as `reserved`."""
        await self._stand_in(self._ahead if first else self._line)
        kept = 1 + max(0, min(wanted - 1, self.free()))
        self._reserved += kept - 1
        try:
            if self._runner.stopping:
                raise TaskRejectedError("nothing is taken on here any more")
            yield kept
        finally:
            self._reserved -= kept
            self.stir()

    async def _stand_in(self, line: deque[_Place]) -> None:
        """Stand in a line until a slot is reserved."""
        place = asyncio.get_running_loop().create_future()
        line.append(place)
        self.stir()
        try:
            async with asyncio.timeout(_PATIENCE):
                await place
        except BaseException as error:
            if not place.cancelled() and place.done():  # it was given in the moment in which nobody waited any more
                self._reserved -= 1
                self.stir()
            place.cancel()
            if isinstance(error, TimeoutError):
                raise TaskRejectedError("no slot is free here") from None
            raise

    async def given_up(self, process: Any) -> None:
        """Wait until a process takes no slot any more, at least for the moment."""
        while is_active(process):
            told = self._watched.get(process.pid)
            if told is None:
                told = self._watched[process.pid] = asyncio.get_running_loop().create_future()
            self._look_later()
            await asyncio.wait([told])  # not the future itself: another waiter's cancellation must not end it

    def stir(self) -> None:
        """Have it looked soon whether there is a slot for whoever stands first."""
        if self._look is None and (self._ahead or self._line):
            self._look = asyncio.get_running_loop().call_soon(self._admit)

    def told(self, pid: str) -> None:
        """Note that a process may have given up its slot."""
        self.stir()
        if (told := self._watched.pop(pid, None)) is not None:
            told.set_result(None)

    def _admit(self) -> None:
        """Give what is free to those who stand first."""
        self._look = None
        free = self.free()
        while (line := self._first()) is not None:
            if free < 1:
                self._look_later()
                break
            line.popleft().set_result(None)
            self._reserved += 1
            free -= 1

    def _first(self) -> deque[_Place] | None:
        """Get the line whose first is to have the next slot, if there is any; who has left is dropped."""
        for line in (self._ahead,) if self._preceded else (self._ahead, self._line):
            while line and line[0].done():
                line.popleft()
            if line:
                return line
        return None

    def _look_later(self) -> None:
        if self._later is None:
            self._later = asyncio.get_running_loop().call_later(_LOOKS, self._look_again)

    def _look_again(self) -> None:
        self._later = None
        self.stir()
        for pid in list(self._watched):
            self.told(pid)


class _Stir(ProcessListener):
    """Has a look taken when a process may have given up its slot."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    def on_process_waiting(self, process: Any) -> None:
        self._slots.told(process.pid)

    def on_process_paused(self, process: Any) -> None:
        self._slots.told(process.pid)

    def on_process_finished(self, process: Any, outputs: Any) -> None:
        self._slots.told(process.pid)

    def on_process_excepted(self, process: Any, reason: str) -> None:
        self._slots.told(process.pid)

    def on_process_killed(self, process: Any, msg: str | None) -> None:
        self._slots.told(process.pid)
