"""The parent of several workers: starts them, starts anew what dies, hands signals on, and ends what is frozen.

It runs no process itself, so nothing that one does can hurt it, and it imports little. A child says that it lives by a
byte every now and then, from a thread that no step can block. Silence alone proves nothing, since native code may keep
all threads of a child from running: only a child that is silent and that the system says is stopped is ended, because
it may have been stopped inside a write and keep everybody else from writing.
"""

import os
import selectors
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from drupe.cli.exit_code import ExitCode
from drupe.runtime.clock import tick

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_LOOKS: Final = 0.2
_PAUSE: Final = 0.1
"""Seconds before a child that died is started anew; twice as many each time that it did not get to work."""
_TRIES: Final = 5
"""So many children in a row may end before they are at work."""


class _Child:
    """One child, and the one that takes its place."""

    def __init__(self) -> None:
        self.program: subprocess.Popen[bytes]
        self.wire: socket.socket
        self.heard = 0.0
        self.at_work = False
        self.running = False
        self.failures = 0
        self.due = tick()

    def start(self, command: Sequence[str]) -> None:
        self.wire, theirs = socket.socketpair()
        self.wire.setblocking(False)
        with theirs:
            words = [*command, "--heart", str(theirs.fileno())]
            # In a group of its own: Ctrl-C is for the parent, which hands it on once.
            self.program = subprocess.Popen(words, pass_fds=[theirs.fileno()], process_group=0)  # noqa: S603
        self.heard, self.at_work, self.running = tick(), False, True

    def beat(self) -> None:
        """Take note of a sign of life."""
        try:
            beats = self.wire.recv(4096)
        except BlockingIOError:
            return
        if beats:
            self.heard, self.at_work = tick(), True

    def has_ended(self) -> bool:
        if self.program.poll() is None:
            return False
        self.beat()  # the last one may not have been read
        self.wire.close()
        self.running = False
        self.failures = 0 if self.at_work else self.failures + 1
        self.due = tick() + _PAUSE * 2**self.failures
        return True


class Nursery:
    """Keeps so many children at work, until it is told to stop.

    Args:
        command: the words that start one.
        count: how many.
        patience: seconds that a child may be stopped.
        note: is told what happens, for people.
    """

    def __init__(self, command: Sequence[str], count: int, *, patience: float, note: Callable[[str], None]) -> None:
        self._command = command
        self._children = [_Child() for _ in range(count)]
        self._patience = patience
        self._note = note
        self._signals = 0
        self._told = 0
        self._code = ExitCode.OK

    def run(self) -> ExitCode:
        """Run until a signal came and all children have ended, or until they cannot be started."""
        waker, woken = socket.socketpair()
        waker.setblocking(False)
        former = {each: signal.signal(each, self._hear) for each in _SIGNALS}
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        try:
            while self._look():
                self._wait(woken)
        finally:
            signal.set_wakeup_fd(-1)
            for each, handler in former.items():
                signal.signal(each, handler)
            for child in self._children:
                if child.running:
                    child.program.kill()
                    child.program.wait()
            waker.close()
            woken.close()
        return self._code

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1

    def _wait(self, woken: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(woken, selectors.EVENT_READ)
            for child in self._children:
                if child.running and not child.at_work:
                    selector.register(child.wire, selectors.EVENT_READ)
            for key, _ in selector.select(_LOOKS):
                if key.fileobj is woken:
                    woken.recv(4096)

    def _look(self) -> bool:
        """Do what is to be done now; False when nothing is left."""
        for child in self._children:
            if child.running and not child.has_ended():
                child.beat()
                self._end_if_frozen(child)
            elif not self._signals and tick() >= child.due:
                self._start(child)
        self._hand_on()
        return not self._signals or any(child.running for child in self._children)

    def _start(self, child: _Child) -> None:
        if child.failures >= _TRIES:
            self._note(f"a worker ended {_TRIES} times in a row before it was at work: giving up")
            self._code = ExitCode.FAILING
            self._signals += 1
            return
        if hasattr(child, "program"):
            self._note(f"a worker ended ({_end_of(child.program.returncode)}): another one is started")
        child.start(self._command)

    def _hand_on(self) -> None:
        if self._signals == self._told:
            return
        first, self._told = not self._told, self._signals
        for child in self._children:
            if child.running and first:
                child.program.terminate()
            elif child.running:
                child.program.kill()
        if not first:
            self._code = ExitCode.INTERRUPTED

    def _end_if_frozen(self, child: _Child) -> None:
        if tick() - child.heard > self._patience and _is_stopped(child.program.pid):
            self._note(f"worker {child.program.pid} has been stopped for {self._patience:g} s: it is ended")
            child.program.kill()


def _is_stopped(pid: int) -> bool:
    """Tell whether the system has stopped a program; False where the system does not say."""
    try:
        said = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return said.rpartition(")")[2].split()[0] in ("T", "t")


def _end_of(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


class Heart:
    """The child's side: tells its parent that it lives, and hears of the parent's end.

    Args:
        wire: the descriptor that the parent gave.
        orphaned: called, on the heart's thread, when there is no parent any more.
    """

    def __init__(self, wire: int, orphaned: Callable[[], None]) -> None:
        from drupe.runtime.pulse import Pulse

        os.set_inheritable(wire, False)
        os.set_blocking(wire, False)
        self._wire = wire
        self._orphaned = orphaned
        self._pulse = Pulse(self._beat, interval=_LOOKS, name="drupe-heart")

    def start(self) -> None:
        """Begin: from now on the child is at work."""
        if self._beat():
            self._pulse.start()

    def stop(self) -> None:
        """Say nothing more."""
        self._pulse.stop()

    def _beat(self) -> bool:
        try:
            os.write(self._wire, b".")
        except BlockingIOError:  # the parent has not read for long
            return True
        except ConnectionError:
            self._orphaned()
            return False
        return True
