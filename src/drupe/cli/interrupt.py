"""Ctrl-C: the first asks for a stop between two steps, the second ends the interpreter at once.

The handler may run anywhere in user code that blocks the loop, so it writes with one system call, wakes the loop,
and does nothing else. It is not the loop's own kind of handler, which would not be called before the loop is free.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def listening(
    asked: Callable[[], None], notice: Callable[[], str], *, then: signal.Handlers = signal.SIG_DFL
) -> Iterator[None]:
    """Have the first SIGINT or SIGTERM asked for a stop; after it, both have the effect they had in the beginning: the end.

    Args:
        asked: called on the running loop as soon as that is free.
        notice: gets what is written to the standard error at once; called in the middle of anything.
        then: what further ones do. Somebody whose parent decides about that ignores them.
    """
    loop = asyncio.get_running_loop()
    heard: list[int] = []

    def first(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        for each in SIGNALS:
            signal.signal(each, then)
        with contextlib.suppress(OSError):
            os.write(2, notice().encode())
        loop.call_soon_threadsafe(asked)

    former = {each: signal.signal(each, first) for each in SIGNALS}
    try:
        yield
    finally:
        if not heard:  # once a stop was asked for, the next signal is the end wherever it comes
            for each, handler in former.items():
                signal.signal(each, handler)
