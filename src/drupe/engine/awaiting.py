"""Waiting for children and other awaitables, as a work chain does after `to_context`.

Children are saved by pid. Any other awaitable is *volatile*: it cannot be saved, so a stored process
that waits for one stays, on disk, at the step that made it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

from drupe.core.command import Command, Continue, Wait
from drupe.engine.behaviour import Waiting, method_name, method_of
from drupe.engine.child import Child
from drupe.errors import UnsavableError


class Await(Wait):
    """Wait for awaitables, put their results into the context, go on with ``fn``."""

    __slots__ = ("awaited", "onward")

    def __init__(self, fn: Callable[..., Any], awaited: dict[str, Any]) -> None:
        super().__init__(fn, f"waiting for {', '.join(awaited)}", None)
        self.awaited = awaited
        self.onward = fn


class Awaiting(Waiting):
    """Waits for what `Await` named, or, after a plain `Wait`, to be resumed."""

    __slots__ = ("_interrupt", "_unseen")

    def __init__(self, command: Wait) -> None:
        super().__init__(command)
        self._interrupt: asyncio.Future[None] | None = None
        self._unseen: frozenset[str] = frozenset()

    @property
    def unseen(self) -> frozenset[str]:
        return self._unseen

    @property
    def volatile(self) -> bool:
        command = self.command
        return isinstance(command, Await) and not all(isinstance(leaf, Child) for leaf in leaves(command.awaited))

    async def run(self, process: Any) -> Command | None:
        command = self.command
        if not isinstance(command, Await):
            return await super().run(process)
        loop = asyncio.get_running_loop()
        self._interrupt = loop.create_future()
        waits = {id(leaf): _wait_for(leaf, loop) for leaf in leaves(command.awaited)}
        try:
            pending: set[asyncio.Future[Any]] = set(waits.values())
            while pending:
                self._unseen = frozenset(
                    leaf.pid
                    for leaf in leaves(command.awaited)
                    if isinstance(leaf, Child) and waits[id(leaf)] in pending
                )
                done, _ = await asyncio.wait({*pending, self._interrupt}, return_when=asyncio.FIRST_COMPLETED)
                if self._interrupt in done:
                    return None
                for future in done:
                    future.result()  # the first that failed ends the wait
                pending -= done
            for name, value in command.awaited.items():
                process.ctx[name] = _replace(value, lambda leaf: waits[id(leaf)].result())
        finally:
            _let_go(waits.values())
        return Continue(command.onward)

    def interrupt(self, reason: str) -> None:
        super().interrupt(reason)
        if self._interrupt is not None and not self._interrupt.done():
            self._interrupt.set_result(None)

    def dump(self, process: Any) -> dict[str, Any]:
        command = self.command
        if not isinstance(command, Await):
            return super().dump(process)
        if self.volatile:
            raise UnsavableError("stage: it waits for something else than children", path="stage")
        return {"fn": method_name(process, command.onward), "awaited": command.awaited}

    @classmethod
    def load(cls, process: Any, saved: dict[str, Any]) -> Waiting:
        if "awaited" not in saved:
            return super().load(process, saved)
        return cls(Await(method_of(process, saved["fn"]), saved["awaited"]))


class _Waiter(asyncio.Task[Any]):
    """A task that only waits for a child; nothing is lost when it is cancelled."""


def _wait_for(leaf: Any, loop: asyncio.AbstractEventLoop) -> asyncio.Future[Any]:
    return _Waiter(leaf.result(), loop=loop) if isinstance(leaf, Child) else leaf


def _let_go(futures: Iterable[asyncio.Future[Any]]) -> None:
    for future in futures:
        if future.done() and not future.cancelled():
            future.exception()  # several may have failed; the one that ended the wait was raised
        elif isinstance(future, _Waiter):
            future.cancel()


def as_awaitable(value: Any, where: str) -> Any:
    """Get ``value`` with everything in it that can be awaited made a child or a future.

    Raises:
        TypeError: there is something else in it.
    """
    if isinstance(value, Child) or asyncio.isfuture(value):
        return value
    if hasattr(value, "_life"):
        return Child(value.pid, value.kind, value)
    if isinstance(value, list | tuple | dict):
        return _replace(value, lambda leaf: as_awaitable(leaf, where))
    if isinstance(value, Awaitable):
        return asyncio.ensure_future(value)  # noqa: TID251 (only a future can be looked at more than once)
    raise TypeError(f"{where}: expected an awaitable, or a list, tuple or dict of them, got {type(value).__name__}")


def leaves(value: Any) -> Iterator[Any]:
    """Walk over the awaitables in lists, tuples and dicts."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def _replace(value: Any, by: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {name: _replace(item, by) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_replace(item, by) for item in value)
    return by(value)
