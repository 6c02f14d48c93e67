"""A thread that does one thing again and again, whatever the rest of the interpreter is doing."""

import threading
from collections.abc import Callable

from drupe.runtime import bridge


class Pulse:
    """Calls ``beat`` every ``interval`` seconds on a thread of its own, until it is stopped or ``beat`` says False."""

    def __init__(self, beat: Callable[[], bool], *, interval: float, name: str) -> None:
        self._beat = beat
        self._interval = interval
        self._name = name
        self._stopped = threading.Event()
        self._thread: bridge.Thread | None = None

    def start(self) -> None:
        """Begin; the first beat comes after one interval."""
        self._thread = bridge.new_thread(self._run, name=self._name)
        self._thread.start()

    def stop(self) -> None:
        """End, after the beat that may be under way. Stopping twice does nothing."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._interval):
            if not self._beat():
                return
