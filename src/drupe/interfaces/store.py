"""What is asked of a store, the only source of truth.

A store is usable from any thread and loop: each call's awaitable belongs to the loop it was
made on. Every method that writes either commits all it was given or changes nothing, and tells
nobody before it is durable. The suite that holds a backend to this is `drupe.testing.store_contract`.
"""

from collections.abc import Awaitable, Iterable, Sequence
from typing import Protocol

from drupe.core.record import (
    Birth,
    Change,
    Checkpoint,
    Claimed,
    Event,
    Fence,
    Latest,
    Owner,
    Page,
    Query,
    Record,
    Rest,
)
from drupe.interfaces.inbox import Inbox
from drupe.interfaces.task_queue import TaskQueue


class Store(Inbox, Protocol):
    """Processes, their checkpoints and their history; the orders to them, and a queue of tasks beside them."""

    @property
    def tasks(self) -> TaskQueue:
        """The queue of tasks that lies in this store: as durable as everything else in it, open as long as the store is."""
        ...

    @property
    def dialect(self) -> str | None:
        """Which SQL the statements of a step are written in (``sqlite``); None where there is no database to run them."""
        ...

    async def open(self) -> None:
        """Make the store ready: create or migrate its schema. Opening an open store does nothing.

        Raises:
            StoreFormatError: what is there is not a store, or one of a newer version; it is left untouched.
            StoreMovedError: it is being moved, or was moved, elsewhere. Every write says so, too, when that happens later.
            StoreUnavailableError: it cannot be reached or written.
        """
        ...

    async def close(self) -> None:
        """Finish what was asked for before and let go of every resource. Closing twice does nothing."""
        ...

    # --- ownership ---------------------------------------------------------------------------------------

    async def join(self, owner: str, *, lease: float) -> None:
        """Announce an owner; it holds what it claims for ``lease`` seconds from now, or from its last renewal.

        Raises:
            DuplicateProcessError: an owner of this name is there already.
        """
        ...

    async def renew(self, owner: str, *, lease: float) -> None:
        """Extend the lease of ``owner``, also late, as long as nobody took anything from it because of that.

        Raises:
            FencedError: the owner is not known any more: it left, or was declared dead.
        """
        ...

    async def leave(self, owner: str) -> None:
        """Release everything ``owner`` holds, and forget it. Leaving twice does nothing.

        Whoever leaves has not failed: `Record.attempts` stays what it was.
        """
        ...

    async def claim(self, pid: str, *, owner: str, dead: Iterable[str] = ()) -> Record:
        """Own a living process: the epoch goes up by one, and every older epoch is fenced from now on.

        It may be claimed if nobody owns it, if its owner's lease has run out, or if its owner is among ``dead``
        (owners that the caller knows to be dead). Claiming what one owns already gives a new epoch, too.
        An owner from whom something is taken so is forgotten, and everything else it held is released. ``attempts`` of
        all that it may have been in a step of, which neither wait nor are paused, go up by one.

        Raises:
            UnknownProcessError: there is no such process.
            OwnedError: somebody else owns it.
            InvalidStateError: it is terminal.
            FencedError: ``owner`` has not joined.
        """
        ...

    async def claim_many(self, pids: Sequence[str], *, owner: str, dead: Iterable[str] = ()) -> "list[Claimed]":
        """Own those of many processes that can go on at once, as `claim` does, with all it takes to go on, in one transaction.

        Left out are those that are not there, that have ended, are paused, are held by ``owner`` itself or by somebody whose
        lease runs and who is not among ``dead``, that somebody else is writing at this moment, and those whose bytes are damaged:
        asked for alone, by `claim` and `latest`, they tell why.

        Returns:
            What was claimed.

        Raises:
            FencedError: ``owner`` has not joined.
        """
        ...

    async def held(self, owner: str) -> dict[str, int]:
        """Get the epoch of each process that ``owner`` holds, by pid. Index look-up."""
        ...

    async def owners(self) -> "list[Owner]":
        """Get everybody who has joined and not left, by name; also those whose lease has run out, until they are missed."""
        ...

    async def release(self, fence: Fence) -> None:
        """Give a process back to whoever claims it next. Releasing again, before somebody has claimed it, does nothing.

        As with `leave`, that is no failed attempt.

        Raises:
            FencedError: it is not the caller's any more.
        """
        ...

    # --- rest --------------------------------------------------------------------------------------------

    async def park(self, fence: Fence, rest: Rest) -> bool:
        """Give a process back that waits: nobody needs to hold it before something happens.

        It is woken, that is found by `free`, in the same transaction as an order to it, the end of any child of it, or its
        claim; and when its time has come. If something of that has happened already, nothing is changed: an order
        that is not answered (of signals: one of the name it waits for), the end of one of ``rest.children``, the time. Nor is
        anything changed if one of these is not there, or no child of it: its end would wake nobody.
        Parking again, before it was woken, does nothing.

        Returns:
            Whether it is parked now.

        Raises:
            FencedError: it is not the caller's any more.
        """
        ...

    async def free(self, *, queue: str | None = None, dead: Iterable[str] = (), limit: int = 100) -> list[Record]:
        """Get living processes that could go on and that nobody holds, at most ``limit``; index look-up.

        Those are the ones that are neither paused nor parked, or whose time to be woken has come; held by nobody, or by an
        owner whose lease has run out or that is among ``dead``. The oldest come first, those of the dead last; after them
        those that are paused and were asked for something that nobody has answered (but for signals, which they take later). Last
        of all come those that were handed in, and that nobody has taken though their time has come: they may be many.

        Args:
            queue: only those that its workers may have, and of the paused all; None: those of every queue.
            dead: owners that are known to be dead.
            limit: how many at most.
        """
        ...

    async def next_wake(self, *, queue: str | None = None) -> float | None:
        """Get in how many seconds, by the store's clock, `free` will find one more because its time comes; index look-up.

        None if no process that is parked has a time to come. Those whose time has come are not meant, nor what was handed in.
        """
        ...

    # --- writing -----------------------------------------------------------------------------------------

    def create(self, births: Sequence[Birth], *, fence: Fence | None = None) -> Awaitable[list[Record]]:
        """Create processes, all or none, and get their rows in order.

        A birth whose pid is there already with the same digest creates nothing and gets the row as it is.

        Args:
            births: the processes.
            fence: create only if this (their parent's) epoch still holds. A parent one of whose children lives then has
                made progress, since it may wait for that child now: its ``attempts`` begin anew.

        Raises:
            ChildMismatchError: a pid is there already and has another class or other inputs; names both.
            FencedError: the fence does not hold, or an owner that is to have a process has not joined.
            StoreError: a pid is not one (`drupe.core.record.PID_PATTERN`).
            TooLargeError: inputs or body exceed the limit.
            StoreUnavailableError: the store cannot be written now.
        """
        ...

    def save(self, change: Change) -> Awaitable[None]:
        """Commit one transition, durably, or change nothing.

        The row must have the change's epoch and ``seq - 1``, and an owner. The last change saved again (its answer
        was lost) does nothing and succeeds. Progress resets ``attempts``. A terminal change releases the process, and
        answers every order to it that is not answered yet, by `drupe.core.order.last_word`.
        The change's own statements are run in the same transaction; one that fails, or changes another number of rows than
        it has to, leaves nothing of the change behind.
        Checkpoints beyond the store's retention are deleted; those that only an earlier, larger one kept, with the
        first change after a claim at the latest.

        Raises:
            FencedError: epoch or number are stale.
            ChildMismatchError: as in `create`; nothing of the change is kept.
            StatementError: a statement of the change failed, or touched a table of the store, or the store is no database.
            TooLargeError: the body or the statements exceed the limit; the body of a process that ends as EXCEPTED never does.
            StoreUnavailableError: the store cannot be written now (disk full, read-only, closed).
        """
        ...

    async def delete(self, pid: str, *, untouched: bool = False) -> None:
        """Remove a terminal process with its checkpoints and history.

        Args:
            pid: which.
            untouched: remove one that nobody has ever held, and no other.

        Raises:
            UnknownProcessError: there is no such process.
            InvalidStateError: it is not terminal, or not untouched.
        """
        ...

    # --- reading -----------------------------------------------------------------------------------------

    async def record(self, pid: str) -> Record:
        """Get the row of a process.

        Raises:
            UnknownProcessError: there is no such process.
        """
        ...

    async def inputs(self, pid: str) -> bytes:
        """Get the encoded inputs of a process, verified.

        Raises:
            UnknownProcessError: there is no such process.
            CorruptedError: they do not have the hash they were saved with.
        """
        ...

    async def checkpoint(self, pid: str, seq: int | None = None) -> Checkpoint:
        """Get a checkpoint, by default the last one, verified.

        Raises:
            UnknownProcessError: there is no such process, or no such checkpoint (any more).
            CorruptedError: it does not have the hash it was saved with.
        """
        ...

    async def latest(self, pid: str) -> Latest:
        """Get the row of a process, its last checkpoint and its inputs, verified, with one request.

        Raises:
            UnknownProcessError: there is no such process.
            CorruptedError: something does not have the hash it was saved with.
        """
        ...

    async def checkpoints(self, pid: str) -> list[int]:
        """Get the numbers of the checkpoints that are kept, ascending.

        Raises:
            UnknownProcessError: there is no such process.
        """
        ...

    async def history(self, pid: str, *, after: int = 0, limit: int | None = None) -> list[Event]:
        """Get the events of a process with a checkpoint number above ``after``, in order.

        Raises:
            UnknownProcessError: there is no such process.
        """
        ...

    async def find(self, tail: str, *, limit: int = 10) -> list[str]:
        """Get pids that are, or end with, ``tail``, in no particular order; an exact match alone. Index look-up."""
        ...

    async def list(self, query: Query) -> Page:
        """Get a page of processes, newest first (by creation time, then pid, both descending). Index look-up.

        A row that is damaged is left out; `record` refuses it by name.

        Raises:
            SettingsError: the query's limit is below 1.
        """
        ...
