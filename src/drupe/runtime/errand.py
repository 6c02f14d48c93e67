"""Work that one thread hands to the loop of another, and the future by which it hears of it.

Every errand ends: with its result, with its error, or with the error of a loop that is gone.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from functools import partial
from typing import Any

from drupe.runtime import bridge

Work = Callable[[], Coroutine[Any, Any, Any]]


class Errands:
    """Errands to one loop, sent from any thread. Cancelling the future of one cancels its work.

    Args:
        loop: where the work is done.
        cancelled: makes the error of work that was cancelled over there.
        gone: makes the error of work that was not done because the loop is closed.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        cancelled: Callable[[], BaseException],
        gone: Callable[[], BaseException],
    ) -> None:
        self._loop = loop
        self._cancelled = cancelled
        self._gone = gone
        self._open: set[Future[Any]] = set()
        self._tasks: dict[asyncio.Task[Any], Future[Any]] = {}
        self._sent: deque[tuple[Work, Future[Any]]] = deque()
        self._is_called = False

    def send(self, work: Work) -> "Future[Any]":
        """Have ``work`` done, and get a future of its result."""
        future: Future[Any] = Future()
        self._open.add(future)  # before the hop: either the loop sees the errand, or its end does
        future.add_done_callback(self._open.discard)
        self._sent.append((work, future))
        if (
            not self._is_called
        ):  # waking a loop costs more than the errand; once is enough for all that are sent meanwhile
            self._is_called = True
            if not bridge.hop(self._loop, self._begin_all):
                self._is_called = False
                self._finish(future, error=self._gone())
        return future

    def tasks(self) -> "list[asyncio.Task[Any]]":
        """Get what is being done; to be asked on the loop."""
        return list(self._tasks)

    def keep(self, task: "asyncio.Task[Any] | None") -> None:
        """Let ``task`` go on though its future is cancelled, if it is one of the errands; to be asked on the loop."""
        if task is not None:
            self._tasks.pop(task, None)

    def fail_all(self) -> None:
        """Fail what was not finished; to be called when the loop is closed."""
        for future in list(self._open):
            self._finish(future, error=self._gone())

    def _begin_all(self) -> None:
        self._is_called = False  # before looking: what is sent from now on calls again
        for _ in range(len(self._sent)):
            self._begin(*self._sent.popleft())

    def _begin(self, work: Work, future: "Future[Any]") -> None:
        if not future.cancelled():
            task = self._loop.create_task(work())
            self._tasks[task] = future
            task.add_done_callback(self._done)
            future.add_done_callback(partial(self._told, task))

    def _told(self, task: "asyncio.Task[Any]", future: "Future[Any]") -> None:
        if future.cancelled():
            bridge.hop(self._loop, self._cancel, task)

    def _cancel(self, task: "asyncio.Task[Any]") -> None:
        if task in self._tasks:
            task.cancel()

    def _done(self, task: "asyncio.Task[Any]") -> None:
        future = self._tasks.pop(task, None)
        error = self._cancelled() if task.cancelled() else task.exception()  # asked for also when nobody wants it
        if future is not None:
            self._finish(future, error=error, result=None if error else task.result())

    def _finish(self, future: "Future[Any]", *, error: BaseException | None, result: Any = None) -> None:
        if future.set_running_or_notify_cancel():
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
