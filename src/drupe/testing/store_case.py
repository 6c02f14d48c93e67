"""What the tests of a store's contract share: where the store comes from, and samples of what is kept in it."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

import msgspec
import pytest

from drupe.core.lifecycle import TERMINAL, State
from drupe.core.record import Birth, Change, Record, Retention
from drupe.interfaces.ambient import Clock, Probe
from drupe.interfaces.store import Store
from drupe.runtime.probe import quiet
from drupe.testing.clock import ManualClock

ME = "me"
OTHER = "other"
LEASE = 10.0


class Place(Protocol):
    """Where data lies: every call gives another store on the same data, not yet open."""

    def __call__(
        self,
        *,
        clock: Clock | None = None,
        probe: Probe = quiet,
        retention: Retention | None = None,
        max_bytes: int = 2 * 1024 * 1024,
    ) -> Store:
        """Get a store."""
        ...


class StoreCase:
    """Tests of a store.

    A backend's own test class overrides the fixture `places`.
    """

    @pytest.fixture
    def places(self) -> Callable[[], Place]:
        """Get a function that makes a new, empty place."""
        raise NotImplementedError("a backend's test class says where its data lies")

    @pytest.fixture
    def place(self, places: Callable[[], Place]) -> Place:
        """Get the place of this test."""
        return places()

    @pytest.fixture
    def clock(self) -> ManualClock:
        """Get the clock of this test's stores."""
        return ManualClock()

    @pytest.fixture
    async def store(self, place: Place, clock: ManualClock) -> AsyncIterator[Store]:
        """Get an open store that `ME` and `OTHER` have joined."""
        store = place(clock=clock)
        await store.open()
        await store.join(ME, lease=LEASE)
        await store.join(OTHER, lease=LEASE)
        yield store
        await store.close()


def birth(pid: str = "p1", **given: Any) -> Birth:
    """Get a birth of a process that `ME` owns, but for what is given."""
    kind = given.get("kind", "sample:Sample")
    inputs = given.get("inputs", b"inputs")
    sample = Birth(
        pid=pid,
        kind=kind,
        version=1,
        inputs=inputs,
        digest=f"{kind} {inputs!r}".encode()[:64],
        body=b"first",
        created=1000.0,
        owner=ME,
    )
    return msgspec.structs.replace(sample, **given)


def step(row: Record, **given: Any) -> Change:
    """Get the next step of a process as it is in ``row``, but for what is given."""
    seq = given.get("seq", row.seq + 1)
    sample = Change(
        pid=row.pid,
        epoch=row.epoch,
        seq=seq,
        at=row.created + seq,
        was=row.state,
        state=State.RUNNING,
        body=b"body %d" % seq,
        event="step",
        detail="a_step",
    )
    return msgspec.structs.replace(sample, **given)


def after(row: Record, change: Change) -> Record:
    """Get the row that ``change`` leads to."""
    return msgspec.structs.replace(
        row,
        seq=change.seq,
        state=change.state,
        paused=change.paused,
        status=change.status,
        updated=change.at,
        attempts=0,
        owner=None if change.state in TERMINAL else row.owner,
    )


async def born(store: Store, pid: str = "p1", **given: Any) -> Record:
    """Create one process and get its row."""
    (row,) = await store.create([birth(pid, **given)])
    return row


async def walk(store: Store, row: Record, steps: int, **given: Any) -> Record:
    """Save so many steps and get the row they lead to."""
    for _ in range(steps):
        change = step(row, **given)
        await store.save(change)
        row = after(row, change)
    return row


async def ended(store: Store, pid: str = "p1", state: State = State.FINISHED, **given: Any) -> Record:
    """Create a process, end it, and get its row."""
    return await walk(store, await born(store, pid, **given), 1, state=state, event=state.value)
