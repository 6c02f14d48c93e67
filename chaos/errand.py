"""What is run: a process of five steps, each of which does something outside the store.

Workers import this. What a step did goes into a file of its interpreter, one line for each time, written before the
step is committed: so the file knows of every repetition, and `self.step_key` tells which ones are.
"""

import asyncio
import os
import time
from pathlib import Path

from drupe import Continue, Process
from drupe.core.command import Command
from drupe.core.spec import ProcessSpec

FOLDER = "CHAOS_EFFECTS"
"""The variable with the folder of those files."""
STEPS = ("run", "second", "third", "fourth", "fifth")


class Errand(Process):
    """Five steps that hand a number on."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.input("pause", valid_type=float, help="Seconds that a step takes.")
        spec.output("sum", valid_type=int)

    async def run(self) -> Command:
        return Continue(self.second, await self._done(1, 0))

    async def second(self, total: int) -> Command:
        return Continue(self.third, await self._done(2, total))

    async def third(self, total: int) -> Command:
        return Continue(self.fourth, await self._done(3, total))

    async def fourth(self, total: int) -> Command:
        return Continue(self.fifth, await self._done(4, total))

    async def fifth(self, total: int) -> None:
        self.out("sum", await self._done(5, total))

    async def _done(self, number: int, total: int) -> int:
        """Have the effect of a step, and take some time; what becomes of the total is in the checkpoint only."""
        write_down(self.pid, number, self.step_key, self.fencing_token, total)
        await asyncio.sleep(self.inputs.pause)
        return total + 1


def write_down(pid: str, number: int, key: str, token: int, total: int) -> None:
    """Note an effect. One write, so that a line is there or is not."""
    line = f"{time.monotonic_ns()}\t{os.getpgrp()}\t{pid}\t{number}\t{key}\t{token}\t{total}\n"
    file = os.open(Path(os.environ[FOLDER], f"{os.getpid()}.tsv"), os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)
