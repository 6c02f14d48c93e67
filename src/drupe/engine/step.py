"""Saying how a step is run."""

import asyncio
import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from drupe.errors import DefinitionError
from drupe.runtime import bridge

F = TypeVar("F", bound=Callable[..., Any])


def step(*, thread: bool = False) -> Callable[[F], F]:
    """Say how a step is run; a decorator of methods, of processes and of work chains: ``@step(thread=True)``.

    Args:
        thread: run the step in a thread of its own, so that it may block as long as it likes: other processes go on, and
            a pause or a kill that comes meanwhile takes effect at its end. It may use the inputs, the fields, the context
            and the outputs of its process, `Process.current`, and `Process.execute` of others. What belongs to
            the loop it must leave alone: it cannot await, and pauses, kills or signals its own process by what it returns.
            Nobody can end a thread: one whose process was killed by force, or whose runner was left, runs to its end
            unobserved, and what it comes to is dropped. It may then run beside the step that repeats it elsewhere.

    Raises:
        DefinitionError: an ``async def`` is to be run in a thread; it gives its loop back by itself.
    """
    return _in_thread if thread else _as_it_is


def _as_it_is(method: F) -> F:
    return method


def _in_thread(method: Any) -> Any:
    if inspect.iscoroutinefunction(method):
        raise DefinitionError(f"{method.__qualname__} is an `async def`: only a plain `def` step is run in a thread")

    @functools.wraps(method)
    async def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        life = self._life
        life.thread = bridge.in_thread(
            functools.partial(method, self, *args, **kwargs), name=f"drupe-step-{method.__name__}"
        )
        return await asyncio.wrap_future(life.thread)

    return run
