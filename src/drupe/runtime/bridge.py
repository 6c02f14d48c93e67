"""Running a coroutine to its end from plain code, whatever loop runs around it; and the way between threads.

Threads are started and loops are hopped between here and nowhere else. The promise of `run`: when it returns or raises, the running loop, the current task, the
current loop, the policy and the context are what they were before. Nothing is patched, no
loop is made current, and a loop that is made here is closed here.
"""

import asyncio
import atexit
import contextlib
import contextvars
import os
import threading
from collections.abc import Callable, Coroutine, Generator, Iterator
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from drupe.errors import LoopError
from drupe.runtime import portal

T = TypeVar("T")

Loop = asyncio.AbstractEventLoop
Thread = threading.Thread


class _TaskCount:
    """A task factory that counts, which is cheaper than looking for tasks that were left behind."""

    __slots__ = ("made",)

    def __init__(self) -> None:
        self.made = 0

    def __call__(
        self, loop: Loop, coro: Coroutine[Any, Any, T] | Generator[Any, None, T], **options: Any
    ) -> "asyncio.Task[T]":
        self.made += 1
        return asyncio.Task(coro, loop=loop, **options)


class _Spare:
    """A loop that is kept for the next `run` of its thread, and closed with it."""

    __slots__ = ("loop", "tasks")

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.tasks = _TaskCount()
        self.loop.set_task_factory(self.tasks)

    def __del__(self) -> None:
        if not self.loop.is_closed():
            self.loop.close()


class _Spares(threading.local):
    def __init__(self) -> None:
        self.idle: list[_Spare] = []


# From Python 3.14 on the public function warns, and the private one is what asyncio itself uses.
_policy: Final = getattr(asyncio.events, "_get_event_loop_policy", asyncio.get_event_loop_policy)
_spares: Final = _Spares()
_inherited: Final[list[_Spare]] = []


def _close_at_exit() -> None:
    # By hand: an interrupt leaves a ring of references behind, in which the loop would be found when it is too late.
    for spare in _spares.idle:
        spare.loop.close()
    _spares.idle.clear()


def _let_go_after_fork() -> None:
    # A forked child shares the parent's selector: closing a loop there would take file descriptors out of it.
    _inherited.extend(_spares.idle)
    _spares.idle.clear()


atexit.register(_close_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_after_fork)


def current_loop() -> Loop | None:
    """Get the loop that runs here, else the one its user made current and did not close, else None.

    asking asyncio for the current loop would create one, or warn, where there is none; so the
    policy's own record is read.
    """
    running = asyncio._get_running_loop()
    if running is not None:
        return running
    record = getattr(_policy(), "_local", None)
    loop: Loop | None = getattr(record, "_loop", None)
    return None if loop is None or loop.is_closed() else loop


def new_thread(work: Callable[..., None], *args: Any, name: str) -> Thread:
    """Get a thread, not started yet, that does ``work(*args)``; a daemon: it never keeps an interpreter from ending."""
    return Thread(target=work, args=args, name=name, daemon=True)


def in_thread(work: Callable[[], T], *, name: str) -> "Future[T]":
    """Have ``work()`` done in a thread of its own, with the context variables of this place, and get a future of its end.

    Nobody can end it from outside: the future cannot be cancelled, and who stops waiting leaves the work to itself.
    """
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()
    context = contextvars.copy_context()

    def do() -> None:
        try:
            result = context.run(work)
        except StopIteration as error:  # cannot be raised where somebody awaits
            failure = RuntimeError("the work raised StopIteration")
            failure.__cause__ = error
            future.set_exception(failure)
        except BaseException as error:  # noqa: BLE001 (raised where somebody awaits)
            future.set_exception(error)
        else:
            future.set_result(result)

    new_thread(do, name=name).start()
    return future


def hop(loop: Loop, callback: Callable[..., object], *args: Any) -> bool:
    """Have ``loop`` call ``callback(*args)``, from any thread; False when it is closed, so that nobody waits there."""
    try:
        loop.call_soon_threadsafe(callback, *args)
    except RuntimeError:
        if loop.is_closed():
            return False
        raise
    return True


def run(coro: Coroutine[Any, Any, T], *, loop: Loop | None = None) -> T:
    """Run ``coro`` to its end and get its result, from plain code.

    Where no loop runs, it runs on ``loop``, else on the current loop, else on one of the bridge's own.
    Inside a running loop: through the portal if the calling code is in one; by the loop itself if its
    user made it re-entrant (nest_asyncio); else the running loop is set aside and another one runs in
    this thread meanwhile.

    Raises:
        LoopError: ``loop`` runs in another thread, or is closed.
    """
    running = asyncio._get_running_loop()
    try:
        if loop is not None and loop.is_closed():
            raise LoopError("the loop that was given for this process is closed; give it another one")
        if loop is not None and loop is not running and loop.is_running():
            raise LoopError(
                "the loop of this process runs in another thread; hand the call over with loop.call_soon_threadsafe"
            )
        if running is None:
            return _complete(coro, loop or current_loop())
        if loop is None or loop is running:
            here = portal.current()
            if here is not None:
                return _wait_within(here, coro, running)
            if hasattr(running, "_nest_patched"):
                return running.run_until_complete(coro)
            loop = None
        with _aside(running):
            return _complete(coro, loop)
    finally:
        coro.close()  # only of effect when it never started, so that no warning covers the real error


def _wait_within(here: portal.Portal, coro: Coroutine[Any, Any, T], loop: Loop) -> T:
    """Run ``coro`` as a task of its own, which keeps the Python stack flat, while the calling code waits in its portal."""
    count = loop.get_task_factory()
    if not isinstance(count, _TaskCount):
        return here.wait(loop.create_task(coro))
    task = asyncio.Task(coro, loop=loop)  # counted only if it is left behind
    try:
        return here.wait(task)
    finally:
        count.made += not task.done()


def _complete(coro: Coroutine[Any, Any, T], loop: Loop | None) -> T:
    if loop is not None:
        return _finish(coro, loop)
    spare = _spares.idle.pop() if _spares.idle else _Spare()
    spare.tasks.made = 0
    try:
        return _finish_quickly(coro, spare.loop)
    finally:
        if spare.tasks.made:
            _cancel_leftovers(spare.loop)
        _spares.idle.append(spare)


def _finish_quickly(coro: Coroutine[Any, Any, T], loop: Loop) -> T:
    """Do what `_finish` does in one turn of the loop less: the coroutine itself stops the loop when it ends."""
    task = asyncio.Task(_then_stop(coro, loop), loop=loop)
    try:
        loop.run_forever()
        if getattr(loop, "_ready", True):  # what was asked for in the last turn is still done
            loop.run_until_complete(asyncio.sleep(0))
    except BaseException:
        _end(task, loop)
        raise
    if not task.done():
        _end(task, loop)
        raise LoopError("the loop was stopped before the process had ended")
    return task.result()


def _end(task: "asyncio.Task[Any]", loop: Loop) -> None:
    """Leave nothing half-run behind of a task that stops the loop itself, and nothing that would stop its next run."""
    if not task.done():
        task.cancel()
        loop.run_forever()
    if not task.cancelled():
        task.exception()  # it was raised out of the loop already


async def _then_stop(coro: Coroutine[Any, Any, T], loop: Loop) -> T:
    try:
        return await coro
    finally:
        loop.stop()


def _finish(coro: Coroutine[Any, Any, T], loop: Loop) -> T:
    task = loop.create_task(coro)
    try:
        return loop.run_until_complete(task)
    except BaseException:
        _give_up(task, loop)
        raise


def _give_up(task: "asyncio.Task[Any]", loop: Loop) -> None:
    """Leave nothing half-run behind when an interrupt ended the loop, not the task."""
    if not task.done():
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
    elif not task.cancelled():
        task.exception()  # it was raised out of the loop already


def _cancel_leftovers(loop: Loop) -> None:
    leftovers = asyncio.all_tasks(loop)
    for task in leftovers:
        task.cancel()
    if leftovers:
        loop.run_until_complete(asyncio.gather(*leftovers, return_exceptions=True))


@contextlib.contextmanager
def _aside(loop: Loop) -> Iterator[None]:
    """Make this thread look as if ``loop`` did not run, for the time of another loop."""
    task = asyncio.current_task(loop)
    if task is not None:
        asyncio.tasks._leave_task(loop, task)
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)
        if task is not None:
            asyncio.tasks._enter_task(loop, task)
