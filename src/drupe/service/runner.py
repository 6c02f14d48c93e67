"""Running stored processes in this interpreter: create, start, resume, wait, stop."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from drupe.core.attributes import FrozenAttributes
from drupe.core.lifecycle import TERMINAL
from drupe.core.record import Change, Latest, Record
from drupe.core.status import Progress
from drupe.engine.child import Origin
from drupe.engine.listener import ProcessListener
from drupe.engine.process import Process
from drupe.engine.progress import is_active
from drupe.engine.registry import ClassRegistry
from drupe.errors import (
    ChildMismatchError,
    ClosedError,
    DuplicateProcessError,
    FencedError,
    StoreError,
    StoreUnavailableError,
)
from drupe.interfaces.ambient import Clock, Ids, Probe
from drupe.interfaces.communicator import FarCommunicator
from drupe.interfaces.hints import Hints
from drupe.interfaces.registry import Registry
from drupe.interfaces.store import Store
from drupe.runtime import bridge
from drupe.runtime.clock import SystemClock
from drupe.runtime.ids import RandomIds
from drupe.runtime.probe import quiet
from drupe.service.account import Account
from drupe.service.attendant import POLL, Attendant
from drupe.service.contact import Contact
from drupe.service.desk import Desk
from drupe.service.draining import Draining, cancelled
from drupe.service.health import Health
from drupe.service.lease import Lease
from drupe.service.overruling import Overruling
from drupe.service.parking import AFTER as PARKING
from drupe.service.parking import Parking
from drupe.service.presence import Presence
from drupe.service.recovery import ATTEMPTS, Resumed, StoredRecovery
from drupe.service.stall import AFTER as STALL
from drupe.service.stall import Stall
from drupe.service.stored import StoredHost

P = TypeVar("P", bound=Process)

_LOG: Final = logging.getLogger("drupe.service")

LEASE: Final = 10.0
"""Seconds that an owner keeps its processes without a sign of life, on one machine."""
PARTING: Final = 5.0
"""Seconds that a store has to answer those who leave: what it does not hear, it finds out by the lease."""
_FENCED: Final = 1.0
"""Seconds for it where the store has not answered already, or knows."""


class Runner:
    """Runs processes that are kept in a store; an async context manager, to be used on one loop.

    Everything is committed before it is told. However the interpreter ends, another runner goes on
    from the last checkpoints: the step that ran is taken again, no committed one is.

    Args:
        store: where processes are kept; opened and closed with the runner.
        registry: where classes of resumed processes come from; by default what is imported.
        presence: how owners of this machine show that they live; None leaves it to leases.
        lease: how long an owner that shows no life keeps its processes, in seconds.
        poll: seconds after which an order to a process is found that nobody told of; None leaves it to hints.
        hints: tell of orders that others have given; None leaves that to the communicator.
        attempts: how many programs may die of a process without its getting on, before it is quarantined.
        stall: seconds after which a step that blocks the loop is named in the log.
        communicator: tells everybody what becomes of the processes, and answers who calls the owner by its name; opened
            and closed with the runner.
        clock: time.
        ids: names.
        probe: passed at each place where something is written.
    """

    def __init__(  # noqa: PLR0913 (each is a part that tests replace, with a default)
        self,
        store: Store,
        *,
        registry: Registry | None = None,
        presence: Presence | None = None,
        lease: float = LEASE,
        poll: float | None = POLL,
        hints: Hints | None = None,
        attempts: int = ATTEMPTS,
        stall: float = STALL,
        communicator: FarCommunicator | None = None,
        clock: Clock | None = None,
        ids: Ids | None = None,
        probe: Probe = quiet,
    ) -> None:
        self.store = store
        ids = ids or RandomIds()
        self.owner = ids.owner()
        self.fenced: str | None = None
        """Why nothing here is its own any more, once that is so; `lost` waits for it."""
        self._is_fenced = asyncio.Event()
        self._presence = presence
        self._seconds = lease
        clock = clock or SystemClock()
        self._host = StoredHost(store, self.owner, clock=clock, ids=ids, probe=probe)
        is_dead = presence.is_dead if presence is not None else lambda _: False
        self._draining = Draining(self._host)
        registry = registry or ClassRegistry(Process)
        self._recovery = StoredRecovery(self._host, registry, is_dead, attempts)
        self._overruling = Overruling(store, is_dead=is_dead, clock=clock, tell=self._tell)
        self._attendant = Attendant(self._host, probe=probe, interval=poll, hints=hints)
        self._stall = Stall(after=stall)
        self.account = account = Account(self._host, registry, self._stall)
        """What it tells of itself."""
        self._contact = None if communicator is None else Contact(communicator, self._host, Desk(self.attend, account))
        self._lease = Lease(store, self.owner, lease, self._lose)
        self.health = Health(self._lease, communicator)
        """Whether others can rely on it; as long as it is open."""
        self._loop: asyncio.AbstractEventLoop | None = None

    # --- life ----------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.store.open()
        try:
            if self._presence is not None:
                self._presence.announce(self.owner)
            asked = self._lease.now()
            await self.store.join(self.owner, lease=self._seconds)
        except BaseException:
            if self._presence is not None:
                self._presence.withdraw(self.owner)
            await self.store.close()
            raise
        self._loop = asyncio.get_running_loop()
        self._lease.start(asked)
        self._attendant.open()
        self._stall.start()
        try:
            if self._contact is not None:
                await self._contact.open()
        except BaseException:
            await self._leave()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop where every process stands, release what is owned, and close the store. A store that does not answer is not waited for.

        Raises:
            StoreError: the owner could not be taken out of the store; what it held is free when its lease has run out.
        """
        await self._leave()

    async def _leave(self) -> None:
        self._stall.stop()
        try:
            await self._attendant.close()
            while tasks := self._draining.tasks():
                if await cancelled(tasks, within=PARTING):  # what they wait for may never come
                    self._give_up()
        finally:  # also if somebody will not wait: an owner that is gone must not renew its lease for ever
            self._lease.stop()  # not before: what was on its way to the store was to arrive there
            self._give_up()
        try:
            if self._contact is not None:
                await self._contact.close()
        finally:
            try:
                await self._taken_out()
            finally:
                if self._presence is not None:
                    self._presence.withdraw(self.owner)
                await self.store.close()

    async def _taken_out(self) -> None:
        limit = PARTING if self.fenced is None else _FENCED
        try:
            try:
                async with asyncio.timeout(limit):
                    await self.store.leave(self.owner)
            except TimeoutError:
                raise StoreUnavailableError(
                    f"the store has not answered for {limit:g} s: what {self.owner} held is free when its lease has run out"
                ) from None
        except StoreError as error:
            if self.fenced is None:
                raise
            _LOG.warning(
                "%s, which has given up all it ran, could not be taken out of the store: %s", self.owner, error
            )

    # --- processes -----------------------------------------------------------------------------------------

    async def create(
        self, process_class: type[P], inputs: Mapping[str, Any] | None = None, *, pid: str | None = None
    ) -> P:
        """Create a process: committed and owned, not started.

        Raises:
            InputError: the inputs do not fit; nothing was created.
            DuplicateProcessError: there is a process of this pid.
            StoreError: it could not be written.
        """
        process = process_class(inputs, pid=pid, origin=Origin(self._host))
        try:
            await process._life.be_born(process)
        except ChildMismatchError as error:
            raise DuplicateProcessError(f"there is another process {pid} already: {error}") from error
        return process

    def start(self, process: Process) -> None:
        """Run a process in the background; one that runs or has ended is left alone."""
        self._host.start(process)

    async def launch(
        self, process_class: type[P], inputs: Mapping[str, Any] | None = None, *, pid: str | None = None, **named: Any
    ) -> P:
        """Create and start a process; the same errors as `create`. ``await`` it for its outputs."""
        process = await self.create(process_class, {**(inputs or {}), **named}, pid=pid)
        self.start(process)
        return process

    async def resume(self, pid: str) -> Any:
        """Take a process over and start it where it stopped, and its descendants that nobody runs.

        Returns:
            The process; one that has ended already is loaded.

        Raises:
            OwnedError: somebody else runs it.
            UnknownProcessError: there is no such process.
            UnknownClassError: its class is not at hand.
            CorruptedError: its bytes are damaged.
            SnapshotError: its checkpoint does not fit its class.
        """
        process = await self.take_over(pid)
        self.start(process)
        await self._recovery.resume_below(pid)
        return process

    async def take_over(self, pid: str, *, latest: Latest | None = None) -> Any:
        """Own a process and have it at hand, not started; the rest is as in `resume`, which starts it.

        Args:
            pid: which.
            latest: how it was a moment ago, if that was read already.
        """
        return await self._recovery.resume(pid, latest=latest)

    async def take_over_many(self, records: Sequence[Record]) -> Resumed:
        """Own those of many processes that can be had and run as they are; see `StoredRecovery.resume_many`."""
        return await self._recovery.resume_many(records)

    async def carry_out(self, pid: str) -> Record:
        """Carry out what was asked of a process that nobody holds, on its checkpoint alone, and get its row then.

        It need not be owned, nor its class be at hand; see `drupe.service.overruling`.

        Raises:
            UnknownProcessError: there is no such process.
            StoreError: it could not be written.
        """
        return await self._overruling.carry_out(pid, doubt=True)

    async def load(self, pid: str, seq: int | None = None) -> Any:
        """Get a process as it was at a checkpoint, to look at; nothing is claimed. Raises as `resume` does."""
        return await self._recovery.load(pid, seq)

    async def wait(self, process: Process) -> FrozenAttributes:
        """Wait for the outputs of a process; cancelling the wait leaves the process as it is.

        Raises:
            KilledError: it was killed.
            ExceptedError: it ended by an exception, of which only the text is left.
            Exception: the one it ended by, here.
        """
        return await process.wait()

    def be_careful(self) -> None:
        """Run no two processes side by side that have one attempt left: see `drupe.service.suspicion`.

        It is for those who come back for what they could not have.
        """
        self._recovery.be_careful()

    def serve(self, queue: str) -> None:
        """Be a worker of a queue: what is created here is for its workers, but what comes from a process is for those of that."""
        self.account.queue = self._host.queue = queue

    def is_suspect(self, record: Record) -> bool:
        """Whether a process must not be taken over beside another such one: see `be_careful`."""
        return self._recovery.is_suspect(record)

    def add_listener(self, listener: ProcessListener) -> None:
        """Have ``listener`` called for every process that is run here from now on."""
        self._host.listeners.append(listener)

    def parking(self, *, after: float = PARKING, timed: Callable[[], None] = lambda: None) -> Parking:
        """Get what gives back to the store what has waited for ``after`` seconds. For those who have no process in their hands."""
        return Parking(self._host, self._recovery, after=after, timed=timed)

    def attend(self, pid: str | None = None) -> Future[None]:
        """Look now for orders to a process, by default to any, and whether it is still ours; from any thread.

        It is done in the background. A hint, which may be lost: what nobody tells of is found by `poll`.

        Returns:
            A future of its having been looked: each order was answered, or kept until the running step ends.
        """
        return self._attendant.attend(pid)

    def progress(self, pid: str) -> Progress:
        """Get what only we know of a process; from any thread, also while a step blocks the loop."""
        return self.account.progress(pid)

    # --- stopping ------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Start no new step; steps that run go on to their end. Returns at once: `drained` waits."""
        self._draining.begin()

    def running(self) -> list[Any]:
        """Get the processes whose step is running now (not those that wait, nor those whose step waits for a child)."""
        return self._draining.running()

    @property
    def stopping(self) -> bool:
        """Whether no new step is started any more."""
        return self._host.stopping

    def active(self) -> list[Any]:
        """Get the processes that take steps: not those that wait, are paused, or have a step that waits for a child."""
        return [process for process in self._host.live.values() if is_active(process)]

    async def drained(self) -> None:
        """Wait until nothing runs here any more: everything ended, or, after `stop`, no step is running."""
        await self._draining.ended()

    def living(self) -> list[Any]:
        """Get the processes that are owned here, have not ended, and were not given up."""
        return [
            process
            for process in self._host.live.values()
            if process.state not in TERMINAL and process._life.lost is None
        ]

    def _tell(self, change: Change, kind: str) -> None:
        if self._host.announcer is not None:
            self._host.announcer.changed(change, kind)

    async def lost(self) -> str:
        """Wait until nothing here is its own any more, and get why: it was declared dead, or could not renew its lease.

        By then all it ran is given up, and who waits for one of those got a `FencedError`.
        """
        await self._is_fenced.wait()
        return str(self.fenced)

    def _lose(self, reason: str) -> None:
        """Nothing here is ours any more; called on the lease's thread."""
        if self._loop is not None:
            bridge.hop(self._loop, self._fence, reason)

    def _fence(self, reason: str) -> None:
        """Take no more steps, cancel what those that run await, and tell whoever waits for one."""
        self.fenced = reason
        self.stop()
        for process in self.living():
            process._life.evict(FencedError(f"process {process.pid} is given up by {self.owner}: {reason}"))
        self._is_fenced.set()

    def _give_up(self) -> None:
        """Take no more steps, and tell whoever waits for one."""
        self.stop()
        for process in self.living():
            why = "its runner was left; it goes on where it is resumed"
            process._life.abandon(ClosedError(f"process {process.pid}: {why}"))
            process._life.nudge()
