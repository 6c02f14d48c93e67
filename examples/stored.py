"""What drupe is for: an interpreter is killed in the middle of a process, and another one finishes it.

It prints:

    first interpreter:
      step weigh
      step heat
      killed by signal 9
    second interpreter:
      step heat
      step cool
    finished: 1.9 g
"""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from drupe import WorkChain, open_runner
from drupe.errors import UnknownProcessError
from drupe.service import profile


class Drying(WorkChain):
    """Three steps, each saved."""

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.output("mass", valid_type=float)
        spec.outline(cls.weigh, cls.heat, cls.cool)

    def weigh(self) -> None:
        """Step one."""
        print("  step weigh", flush=True)
        self.ctx.mass = 2.0

    def heat(self) -> None:
        """Step two: the first time, the interpreter does not survive it."""
        print("  step heat", flush=True)
        if not Path("killed").exists():
            Path("killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        self.ctx.mass -= 0.1

    def cool(self) -> None:
        """Step three."""
        print("  step cool", flush=True)
        self.out("mass", self.ctx.mass)


async def work() -> None:
    """Resume the process if the store has it, else begin it."""
    async with open_runner(profile.load()) as runner:
        try:
            process = await runner.resume("drying")
        except UnknownProcessError:
            process = await runner.launch(Drying, pid="drying")
        outputs = await process
        print(f"finished: {outputs.mass} g")


def main() -> None:
    """Have two interpreters work, one after the other, in one folder."""
    with tempfile.TemporaryDirectory() as folder:
        for word in ("first", "second"):
            print(f"{word} interpreter:", flush=True)
            done = subprocess.run([sys.executable, __file__, "work"], cwd=folder, check=False)
            if done.returncode < 0:
                print(f"  killed by signal {-done.returncode}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["work"]:
        asyncio.run(work())
    else:
        main()
