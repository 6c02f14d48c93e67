"""One thread that takes requests in batches and answers each on the loop it came from.

It knows nothing of what is asked. Handing over costs one append for a request and one wake-up of
the loop for a whole batch, because both threads share the interpreter's lock: what is spent here,
every step of every process pays.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future as Waited
from queue import Empty, SimpleQueue
from typing import Any, Final, Generic, Protocol, TypeVar

from drupe.runtime import bridge
from drupe.runtime.clock import tick

Request = TypeVar("Request")
Taken = TypeVar("Taken", contravariant=True)

_BATCH: Final = 4096
"""So many requests at most are answered together: a flood does not make everybody wait for all of it."""
_MANY: Final = 64
"""So many that wait are not halved: each commit has its price."""
_QUICK: Final = 0.0005, 0.00003
"""Seconds for a batch, and more for each request in it: what takes longer waits for a disk, and twice is twice as long."""


class Work(Protocol[Taken]):
    """What the thread does; all of it is called on the thread."""

    def begin(self) -> None:
        """Get ready; an exception keeps the thread from starting and goes to whoever starts it."""
        ...

    def answer(self, batch: Sequence[Taken], /) -> Sequence[object]:
        """Get an answer for each request, in order; one that is an exception is raised where it is awaited.

        An exception that is raised, not answered, ends the thread.
        """
        ...

    def end(self) -> None:
        """Let go of everything; called once for every `begin`, also for one that failed."""
        ...


class Writer(Generic[Request]):
    """A thread that works off requests from any thread and loop.

    Args:
        work: what it does with them.
        name: name of the thread.
        closed: makes the error for a request that comes before `start` or after `close`.
        batch: how many requests at most are answered together.
        halving: whether, of many that wait, only half are taken: those who get an answer go on while the thread waits
            for that of the others. It is done as long as it pays: where the thread waits for another program, and not
            for a slow disk.
    """

    def __init__(
        self,
        work: Work[Request],
        *,
        name: str,
        closed: Callable[[], BaseException],
        batch: int = _BATCH,
        halving: bool = False,
    ) -> None:
        self._work = work
        self._name = name
        self._closed = closed
        self._batch = batch
        self._halving = self._quick = halving
        self._queue: SimpleQueue[tuple[Request, asyncio.Future[Any]] | None] = SimpleQueue()
        self._refuse: Callable[[], BaseException] | None = closed
        self._thread: bridge.Thread | None = None
        self._ready: Waited[None] = Waited()
        self._ended: Waited[None] = Waited()

    def put(self, request: Request) -> "asyncio.Future[Any]":
        """Ask for something; the answer comes to the running loop."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._queue.put((request, future))
        # Looked at after putting: either the thread's last look at the queue sees the request, or this sees its end.
        if self._refuse is not None:
            self._turn_away()
        return future

    async def start(self) -> None:
        """Start the thread, and return when it is ready. Starting twice does nothing.

        Raises:
            BaseException: what the work's `begin` raised.
        """
        if self._thread is None:
            self._turn_away()  # a thread that died left the mark of its end behind
            self._ready, self._ended = Waited(), Waited()
            self._thread = bridge.new_thread(self._run, self._ready, self._ended, name=self._name)
            self._thread.start()
        # A shield: who is cancelled while it waits must not cancel the start for somebody else.
        await asyncio.shield(asyncio.wrap_future(self._ready))

    async def close(self) -> None:
        """Answer what was asked for before, then end the thread. Closing twice does nothing."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            await asyncio.shield(asyncio.wrap_future(self._ended))
            thread.join()

    def _run(self, ready: "Waited[None]", ended: "Waited[None]") -> None:
        reason, failure = self._closed, None
        try:
            self._work.begin()
            self._refuse = None
            ready.set_result(None)
            while self._work_off():
                pass
        except BaseException as error:  # noqa: BLE001 (goes to everybody who asked, and who will ask)
            if ready.done():
                reason = _always(error)
            else:
                failure = error
        try:
            self._work.end()
        finally:
            self._refuse = reason
            self._turn_away()
            if failure is not None:  # told last: whoever hears of it may start another thread at once
                self._thread = None
                ready.set_exception(failure)
            ended.set_result(None)

    def _work_off(self) -> bool:
        """Answer one batch; False when there was none because the thread is to end."""
        queue = self._queue
        items = [queue.get()]
        more = min(queue.qsize(), self._batch - 1)
        if self._halving and self._quick and more > _MANY:
            more //= 2
        items += [queue.get_nowait() for _ in range(more)]
        batch = [item for item in items if item is not None]
        last = len(batch) < len(items)
        if not batch:
            return False
        begun = tick()
        try:
            answers = self._work.answer([request for request, _ in batch])
        except BaseException as error:
            _tell([(future, error) for _, future in batch])
            raise
        self._quick = tick() - begun < _QUICK[0] + _QUICK[1] * len(batch)
        _tell([(future, answer) for (_, future), answer in zip(batch, answers, strict=True)])
        return not last

    def _turn_away(self) -> None:
        refuse = self._refuse
        turned: list[tuple[asyncio.Future[Any], object]] = []
        while refuse is not None and not self._queue.empty():
            try:
                item = self._queue.get_nowait()
            except Empty:  # another thread was faster
                break
            if item is not None:
                turned.append((item[1], refuse()))
        _tell(turned)


def _always(error: BaseException) -> Callable[[], BaseException]:
    return lambda: error


def _tell(answers: "list[tuple[asyncio.Future[Any], object]]") -> None:
    """Wake each loop once, with all that is for it."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], object]]] = {}
    for pair in answers:
        loop = pair[0].get_loop()
        if loop in by_loop:
            by_loop[loop].append(pair)
        else:
            by_loop[loop] = [pair]
    for loop, pairs in by_loop.items():
        bridge.hop(loop, _resolve, pairs)


def _resolve(answers: "list[tuple[asyncio.Future[Any], object]]") -> None:
    for future, answer in answers:
        if future.done():  # cancelled meanwhile; what was asked is done nevertheless
            continue
        if isinstance(answer, BaseException):
            future.set_exception(answer)
        else:
            future.set_result(answer)
