"""A worker: it takes tasks, runs what they ask for, and looks after what nobody runs any more.

Its communicator lives on a thread of its own, so that others reach it whatever a step does to the loop. It takes as many
tasks as it has free slots. Every few seconds it looks for processes of the store that could go on and that nobody holds: their
owner died, or was stopped, or they were parked and something has happened that they waited for; and at once when an owner on
its machine dies. So a worker that is killed costs its processes a moment, and the step that ran. What waits is parked: it
takes no memory here.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from drupe.core.record import Record, is_queued
from drupe.engine.listener import ProcessListener
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
from drupe.service.alarm import Alarm
from drupe.service.deaths import Deaths
from drupe.service.launcher import Launcher
from drupe.service.parking import AFTER as PARKING
from drupe.service.runner import Runner
from drupe.service.slots import Slots
from drupe.service.summons import Summons

_LOG: Final = logging.getLogger("drupe.service")

SLOTS: Final = 10
"""So many processes take steps at a time, unless said otherwise."""
GRACE: Final = 30.0
"""Seconds that steps have to end, once the worker is to stop."""
SWEEP: Final = 2.0
"""Seconds between two looks for processes that nobody holds."""
_PAGE: Final = 100


class Worker:
    """Runs what others ask for, in one runner.

    Args:
        runner: runs processes; open, and in touch with others.
        communicator: brings tasks; open.
        registry: the classes that may be run.
        dead: gets the owners that are known to be dead.
        slots: how many processes take steps at a time.
        queue: which queue of tasks; what nobody holds is taken up if it is of this queue, or of none.
        sweep: seconds between two looks for processes that nobody holds.
        park: seconds that a process waits, or is paused, before it is given back to the store.
        deaths: has it look at once when somebody has died; None leaves it to looking.
    """

    def __init__(  # noqa: PLR0913 (each is said once, where it is put together)
        self,
        runner: Runner,
        communicator: Communicator,
        registry: Registry,
        *,
        dead: Callable[[], Iterable[str]],
        slots: int = SLOTS,
        queue: str = DEFAULT_QUEUE,
        sweep: float = SWEEP,
        park: float = PARKING,
        deaths: Deaths | None = None,
    ) -> None:
        self._runner = runner
        runner.be_careful()
        runner.serve(queue)
        runner.account.slots = slots
        self._communicator = communicator
        self._registry = registry
        self._dead = dead
        self._count = slots
        self._slots = Slots(runner, slots)
        self._queue = queue
        self._sweep = sweep
        self._pause = park / 2
        self._parking = runner.parking(after=park, timed=self.look_for_times)
        self.runner = runner
        """What runs processes."""
        self._stirred = asyncio.Event()
        self._alarm = Alarm(runner.store, interval=sweep, queue=queue)
        runner.add_listener(_Ends(self._stir_for))
        self._summons = Summons(communicator, runner.owner)
        self._deaths = deaths
        self._cut_short = False
        """Whether something was left because no slot was free."""
        self._looks_at = 0.0
        self._missing: set[tuple[str, int]] = set()
        """Processes, with their epochs, that the store says are held here and that were not at hand at the last look."""
        self._passed: set[tuple[str, int]] = set()
        """Processes, with their epochs, that were not to be had together with others: somebody else has them, or they are damaged."""
        self._found: set[tuple[str, int]] = set()
        """Processes, with their epochs, that could go on at the last look: others were told if they were left."""
        self._new: set[tuple[str, int]] = set()
        """Those of them that could not at the look before."""
        self._left: dict[str, str] = {}
        """Processes that cannot be run here, and why: each is told of once."""

    async def work(
        self, stop: asyncio.Event, *, grace: float = GRACE, ready: Callable[[], object] = lambda: None
    ) -> list[Any]:
        """Work until ``stop`` is set, then let running steps end.

        Args:
            stop: says when.
            grace: seconds that they have.
            ready: called once tasks are taken.

        Returns:
            The processes whose step did not end within ``grace`` seconds; whoever runs them next takes it again.

        Raises:
            FencedError: nothing is the worker's own any more: others declared it dead, or its lease could not be renewed.
        """
        try:
            return await self._work(stop, grace, ready)
        finally:
            if self._stirred.is_set():  # nobody looks here any more
                self._summons.send()
            await self._summons.close()

    async def _work(self, stop: asyncio.Event, grace: float, ready: Callable[[], object]) -> list[Any]:
        launcher = Launcher(self._runner, self._registry, self._slots, more=self.stir)
        subscription = await self._communicator.subscribe_task(launcher, queue=self._queue, prefetch=self._count)
        hearing = await self._summons.heed(self._communicator, self.stir)
        ready()
        loop = asyncio.get_running_loop()
        sweeping, stopping = loop.create_task(self._sweep_again_and_again()), loop.create_task(stop.wait())
        losing = loop.create_task(self._runner.lost())
        beside = [loop.create_task(work()) for work in (self._park_again_and_again, self._hear_of_deaths)]
        try:
            await asyncio.wait([sweeping, stopping, losing], return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set() and sweeping.done():
                await sweeping
            if not stop.is_set() and self._runner.fenced is not None:
                raise FencedError(f"worker {self._runner.owner} has given up what it ran: {self._runner.fenced}")
        finally:
            tasks = (sweeping, stopping, losing, *beside)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await subscription.unsubscribe()
        await hearing.unsubscribe()
        self._runner.stop()
        try:
            async with asyncio.timeout(grace):
                await self._runner.drained()
        except TimeoutError:
            return self._runner.running()
        return []

    def stir(self) -> None:
        """Have it look soon for what nobody holds. A hint: it looks by itself once in a while."""
        self._stirred.set()

    def look_for_times(self) -> None:
        """Have it look soon, also for when the time of what is parked comes: something was parked for a time. A hint, too."""
        self._alarm.forget()
        self.stir()

    def _stir_for(self, parent: str) -> None:
        if not self._runner.progress(parent).here:
            self.stir()
            if self._runner.stopping or self._slots.crowded():  # a look would come late, or never
                self._summons.send()

    # --- what nobody holds -----------------------------------------------------------------------------------

    async def _sweep_again_and_again(self) -> None:
        while not self._runner.stopping:
            self._stirred.clear()
            try:
                await self._alarm.set()
                while await self.sweep() or self._cut_short or self._passed:  # noqa: ASYNC110 (it has waited for a slot)
                    await asyncio.sleep(0)
            except StoreError as error:
                _LOG.warning("the store could not be looked through: %s", error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._alarm.left()):
                    await self._stirred.wait()

    async def sweep(self) -> list[str]:
        """Take up what could go on and is held by nobody, as far as there are slots; get the pids."""
        # What cannot be run here stays where it is, and must not hide what can.
        limit = max(_PAGE, 2 * self._count) + len(self._left)
        found = await self._runner.store.free(queue=self._queue, dead=self._dead(), limit=limit)
        found += await self._forsaken()
        self._cut_short = False
        before, self._found = self._found, set(map(_claim, found))
        if not found:
            self._passed.clear()
            return []
        self._new = self._found - before
        begun = sum(not is_queued(record) for record in found)
        if self._new and begun > self._slots.free():
            self._summons.send()
        with self._slots.precedence():
            return await self._take_up_all(found)

    async def _take_up_all(self, found: Sequence[Record]) -> list[str]:
        suspects, troubled = list[Record](), list[Record]()
        others, queued = list[Record](), list[Record]()
        for record in found:
            if self._runner.is_suspect(record):
                suspects.append(record)
            elif record.pid in self._left or _claim(record) in self._passed:
                troubled.append(record)
            else:
                (queued if is_queued(record) else others).append(record)
        self._passed.clear()
        pids, alone = await self._take_up_many(others)
        alone += troubled
        pids += await self._take_up_each(alone)
        # Those of which many died one after the other: see `suspicion`.
        pids += [record.pid for record in suspects if not self._cut_short and await self._take_up(record)]
        return pids + await self._take_out_of_queue(queued)

    async def _take_out_of_queue(self, queued: Sequence[Record]) -> list[str]:
        """Take what was handed in and whose task has not come, as far as slots are free: nobody waits for one because of it."""
        free = 0 if self._cut_short else max(0, self._slots.free())
        pids, alone = await self._take_up_many(queued[:free])
        return pids + await self._take_up_each(alone)

    async def _take_up_each(self, records: Sequence[Record]) -> list[str]:
        taken = await asyncio.gather(*map(self._take_up, records))
        return [record.pid for record, was_taken in zip(records, taken, strict=True) if was_taken]

    async def _take_up_many(self, records: Sequence[Record]) -> tuple[list[str], list[Record]]:
        """Take up what can be had as it is, as many at a time as there are slots; get the pids, and what is to be done alone."""
        waiting = deque(records)
        pids: list[str] = []
        alone: list[Record] = []
        try:
            while waiting:
                async with self._slots.several(len(waiting), first=True) as number:
                    some = [waiting.popleft() for _ in range(number)]
                    resumed = await self._runner.take_over_many(some)
                    for process in resumed.processes:
                        self._runner.start(process)  # what is below it is found by itself
                pids += [process.pid for process in resumed.processes]
                alone += resumed.alone
                self._passed.update(map(_claim, resumed.missed))
        except TaskRejectedError:
            self._cut_short = True
        return pids, alone

    async def _forsaken(self) -> list[Record]:
        """Get what was given up here because the store failed, or whose claim was committed and the answer lost.

        Nobody else may take it. What was born a moment ago looks the same, but not for long.
        """
        store, now = self._runner.store, tick()
        if now < self._looks_at:  # a sweep may come often, this costs a row for each process that is held
            return []
        self._looks_at = now + self._sweep
        held = await store.held(self._runner.owner)
        before = self._missing
        self._missing = {(pid, epoch) for pid, epoch in held.items() if not self._runner.progress(pid).here}
        return [await store.record(pid) for pid, _ in sorted(before & self._missing)]

    async def _take_up(self, record: Record) -> bool:
        pid = record.pid
        if self._runner.stopping:
            return False
        try:
            if record.paused:  # whoever asked for something has not carried it out
                return (await self._runner.carry_out(pid)).seq != record.seq
            self._registry.find(record.kind)
            async with self._slots.reserved(first=True):
                self._runner.start(await self._runner.take_over(pid))  # what is below it is found by itself
        except OwnedError:
            return False
        except TaskRejectedError:
            self._cut_short = True
            return False
        except (UnknownClassError, CorruptedError, SnapshotError) as error:
            if _claim(record) in self._new:  # others may be able to
                self._summons.send()
            if self._left.get(pid) != str(error):
                self._left[pid] = str(error)
                _LOG.warning("process %s is left as it is: %s", pid, error)
            return False
        self._left.pop(pid, None)
        return True

    async def _hear_of_deaths(self) -> None:
        while self._deaths is not None and not self._runner.stopping:
            if await self._deaths.next(timeout=self._sweep):
                self.look_for_times()  # whoever died knew of some, perhaps alone
            try:
                await self._deaths.clear(self._runner.store)
            except (StoreError, OSError) as error:
                _LOG.warning("those who died could not be forgotten: %s", error)

    async def _park_again_and_again(self) -> None:
        while not self._runner.stopping:
            await asyncio.sleep(self._pause)
            try:
                await self._parking.look()
            except StoreError as error:
                _LOG.warning("what waits could not be parked: %s", error)


def _claim(record: Record) -> tuple[str, int]:
    return record.pid, record.epoch


class _Ends(ProcessListener):
    """Has the worker look when a process ended: its parent may have waited for that, and be held by nobody."""

    def __init__(self, stir: Callable[[str], None]) -> None:
        self._stir = stir

    def on_process_finished(self, process: Any, outputs: Any) -> None:
        self._tell(process)

    def on_process_excepted(self, process: Any, reason: str) -> None:
        self._tell(process)

    def on_process_killed(self, process: Any, msg: str | None) -> None:
        self._tell(process)

    def _tell(self, process: Any) -> None:
        if process.parent is not None:
            self._stir(process.parent)
