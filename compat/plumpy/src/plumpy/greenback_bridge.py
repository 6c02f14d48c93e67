"""Waiting in plain code for something that a loop does.

The portals that processes run in are drupe's. What is asked for here, where there is none, is one of greenback's: it can be
given to a task that runs already, and code that knows greenback finds it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, cast

import greenback

from drupe.runtime import bridge, portal

__all__ = ["ensure_portal", "has_portal", "run_until_complete", "run_with_portal", "sync_await"]

_T = TypeVar("_T")


def has_portal() -> bool:
    """Whether plain code may wait here."""
    return portal.is_open() or greenback.has_portal()


def sync_await(awaitable: Awaitable[_T]) -> _T:
    """Wait, in plain code within a portal, for an awaitable of the running loop; raises `RuntimeError` elsewhere."""
    here = portal.current()
    return greenback.await_(awaitable) if here is None else here.wait(awaitable)


async def run_with_portal(fn: Callable[..., _T], *args: Any, **kwargs: Any) -> _T:
    """Call ``fn``, plain code, so that it may wait."""
    if has_portal():
        return fn(*args, **kwargs)
    return await greenback.with_portal_run_sync(fn, *args, **kwargs)


async def ensure_portal() -> None:
    """Let plain code that the current task calls wait from now on."""
    if not portal.is_open():
        await greenback.ensure_portal()


def run_until_complete(loop: asyncio.AbstractEventLoop, awaitable: Awaitable[_T]) -> _T:
    """Run ``awaitable`` to its end by ``loop``, which may run already if this is called within a portal.

    Raises:
        RuntimeError: the loop runs, and there is no portal.
    """
    if loop.is_running() and asyncio._get_running_loop() is loop:
        if portal.is_open():
            return bridge.run(_enter(awaitable), loop=loop)
        if greenback.has_portal():
            return greenback.await_(awaitable)
        _discard(awaitable)
        raise RuntimeError(
            "Cannot run awaitable: event loop is running but no greenback portal is available. "
            "If running in a Jupyter notebook, call load_profile() in a prior cell."
        )
    return bridge.run(_enter(awaitable), loop=loop)


async def _wait(awaitable: Awaitable[_T]) -> _T:
    return await awaitable


async def _enter(awaitable: Awaitable[_T]) -> _T:
    return await portal.enter(cast("Coroutine[Any, Any, _T]", _wait(awaitable)))


def _discard(awaitable: Awaitable[Any]) -> None:
    if asyncio.iscoroutine(awaitable):
        awaitable.close()  # so that no warning covers the error
