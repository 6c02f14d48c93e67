"""Interpreters that end at a place of one's choice, and what they leave behind: for tests that crash everywhere.

A `World` is what outlives an interpreter: the data of a store, and the knowledge of who is dead. An interpreter is
simulated by an event loop of its own. When its probe raises `CrashError`, everything on the loop is dropped,
nothing more is written, and the next one finds the store as it was::

    async def play(runner):
        await (await begin(runner, Ladder, {"height": 3}, pid="ladder"))


    expected = undisturbed(World, play)
    for crash, world in crashes(World, play):
        assert world.picture() == expected, crash
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from drupe.core.record import Query, Record
from drupe.core.snapshot import Snapshot
from drupe.engine.process import Process
from drupe.errors import UnknownProcessError
from drupe.interfaces.ambient import Probe
from drupe.interfaces.store import Store
from drupe.runtime.probe import quiet
from drupe.service.presence import Presence
from drupe.service.runner import Runner
from drupe.storage.memory import MemoryStore
from drupe.storage.memory_state import MemoryState
from drupe.testing.clock import ManualClock, SequentialIds
from drupe.testing.probe import CrashAt, CrashError

T = TypeVar("T")

Play = Callable[[Runner], Awaitable[T]]
"""What an interpreter does. It is called again in each of them, so it goes on where it finds things: see `begin`."""

_LEASE: Final = 3600.0
_ATTEMPTS: Final = 1_000_000
"""Here it is no process that its interpreter dies of."""
_MINE: Final = ("owner", "epoch", "attempts", "created", "updated")
"""What differs between a run that was disturbed and one that was not."""


class Picture(NamedTuple):
    """A process as the store has it, but for claims, attempts, times and traceback texts."""

    row: dict[str, Any]
    stands: dict[str, Any]
    """The header of the last checkpoint."""
    contents: dict[str, Any]
    """What a step can change, as it is in the last checkpoint."""
    history: list[tuple[Any, ...]]
    """Number, event, state and detail of each event."""


class World:
    """What outlives an interpreter.

    Args:
        store: makes an interpreter's store with its probe, each time on the same data; by default in memory.

    Attributes:
        lives: how many interpreters there were, the running one included.
    """

    def __init__(self, store: Callable[[Probe], Store] | None = None) -> None:
        self.lives = 0
        self._clock = ManualClock()
        self._ids = SequentialIds()
        self._census = _Census()
        self._state = MemoryState()
        self._store = store or self._memory

    def live(self, play: Play[T], probe: Probe = quiet) -> T:
        """Play in a new interpreter until the play is over, or the interpreter.

        Raises:
            CrashError: ``probe`` ended it.
        """
        with asyncio.Runner() as loop:
            self.lives += 1
            loop.get_loop().set_exception_handler(lambda *_: None)  # the dead have nobody to complain to
            return loop.run(self._live(play, probe))

    def picture(self) -> dict[str, Picture]:
        """Get all processes by pid."""
        return asyncio.run(self._picture())

    async def _live(self, play: Play[T], probe: Probe) -> T:
        fate = _Fate(probe)
        store = self._store(fate)
        runner = Runner(
            store,
            presence=self._census,
            lease=_LEASE,
            attempts=_ATTEMPTS,
            clock=self._clock,
            ids=self._ids,
            probe=fate,
        )
        playing = asyncio.create_task(_played(runner, play))
        ends: set[asyncio.Future[Any]] = {playing, fate.met}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            fate.check()
            return await playing
        finally:
            await _drop_all()
            self._census.dead.add(runner.owner)
            await store.close()

    async def _picture(self) -> dict[str, Picture]:
        store = self._store(quiet)
        await store.open()
        try:
            return {row.pid: await _of(store, row) for row in (await store.list(Query(limit=10_000))).records}
        finally:
            await store.close()

    def _memory(self, probe: Probe) -> Store:
        return MemoryStore(self._state, clock=self._clock, probe=probe)


async def begin(
    runner: Runner, process_class: type[Process], inputs: Mapping[str, Any] | None = None, *, pid: str
) -> Any:
    """Resume the process of this pid, or launch it if there is none yet."""
    try:
        return await runner.resume(pid)
    except UnknownProcessError:
        return await runner.launch(process_class, inputs, pid=pid)


def undisturbed(make: Callable[[], World], play: Play[Any]) -> dict[str, Picture]:
    """Get what a play comes to without a crash, in a new world."""
    world = make()
    world.live(play)
    return world.picture()


def crashes(
    make: Callable[[], World], play: Play[Any], *, first: int = 1, step: int = 1
) -> Iterator[tuple[str, World]]:
    """Play in one new world after the other, with a crash at the first, second, … place that is passed, then to the end.

    Ends after the first world in which no crash happened any more.
    """
    n = first
    while (found := crashed(make(), play, [n])) is not None:
        yield found
        n += step


def crashed(world: World, play: Play[Any], hits: Sequence[int]) -> tuple[str, World] | None:
    """Play with a crash at the given hit of each interpreter in turn, then to the end; None if the first did not crash."""
    told = []
    for number, hit in enumerate(hits):
        probe = CrashAt(hit)
        try:
            world.live(play, probe)
        except CrashError as crash:
            told.append(str(crash))
        else:
            if number == 0:
                return None
            break
    else:
        world.live(play)
    return "; then ".join(told), world


# --- inside ------------------------------------------------------------------------------------------------


class _Census(Presence):
    """Presence without files: who is dead is known because it was killed here."""

    def __init__(self) -> None:
        super().__init__(Path())
        self.dead: set[str] = set()

    def announce(self, owner: str) -> None:
        """Nothing to show."""

    def withdraw(self, owner: str) -> None:
        """Nothing was shown."""

    def is_dead(self, owner: str) -> bool:
        """Tell whether it was killed."""
        return owner in self.dead


class _Fate:
    """A probe around a probe, which knows when the interpreter ended."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._crash: CrashError | None = None
        self._loop = asyncio.get_running_loop()
        self.met: asyncio.Future[None] = self._loop.create_future()

    def __call__(self, place: str, /) -> None:
        try:
            self._probe(place)
        except CrashError as crash:
            if self._crash is None:
                self._crash = crash
                self._loop.call_soon_threadsafe(self._meet)
            raise

    def check(self) -> None:
        if self._crash is not None:
            raise self._crash

    def _meet(self) -> None:
        if not self.met.done():
            self.met.set_result(None)


async def _played(runner: Runner, play: Play[T]) -> T:
    async with runner:
        return await play(runner)


async def _drop_all() -> None:
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in others:
            task.cancel()
        await asyncio.wait(others)


async def _of(store: Store, row: Record) -> Picture:
    header = Snapshot.decode((await store.checkpoint(row.pid)).body)
    contents = msgspec.msgpack.decode(header.data)  # as it is written: values that were made from it need not compare
    contents["stage"].get("failure", {}).pop("traceback", None)
    stands = {name: value for name, value in msgspec.structs.asdict(header).items() if name not in ("data", "created")}
    return Picture(
        {name: value for name, value in msgspec.structs.asdict(row).items() if name not in _MINE},
        stands,
        contents,
        [(event.seq, event.event, event.state, event.detail) for event in await store.history(row.pid)],
    )
