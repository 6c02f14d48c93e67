"""What the tests of a host's contract share: a bench on which processes of one host are made and run.

A test of the contract sees a bench and nothing else of the host, so each promise is tested on all of them.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Final, Protocol, Self

import pytest

from drupe.core.record import Change
from drupe.engine.listener import ProcessListener
from drupe.engine.process import Process
from drupe.engine.registry import ClassRegistry, kind_of
from drupe.errors import UnknownClassError
from drupe.interfaces.store import Store
from drupe.service.runner import LEASE, Runner
from drupe.testing.clock import ManualClock, SequentialIds
from drupe.testing.reload import Reloading
from drupe.testing.store_case import Place

_ATTEMPTS: Final = 1_000
"""What is tested may end often in the middle of a step, and nobody is to take it for poison."""


class Bench(Protocol):
    """Where the processes of one test are made and run."""

    @property
    def durable(self) -> bool:
        """Whether verbs are requests, answered by an action."""
        ...

    async def create(
        self, process_class: type[Process], inputs: Mapping[str, Any] | None = None, *, pid: str | None = None
    ) -> Any:
        """Get a new process, committed and not started."""
        ...


class HostCase:
    """Tests of a host; its own test class overrides the fixture `bench`."""

    @pytest.fixture
    def bench(self) -> Bench:
        """Get the bench of this test."""
        raise NotImplementedError("a host's test class says where its processes live")


class EphemeralBench:
    """Makes processes that nothing keeps."""

    durable = False

    async def create(
        self, process_class: type[Process], inputs: Mapping[str, Any] | None = None, *, pid: str | None = None
    ) -> Any:
        """Get a new process, not started."""
        return process_class(inputs, pid=pid)


class StoredBench:
    """Makes processes in a store; an async context manager.

    Args:
        place: where their data lies.
        reloading: whether every process is loaded from its checkpoint after every transition.

    Attributes:
        runner: runs them.
        saves: holds back what is being committed.
        clock: stands still.
    """

    durable = True

    def __init__(self, place: Place, *, reloading: bool = False) -> None:
        self.clock = ManualClock()
        self.runner: Runner
        self.saves: HeldSaves
        self._place = place
        self._reloading = reloading
        self._ids = SequentialIds()
        self._runners = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.saves.release()
        await self._runners.aclose()

    async def _start(self) -> None:
        store = self._place(clock=self.clock)
        self.saves = HeldSaves(store)
        self.runner = Runner(store, registry=SubclassRegistry(), clock=self.clock, ids=self._ids, attempts=_ATTEMPTS)
        if self._reloading:
            self.runner.add_listener(Reloading())
        await self._runners.enter_async_context(self.runner)

    async def create(
        self, process_class: type[Process], inputs: Mapping[str, Any] | None = None, *, pid: str | None = None
    ) -> Any:
        """Get a new process, committed and not started."""
        return await self.runner.create(process_class, inputs, pid=pid)

    async def resumed(self, process: Process) -> Any:
        """Get the same process in another runner, as if the interpreter of the first had ended here; it is started."""
        tasks = [other._life.task for other in self.runner.living() if other._life.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.clock.advance(2 * LEASE)  # nobody renewed: what the first one owned is free
        await self._start()
        return await self.runner.resume(process.pid)

    async def events(self, process: Process) -> list[str]:
        """Get what the store's history says of a process."""
        return [event.event for event in await self.runner.store.history(process.pid)]


class HeldSaves:
    """Holds back what is saved in a store, between `hold` and `release`: it is on its way, and not committed.

    Attributes:
        reached: set when something is held back.
    """

    def __init__(self, store: Store) -> None:
        self.reached = asyncio.Event()
        self._save = store.save
        self._released = asyncio.Event()
        self._released.set()
        store.save = self._pass  # type: ignore[method-assign]  # stands in the way of this one store

    def hold(self) -> None:
        """Commit nothing from now on."""
        self.reached.clear()
        self._released.clear()

    def release(self) -> None:
        """Commit what was held back, and what comes."""
        self._released.set()

    def _pass(self, change: Change) -> Awaitable[None]:
        return self._save(change) if self._released.is_set() else self._later(change)

    async def _later(self, change: Change) -> None:
        self.reached.set()
        await self._released.wait()
        await self._save(change)


class SubclassRegistry(ClassRegistry):
    """Finds every process class that exists, also one that is local to a test; of two with one name the newer."""

    def __init__(self) -> None:
        super().__init__(Process)

    def find(self, kind: str) -> type[Any]:
        """Get the class of an identifier.

        Raises:
            UnknownClassError: no class has it.
        """
        found = [process_class for process_class in _subclasses(Process) if kind_of(process_class) == kind]
        if not found:
            raise UnknownClassError(f"there is no process class {kind}")
        return found[-1]


def _subclasses(of: type[Any]) -> Iterator[type[Any]]:
    return itertools.chain.from_iterable((below, *_subclasses(below)) for below in of.__subclasses__())


async def settle(turns: int = 5) -> None:
    """Let everything that is ready on the loop run."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def until(condition: Callable[[], object], turns: int = 10_000) -> None:
    """Give the loop back until ``condition()`` holds.

    Raises:
        AssertionError: it never did.
    """
    for turn in range(turns):
        if condition():
            return
        await asyncio.sleep(0 if turn < 100 else 0.001)  # after a while, leave the machine to the store's thread
    raise AssertionError("what was waited for did not happen")


def background(process: Process) -> "asyncio.Task[None]":
    """Have a process take its steps in a task of its own, as its host would."""
    process._life.host.start(process)
    task = process._life.task
    assert task is not None
    return task


async def answer_of(answer: Any) -> bool:
    """Get what a verb was answered with, at once or later."""
    return bool(answer if isinstance(answer, bool) else await answer)


class Resumer(ProcessListener):
    """Resumes a process as soon as it waits."""

    def __init__(self, *values: Any) -> None:
        self._values = values

    def on_process_waiting(self, process: Any) -> None:
        process.resume(*self._values)
