"""A portal out of plain functions: inside `enter`, synchronous code may wait for an awaitable.

The coroutine given to `enter` runs in a greenlet of its own. When plain code that it calls,
at any depth, calls `wait`, the greenlet hands what is to be awaited to the task that entered,
which yields it to its loop like any ``await`` does. The Python stack of the waiting code stays
aside meanwhile, so nesting does not deepen the stack.

Greenlets are kept and used again: starting one costs about 7 µs, switching to a parked one 0.2
(greenlet 3.5, Python 3.11). The rule that keeps this module clean: nothing here knows processes.
"""

import asyncio
import threading
import types
from collections.abc import Awaitable, Coroutine, Generator
from typing import Any, Final, TypeVar, cast

from greenlet import GreenletExit, getcurrent, greenlet

from drupe.errors import LoopError

T = TypeVar("T")

_KEPT_AT_MOST: Final = 64


class Portal(greenlet):
    """One greenlet that runs one coroutine after the other."""

    task: "asyncio.Task[Any] | None" = None
    done: bool = False
    result: Any = None
    raised: BaseException | None = None

    def run(self, coro: Coroutine[Any, Any, Any]) -> None:
        while True:
            try:
                self.result = _relay(self, coro)
            except GreenletExit:  # its thread ends, or the interpreter does
                raise
            except BaseException as error:  # noqa: BLE001 (raised again by `enter`, on the task's side)
                self.raised = error
            self.done = True
            del coro
            coro = cast("greenlet", self.parent).switch(None)

    def wait(self, awaitable: Awaitable[T]) -> T:
        """Wait, in plain code that runs in this portal, for an awaitable of the running loop."""
        return _relay(self, awaitable.__await__())


class _Idle(threading.local):
    def __init__(self) -> None:
        self.portals: list[Portal] = []


_idle = _Idle()


def _relay(portal: greenlet, coro: Coroutine[Any, Any, T] | Generator[Any, Any, T]) -> T:
    """Run ``coro`` in this greenlet, passing each thing it yields to the greenlet's parent."""
    try:
        wanted = coro.send(None)
        while True:
            try:
                answer = portal.parent.switch(wanted)  # type: ignore[union-attr]  # who runs in a portal entered it
            except GreenletExit:
                coro.close()
                raise
            except BaseException as error:  # noqa: BLE001 (thrown into the coroutine, as a task does)
                wanted = coro.throw(error)
            else:
                wanted = coro.send(answer)
    except StopIteration as stop:
        return cast("T", stop.value)


@types.coroutine
def enter(coro: Coroutine[Any, Any, T], task: "asyncio.Task[Any] | None" = None) -> Generator[Any, Any, T]:
    """Await ``coro`` so that plain code inside it can `wait`. Inside a portal of the same task this is a plain await.

    Args:
        coro: what to run.
        task: the current task, where the caller knows it.
    """
    task = task or asyncio.current_task()
    here = getcurrent()
    if type(here) is Portal and here.task is task:
        return (yield from coro)  # type: ignore[no-any-return]
    portals = _idle.portals
    portal = portals.pop() if portals else Portal()
    portal.task = task
    portal.parent = here
    portal.gr_context = here.gr_context
    try:
        wanted = portal.switch(coro)
        while not portal.done:
            try:
                answer = yield wanted
            except BaseException as error:  # noqa: BLE001 (goes on inside the portal)
                portal.parent = getcurrent()
                wanted = portal.throw(type(error), error, error.__traceback__)  # without it, where from would be lost
            else:
                portal.parent = getcurrent()
                wanted = portal.switch(answer)
        if portal.raised is not None:
            raise portal.raised
        return portal.result  # type: ignore[no-any-return]
    finally:
        if portal.done:
            portal.done, portal.result, portal.raised, portal.task, portal.gr_context = False, None, None, None, None
            if len(portals) < _KEPT_AT_MOST:
                portals.append(portal)
            else:  # its own frame holds it: one that is only dropped stays for ever
                portal.parent = getcurrent()
                portal.throw()


def current() -> Portal | None:
    """Get the portal of the current task that the calling code runs in, if it does."""
    here = getcurrent()
    open_here = type(here) is Portal and here.task is not None and here.task is asyncio.current_task()
    return cast("Portal", here) if open_here else None


def is_open() -> bool:
    """Tell whether plain code here may `wait`: it runs inside a portal of the current task."""
    return current() is not None


def wait(awaitable: Awaitable[T]) -> T:
    """Wait, in plain code, for an awaitable of the running loop.

    Raises:
        LoopError: the code does not run inside a portal of the current task.
    """
    here = current()
    if here is None:
        raise LoopError("plain code can wait only inside a portal of the task that runs it")
    return here.wait(awaitable)
