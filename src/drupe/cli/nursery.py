"""The parent of workers: it starts anew what dies, hands signals on, and ends what is frozen.

It runs no process itself, so nothing that one does can hurt it, and it imports nearly nothing. A child says that it lives
by a byte every now and then, from a thread that no step can block. Silence alone proves nothing, since native code may keep
all threads of a child from running: only a child that is silent and that the system says is stopped is ended, because
it may have been stopped inside a write and keep everybody else from writing. Whoever wants silence to be enough asks for
a watchdog.

Time is that in which this program could run: a machine that sleeps, or a parent that was stopped itself, ends nobody.
"""

import os
import selectors
import signal
import socket
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Final

from drupe.cli.exit_code import ExitCode
from drupe.cli.readiness import Readiness
from drupe.cli.wire import GIVING_UP, INTERVAL, READY, STOPPING, UNWELL, WIRE
from drupe.runtime.clock import tick

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_PAUSE: Final = 0.1
"""Seconds before a child that died is started anew; twice as many each time that it did not live for long."""
_DOUBLINGS: Final = 6
_LONG: Final = 10.0
"""Seconds: whoever lived for so long was no failure."""
_TRIES: Final = 5
"""So many children in a row may end before they are at work."""
_LAPSE: Final = 2.0
"""Seconds between two looks that say that this program itself did not run."""


class Child:
    """One child, and the one that takes its place.

    Args:
        pid: the first one, which runs already.
        wire: this end of the wire to it.
    """

    def __init__(self, pid: int, wire: socket.socket) -> None:
        self.failures = 0
        """So many in a row ended before they were at work."""
        self._brief = 0
        self.due = 0.0
        self.code: int | None = None
        """What it ended with: its exit code, or the number of a signal, negative."""
        self._begin(pid, wire)

    def _begin(self, pid: int, wire: socket.socket) -> None:
        wire.setblocking(False)
        self.pid, self.wire = pid, wire
        self._born = self.heard = self.well = tick()
        self.started = self.takes = self.is_stopped = self.gives_up = False
        self.running = True

    def start(self, command: list[str]) -> None:
        """Start another one.

        Raises:
            OSError: the system refuses.
        """
        wire, theirs = socket.socketpair()
        with theirs:
            theirs.set_inheritable(True)
            variables = {**os.environ, WIRE: str(theirs.fileno())}
            try:
                # In a group of its own: Ctrl-C is for the parent, which hands it on once.
                pid = os.posix_spawn(command[0], command, variables, setpgroup=0, setsigdef=[signal.SIGPIPE])
            except OSError:
                wire.close()
                raise
        self._begin(pid, wire)

    def listen(self) -> None:
        """Take note of signs of life."""
        try:
            said = self.wire.recv(4096)
        except BlockingIOError:
            return
        if not said:
            return
        self.heard = tick()
        if READY in said:
            self.started = self.takes = True
        if STOPPING in said:
            self.takes = False
        if GIVING_UP in said:
            self.gives_up = True
        if said.strip(UNWELL):
            self.well = self.heard

    def has_ended(self) -> bool:
        """Tell whether it has ended since it was asked last; take note when it is stopped, or goes on."""
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
            if not pid:
                return False
            if os.WIFSTOPPED(status):
                self.is_stopped = True
            elif os.WIFCONTINUED(status):
                self.is_stopped = False
            else:
                break
        self.listen()  # the last words may not have been read
        self.wire.close()
        self.code = os.waitstatus_to_exitcode(status)
        self.running = self.takes = False
        self.fail(started=self.started)
        return True

    def fail(self, *, started: bool) -> None:
        """Set when another one is due."""
        self.failures = 0 if started else self.failures + 1
        self._brief = 0 if tick() - self._born > _LONG else min(self._brief + 1, _DOUBLINGS)
        self.due = tick() + _PAUSE * 2**self._brief

    def kill(self, number: int) -> None:
        """Send it a signal; it has not been waited for, so its pid is nobody else's."""
        os.kill(self.pid, number)


class Nursery:
    """Keeps children at work, until it is told to stop.

    Args:
        children: the first ones, which run already.
        command: the words that start another one.
        patience: seconds that a child may be stopped.
        readiness: what whoever started this program is told.
        note: is told what happens, for people.
    """

    def __init__(
        self,
        children: Sequence[Child],
        command: list[str],
        *,
        patience: float,
        readiness: Readiness,
        note: Callable[[str], object],
    ) -> None:
        self._children = children
        self._command = command
        self._patience = patience
        self._readiness = readiness
        self._note = note
        self._signals = 0
        self._told = 0
        self._looked = tick()
        self._takes = 0
        self._code: int = ExitCode.OK

    def run(self) -> int:
        """Run until a signal came and all children have ended, or until they cannot be started; get the exit code."""
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
                    child.kill(signal.SIGKILL)
                    os.waitpid(child.pid, 0)
            self._readiness.close()
            waker.close()
            woken.close()
        return self._code

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1

    def _wait(self, woken: socket.socket) -> None:
        watchdog = self._readiness.watchdog
        with selectors.DefaultSelector() as selector:
            selector.register(woken, selectors.EVENT_READ)
            for child in self._children:
                if child.running and not child.started:
                    selector.register(child.wire, selectors.EVENT_READ)
            for key, _ in selector.select(INTERVAL if watchdog is None else min(INTERVAL, watchdog / 4)):
                if key.fileobj is woken:
                    woken.recv(4096)

    def _look(self) -> bool:
        """Do what is to be done now; False when nothing is left."""
        self._forgive_if_lapsed()
        for child in self._children:
            if child.running:
                self._look_after(child)
            elif not self._signals and tick() >= child.due:
                self._replace(child)
        self._hand_on()
        self._tell()
        return not self._signals or any(child.running for child in self._children)

    # --- children ------------------------------------------------------------------------------------------

    def _look_after(self, child: Child) -> None:
        if not child.has_ended():
            child.listen()
            self._end_if_frozen(child)
        elif self._told and self._code == ExitCode.OK and child.code:  # it did not end as it was told to
            self._code = child.code if child.code > 0 else 128 - child.code

    def _replace(self, child: Child) -> None:
        """Start another one in the place of one that ended."""
        how = _end_of(child.code or 0)
        usage = not child.started and child.code == ExitCode.USAGE  # what is wrong with how it is called stays so
        if child.code is not None and (usage or child.gives_up):
            self._give_up(child.code)
            return
        if child.failures >= _TRIES:
            self._note(f"a worker ended {_TRIES} times in a row before it was at work, lastly with {how}: giving up")
            self._give_up(ExitCode.FAILING)
            return
        self._note(f"a worker ended ({how}): another one is started")
        try:
            child.start(self._command)
        except OSError as error:
            self._note(f"a worker cannot be started: {self._command[0]}: {error}")
            child.fail(started=False)

    def _give_up(self, code: int) -> None:
        self._code = code
        self._signals += 1

    def _end_if_frozen(self, child: Child) -> None:
        if child.is_stopped and tick() - child.heard > self._patience:
            self._end(child, f"has been stopped for {self._patience:g} s")
        elif not self._signals and child.started and self._readiness.watchdog is not None:
            unwell = tick() - child.well
            if unwell > self._readiness.watchdog:
                self._end(child, f"has not been well for {unwell:.1f} s")

    def _end(self, child: Child, why: str) -> None:
        self._note(f"worker {child.pid} {why}: it is ended")
        child.kill(signal.SIGKILL)
        child.heard = child.well = tick()  # it takes a moment

    def _forgive_if_lapsed(self) -> None:
        """Give the children time to be heard if this program itself did not run for a while."""
        looked, self._looked = self._looked, tick()
        if self._looked - looked > _LAPSE:
            for child in self._children:
                child.heard = child.well = self._looked

    # --- others --------------------------------------------------------------------------------------------

    def _hand_on(self) -> None:
        if self._signals == self._told:
            return
        first, self._told = not self._told, self._signals
        for child in self._children:
            if child.running:
                child.kill(signal.SIGTERM if first else signal.SIGKILL)
        if first:
            self._readiness.stopping("running steps have time to end")
        else:
            self._code = ExitCode.INTERRUPTED

    def _tell(self) -> None:
        """Tell how many take tasks, if that has changed, and that all is well here."""
        self._readiness.alive()
        takes, count = sum(child.takes for child in self._children), len(self._children)
        if self._signals or takes == self._takes:
            return
        self._takes = takes
        status = f"{takes} of {count} workers take tasks"
        if takes:
            self._readiness.ready(status)
        else:
            self._readiness.unready(status)


def _end_of(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
