"""A worker: it takes tasks, runs what they ask for, and looks after what nobody runs any more.

Its communicator lives on a thread of its own, so that others reach it whatever a step does to the loop. It takes as many
tasks as it has free slots. Every few seconds it looks for processes of the store that live and that nobody holds: their
owner died, or was stopped. So a worker that is killed costs its processes a few seconds, and the step that ran.
"""

import asyncio
import logging
from collections.abc import Callable
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
    ) -> None:
        self._runner = runner
        runner.be_careful()
        runner.queue, runner.slots = queue, slots
        self._communicator = communicator
        self._registry = registry
        self._is_dead = is_dead
        self._count = slots
        self._slots = Slots(runner, slots)
        self._queue = queue
        self._sweep = sweep
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
            await asyncio.sleep(self._sweep)
        raise FencedError(f"worker {self._runner.owner} was declared dead by others, which run its processes now")

    async def sweep(self) -> list[str]:
        """Take up what lives, is not paused and is held by nobody, as far as there are slots; get the pids."""
        taken: list[str] = []
        query = Query(states=_LIVING, paused=False, limit=_PAGE)
        while True:
            page = await self._runner.store.list(query)
            free = [record for record in page.records if self._is_free(record)]
            taken += [record.pid for record in free if not self._runner.stopping and await self._take_up(record)]
            if page.next is None:
                return taken
            query = msgspec.structs.replace(query, after=page.next)

    def _is_free(self, record: Record) -> bool:
        if record.owner == self._runner.owner:
            return False
        return record.owner is None or self._is_dead(record.owner)

    async def _take_up(self, record: Record) -> bool:
        pid = record.pid
        try:
            self._registry.find(record.kind)
            async with self._slots.reserved():
                await self._runner.resume(pid)
        except (OwnedError, TaskRejectedError):
            return False
        except (UnknownClassError, CorruptedError, SnapshotError) as error:
            if self._left.get(pid) != str(error):
                self._left[pid] = str(error)
                _LOG.warning("process %s is left as it is: %s", pid, error)
            return False
        self._left.pop(pid, None)
        return True
