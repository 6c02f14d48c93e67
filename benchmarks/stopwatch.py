"""Time as it is measured here: wall time and processor time of one stretch of a program."""

import gc
import resource
import time
from types import TracebackType
from typing import Self


class Stopwatch:
    """Measures the body of its ``with`` statement; what went before, garbage included, is not counted.

    Attributes:
        wall: seconds on the clock.
        cpu: seconds of processor time, of all threads and of programs that were started and have ended.
        bytes: memory, where that is what counts: the work sets it itself.
    """

    def __init__(self) -> None:
        self.wall = self.cpu = self.bytes = 0.0

    def __enter__(self) -> Self:
        gc.collect()
        self.cpu -= _cpu()
        self.wall -= time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.wall += time.perf_counter()
        self.cpu += _cpu()


def _cpu() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
