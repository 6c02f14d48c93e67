"""What `drupe worker` does all day: it joins, works, and joins anew when it was cut off, until it is told to stop.

A store or a broker that is away when a worker begins may come up a moment later, as things do that are started together; one
that goes away later may come back. Neither is a reason to end, and it is said each time that it is tried again.
"""

import asyncio
import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from drupe.cli.exit_code import ExitCode
from drupe.cli.heart import Ear, Heart
from drupe.cli.interrupt import listening
from drupe.cli.log import logged
from drupe.cli.pid import name, short
from drupe.cli.progress import Lines
from drupe.cli.session import Session
from drupe.errors import (
    BrokerUnavailableError,
    CommunicatorClosedError,
    DeadlineError,
    DrupeError,
    FencedError,
    PeerLostError,
    StoreUnavailableError,
)
from drupe.runtime.clock import tick
from drupe.runtime.pauses import pauses
from drupe.service.farewell import Farewell
from drupe.service.wiring import open_worker

if TYPE_CHECKING:
    from drupe.service.runner import Runner

_AWAY: Final = (StoreUnavailableError, BrokerUnavailableError, CommunicatorClosedError, DeadlineError, PeerLostError)
_PAUSES: Final = 0.5, 30.0
"""Seconds before it is tried again: the first time, and at most."""


class Working:
    """A worker, from its first try to join until it was told to stop.

    Args:
        session: whose settings hold, and who hears of it.
        slots: how many processes take steps at a time.
        queue: which queue of tasks.
        grace: seconds that running steps have, once it is to stop.
        give_up: seconds that a store or a broker which is away is waited for; None: as long as it takes.
        ear: who is told how it is.
    """

    def __init__(
        self, session: Session, *, slots: int, queue: str, grace: float, give_up: float | None, ear: Ear
    ) -> None:
        self._session = session
        self._slots = slots
        self._queue = queue
        self._grace = grace
        self._give_up = give_up
        self._ear = ear
        self._heart = Heart(ear, self._ailment)
        self._stop = asyncio.Event()
        self._joining: asyncio.Task[Any] | None = None
        self._runner: Runner | None = None
        self._farewell: Farewell | None = None
        self._former: str | None = None
        """Who it was before it was cut off; the store may know it still."""
        self._since: float | None = None
        """When it began to wait, if it does."""
        self._waits = pauses(*_PAUSES)
        self._away: str | None = None
        """Why it is not at work, if it was tried."""

    async def run(self) -> ExitCode:
        """Work until the first signal.

        Raises:
            StoreError: the store cannot be opened, and it is no use to wait, or it was waited for long enough.
            CommunicationError: likewise the broker cannot be reached.
        """
        with logged(self._session), listening(self._ask, self._notice, then=self._ear.then):
            self._heart.start()
            try:
                await self._join_again_and_again()
            except DrupeError:
                if self._former is None or self._since is not None:  # it never was at work, or waited for long enough
                    self._ear.give_up()
                raise
            finally:
                self._heart.stop()
        return ExitCode.OK

    # --- the signal ----------------------------------------------------------------------------------------

    def _ask(self) -> None:
        if self._runner is not None:
            self._runner.stop()  # at once: after a step that blocked the loop, the next one must not slip in
        self._stop.set()
        if self._joining is not None:
            self._joining.cancel()

    def _notice(self) -> str:
        self._heart.wind_down()
        if self._farewell is not None:
            self._farewell.begin()
        return "stopping: running steps have time to end; again, and it ends at once\n"

    # --- joining -------------------------------------------------------------------------------------------

    async def _join_again_and_again(self) -> None:
        while not self._stop.is_set():
            try:
                await self._until_cut_off()
            except FencedError as error:
                self._away = str(error)
                self._session.note(f"{error}; it joins anew")
            except _AWAY as error:
                self._since, pause = self._since or tick(), next(self._waits)
                if not self._is_to_wait(error, tick() + pause - self._since):
                    raise
                self._away = str(error)
                self._session.note(f"{error}; it is tried again in {pause:.1f} s")
                await self._told_to_stop(within=pause)

    async def _told_to_stop(self, *, within: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._stop.wait()

    def _is_to_wait(self, error: BaseException, waited: float) -> bool:
        """Tell whether it may help. A file that cannot be opened does not come up; one that was in use may be busy, or its disk full."""
        is_file = isinstance(error, StoreUnavailableError) and isinstance(self._session.settings.store, Path)
        if is_file and self._former is None:
            return False
        return self._give_up is None or waited <= self._give_up

    async def _until_cut_off(self) -> None:
        """Join and work; return when it was told to stop."""
        self._joining = asyncio.current_task()
        try:
            settings, former = self._session.settings, self._former
            async with open_worker(settings, slots=self._slots, queue=self._queue, former=former) as worker:
                self._joining, self._runner = None, worker.runner
                self._former, self._since, self._waits = self._runner.owner, None, pauses(*_PAUSES)
                await self._work(worker)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._stop.is_set() or task is None or task.uncancel():
                raise
        finally:
            self._joining = self._runner = None
            self._heart.wait()
            if self._farewell is not None:
                self._farewell.stop()
                self._farewell = None

    async def _work(self, worker: Any) -> None:
        runner, session = worker.runner, self._session
        runner.add_listener(Lines(session.note).listener)
        self._farewell = Farewell(runner, self._grace, lambda: self._end(runner.running()))
        self._farewell.start()

        def ready() -> None:
            session.say(f"worker {runner.owner}: {self._slots} slots, queue {self._queue!r}")
            self._away = None
            self._heart.ready()

        self._name(await worker.work(self._stop, grace=self._grace, ready=ready))

    def _ailment(self) -> str | None:
        """Get what is wrong, from any thread: it is not at work, or others cannot rely on it."""
        runner = self._runner
        return self._away if runner is None or self._away is not None else runner.health.ailment()

    # --- its end -------------------------------------------------------------------------------------------

    def _end(self, abandoned: Iterable[Any]) -> None:
        """End although a step blocks the loop; called on another thread, when nothing is held here any more."""
        self._ear.close()
        self._name(abandoned)
        os._exit(ExitCode.OK)

    def _name(self, abandoned: Iterable[Any]) -> None:
        for process in abandoned:
            self._session.note(
                f"abandoned: {name(process.kind)} ({short(process.pid)}); its step is repeated by whoever is next"
            )
