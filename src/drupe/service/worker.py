"""A worker: it takes tasks, runs what they ask for, and looks after what nobody runs any more.

Its communicator lives on a thread of its own, so that others reach it whatever a step does to the loop. It takes as many
tasks as it has free slots. Every few seconds, and at once when an owner on its machine dies, it looks for processes of the
store that live and that nobody holds. So a worker that is killed costs its processes a moment, and the step that ran.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from drupe.core.lifecycle import TERMINAL, State
from drupe.core.record import Query, Record
from drupe.errors import (
    CorruptedError,
    FencedError,
    OwnedError,
    SnapshotError,
    StoreError,
    TaskRejectedError,
    UnknownClassError,
)
from drupe.interfaces.communicator import DEFAULT_QUEUE, Communicator
from drupe.interfaces.registry import Registry
from drupe.runtime.clock import tick
from drupe.service.deaths import Deaths
from drupe.service.launcher import Launcher
from drupe.service.runner import Runner
from drupe.service.slots import Slots

_LOG: Final = logging.getLogger("drupe.service")

SLOTS: Final = 10
"""So many processes take steps at a time, unless said otherwise."""
GRACE: Final = 30.0
"""Seconds that steps have to end, once the worker is to stop."""
SWEEP: Final = 2.0
"""Seconds between two looks for processes that nobody holds."""
_LIVING: Final = tuple(state for state in State if state not in TERMINAL)
_PAGE: Final = 500


class Worker:
    """Runs what others ask for, in one runner.

    Args:
        runner: runs processes; open, and in touch with others.
        communicator: brings tasks; open.
        registry: the classes that may be run.
        is_dead: tells whether an owner is known to be dead.
        slots: how many processes take steps at a time.
        queue: which queue of tasks.
        sweep: seconds between two looks for processes that nobody holds.
        deaths: has it look at once when somebody has died; None leaves it to looking.
    """

    def __init__(  # noqa: PLR0913 (each is said once, where it is put together)
        self,
        runner: Runner,
        communicator: Communicator,
        registry: Registry,
        *,
        is_dead: Callable[[str], bool],
        slots: int = SLOTS,
        queue: str = DEFAULT_QUEUE,
        sweep: float = SWEEP,
        deaths: Deaths | None = None,
    ) -> None:
        self._runner = runner
        self._communicator = communicator
        self._registry = registry
        self._is_dead = is_dead
        self._count = slots
        self._slots = Slots(runner, slots)
        self._queue = queue
        self._sweep = sweep
        self._deaths = deaths
        self._again = False
        """Whether there is more to take up: no slot was free, or somebody's lease had run out who may have held more."""
        self._missing: dict[tuple[str, int], float] = {}
        """Processes, with their epochs, that the store says are held here and that are not at hand, and since when."""
        self.runner = runner
        """What runs processes."""
        self._left: dict[str, str] = {}
        """Processes that cannot be run here, and why: each is told of once."""

    async def work(self, stop: asyncio.Event, *, grace: float = GRACE) -> list[Any]:
        """Work until ``stop`` is set, then let running steps end.

        Returns:
            The processes whose step did not end within ``grace`` seconds; whoever runs them next takes it again.

        Raises:
            FencedError: the worker was declared dead by others, and nothing is its own any more.
        """
        launcher = Launcher(self._runner, self._registry, self._slots)
        subscription = await self._communicator.subscribe_task(launcher, queue=self._queue, prefetch=self._count)
        loop = asyncio.get_running_loop()
        sweeping, stopping = loop.create_task(self._sweep_again_and_again()), loop.create_task(stop.wait())
        try:
            await asyncio.wait([sweeping, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set():
                await sweeping
        finally:
            sweeping.cancel()
            stopping.cancel()
            await asyncio.gather(sweeping, stopping, return_exceptions=True)
        await subscription.unsubscribe()
        self._runner.stop()
        try:
            async with asyncio.timeout(grace):
                await self._runner.drained()
        except TimeoutError:
            return self._runner.running()
        return []

    # --- what nobody holds -----------------------------------------------------------------------------------

    async def _sweep_again_and_again(self) -> None:
        while not self._runner.stopping:
            try:
                await self.sweep()
            except StoreError as error:
                _LOG.warning("the store could not be looked through: %s", error)
            await (asyncio.sleep(0) if self._again else self._pause())
        raise FencedError(f"worker {self._runner.owner} was declared dead by others, which run its processes now")

    async def _pause(self) -> None:
        if self._deaths is None:
            await asyncio.sleep(self._sweep)
        else:
            await self._deaths.next(timeout=self._sweep)

    async def sweep(self) -> list[str]:
        """Take up what lives, is not paused and is held by nobody, as far as there are slots; get the pids."""
        taken: list[str] = []
        self._again = False
        self._missing = {key: since for key, since in self._missing.items() if self._is_missing(key[0])}
        free, doubtful = await self._look_through()
        if free:
            with self._slots.precedence():
                oldest = reversed(free)  # first, so that none waits for ever
                taken += [record.pid for record in oldest if not self._is_over() and await self._take_up(record)]
        for record in doubtful:
            if not self._is_over() and self._slots.free() > 0 and await self._take_up(record):
                taken.append(record.pid)
                self._again = True
        return taken

    async def _look_through(self) -> tuple[list[Record], Iterable[Record]]:
        """Get what nobody holds; and of each owner who seems to live one process, by which a lease that ran out is found."""
        free: list[Record] = []
        doubtful: dict[str, Record] = {}
        query = Query(states=_LIVING, paused=False, limit=_PAGE)
        while True:
            page = await self._runner.store.list(query)
            for record in page.records:
                if self._is_free(record):
                    free.append(record)
                elif record.owner not in (None, self._runner.owner) and self._is_missing(record.pid):
                    doubtful[str(record.owner)] = record
            if page.next is None:
                return free, doubtful.values()
            query = msgspec.structs.replace(query, after=page.next)

    def _is_over(self) -> bool:
        return self._again or self._runner.stopping

    def _is_free(self, record: Record) -> bool:
        if record.owner == self._runner.owner:
            return self._is_forsaken(record)
        return record.owner is None or self._is_dead(record.owner)

    def _is_forsaken(self, record: Record) -> bool:
        """Whether it was given up here because the store failed, or its claim was committed and the answer lost.

        Nobody else may take it. One that was born a moment ago looks the same, but not for long.
        """
        if not self._is_missing(record.pid):
            return False
        now = tick()
        return now - self._missing.setdefault((record.pid, record.epoch), now) >= self._sweep

    def _is_missing(self, pid: str) -> bool:
        return not self._runner.progress(pid).here

    async def _take_up(self, record: Record) -> bool:
        pid = record.pid
        try:
            self._registry.find(record.kind)
            async with self._slots.reserved(first=True):
                await self._runner.resume(pid)
        except OwnedError:
            return False
        except TaskRejectedError:
            self._again = True
            return False
        except (UnknownClassError, CorruptedError, SnapshotError) as error:
            if self._left.get(pid) != str(error):
                self._left[pid] = str(error)
                _LOG.warning("process %s is left as it is: %s", pid, error)
            return False
        self._left.pop(pid, None)
        return True
