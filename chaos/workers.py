"""Real workers, started as a person starts them, and what may happen to them."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from chaos.evidence import Journal

PATIENCE = 40.0
"""Seconds that a worker has to end: more than it gives its steps."""


class Worker:
    """A place in which there is always a worker: one that ends is followed by another.

    Whoever is killed is killed with its whole process group, so that it does not matter what a worker is made of.

    Args:
        words: the command.
        environment: its variables.
        folder: where it is given.
        log: what it says.
        journal: what is done to it.
    """

    def __init__(
        self, words: list[str], *, environment: Mapping[str, str], folder: Path, log: Path, journal: Journal
    ) -> None:
        self._words = words
        self._environment = environment
        self._folder = folder
        self._log = log
        self._journal = journal
        self._process: subprocess.Popen[bytes] | None = None
        self._thaws: float | None = None
        self._draining = False

    @property
    def is_able(self) -> bool:
        """Whether it is at work: not frozen, and not about to end."""
        return self._thaws is None and not self._draining

    def start(self) -> None:
        """Start one."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "drupe", "worker", "--alone", *self._words],
                env=self._environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._journal.note("started", self._process.pid)

    def look(self) -> None:
        """See to it that there is one, and that it is not frozen for longer than it was to be."""
        assert self._process is not None
        if self._thaws is not None and time.monotonic() >= self._thaws:
            self.thaw()
        if self._process.poll() is not None and not self._draining:
            self._journal.note("gave up", self._process.pid)
            self.start()

    async def kill(self) -> None:
        """Send SIGKILL, and start another."""
        assert self._process is not None
        if self._process.poll() is not None:  # it was faster
            self.look()
            return
        self._journal.note("killed", self._process.pid)
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._thaws = None
        self.start()

    async def freeze(self, seconds: float) -> None:
        """Send SIGSTOP; `look` has it go on after so many seconds."""
        assert self._process is not None
        self._thaws = time.monotonic() + seconds
        self._journal.note("frozen", self._process.pid)
        self._send_to_innermost(signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it go on."""
        if self._process is not None and self._thaws is not None:
            self._thaws = None
            self._journal.note("continued", self._process.pid)
            self._send_to_innermost(signal.SIGCONT)

    def _send_to_innermost(self, number: int) -> None:
        """Send a signal to the interpreter that runs processes; whoever looks after it may do so."""
        assert self._process is not None
        pid = self._process.pid
        while children := _children(pid):
            pid = children[-1]
        with suppress(ProcessLookupError):  # it was faster
            os.kill(pid, number)

    async def drain(self, *, again: bool = True) -> None:
        """Send SIGTERM, wait until it has ended, and by default start another."""
        process = self._process
        assert process is not None
        self._draining = True
        self.thaw()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        until = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < until:
            await asyncio.sleep(0.02)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._journal.note("drained" if process.returncode == 0 else "gave up", process.pid)
        if again:
            self.start()
            self._draining = False

    def close(self) -> None:
        """Leave nothing behind."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _children(pid: int) -> list[int]:
    """Get the processes that a process has started, where the kernel says so."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
    except OSError:
        return []
