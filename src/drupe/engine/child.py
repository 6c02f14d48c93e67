"""A child of a process: an awaitable that is saved by pid and finds its process again."""

import asyncio
from collections.abc import Generator, Mapping
from typing import Any

from drupe.engine.stack import current
from drupe.errors import InvalidStateError


class Child:
    """Stands for a process that another one started: awaitable, savable, and the same child after a resume.

    Awaiting it gives the child's outputs; a child that was killed raises `KilledError`, one that excepted
    raises its exception (in a stored process always an `ExceptedError`, since that is what a re-run would get).
    """

    __slots__ = ("kind", "pid", "process")

    def __init__(self, pid: str, kind: str, process: Any = None) -> None:
        self.pid = pid
        self.kind = kind
        self.process = process
        """The process itself, where it is at hand in this interpreter."""

    def __await__(self) -> Generator[Any, Any, Any]:
        return self.result().__await__()

    async def result(self) -> Any:
        """Wait for the child's outputs; a child that is not created yet is, at once.

        Raises:
            InvalidStateError: awaited outside of a process, where a loaded child has no host.
            KilledError: it was killed.
            ExceptedError: it ended by an exception (the exception itself in an ephemeral process).
        """
        parent = current()
        child = self.process
        if child is None:
            if parent is None:
                raise InvalidStateError(f"child {self.pid} was loaded; it can be awaited only in a step of its parent")
            return await self._outcome(parent, parent._life.host)
        if parent is not None and child in parent._life.unborn:
            parent._life.unborn = [other for other in parent._life.unborn if other is not child]
            if child._life.born:
                child._life.host.start(child)
            else:  # in a task of its own: several may wait for it, and whoever is cancelled must not tear it
                child._life.birth = asyncio.get_running_loop().create_task(_brought_to_life(child))
                child._life.birth.add_done_callback(_heard)
        if child._life.birth is not None:
            await asyncio.shield(child._life.birth)
        return await self._outcome(parent, child._life.host)

    async def _outcome(self, parent: Any, host: Any) -> Any:
        with Suspended(parent):
            return await host.outcome(self.pid, self.process)

    def __repr__(self) -> str:
        return f"<Child {self.kind} {self.pid}>"


async def _brought_to_life(child: Any) -> None:
    try:
        await child._life.be_born(child)
        child._life.host.start(child)
    finally:
        child._life.birth = None


def _heard(birth: "asyncio.Task[None]") -> None:
    """Whoever waits is told what went wrong; a parent that was given up waits no more, and nobody is to be told."""
    if not birth.cancelled():
        birth.exception()


class Suspended:
    """Counts the running step of ``parent``, if any, as one that waits for a child: in a ``with`` statement."""

    __slots__ = ("_life",)

    def __init__(self, parent: Any | None) -> None:
        self._life = None if parent is None else parent._life

    def __enter__(self) -> None:
        if self._life is not None:
            self._life.waiting_for_child += 1

    def __exit__(self, *_: object) -> None:
        if self._life is not None:
            self._life.waiting_for_child -= 1


def submit(parent: Any, process_class: type[Any], inputs: Mapping[str, Any] | None, key: str | None) -> Child:
    """Make a child of ``parent``: created with the parent's step, or when it is first awaited."""
    from_host = parent._life.host
    child = process_class(inputs, origin=Origin(from_host, parent=parent, key=key))
    parent._life.unborn = [*parent._life.unborn, child]
    return Child(child.pid, child.kind, child)


class Origin:
    """Where a process comes from: its host, the parent whose step makes it, or the snapshot it is loaded from."""

    __slots__ = ("created", "host", "key", "parent", "snapshot")

    def __init__(
        self, host: Any, *, parent: Any = None, key: str | None = None, snapshot: Any = None, created: float = 0.0
    ) -> None:
        self.host = host
        self.parent = parent
        self.key = key
        self.snapshot = snapshot
        self.created = created
