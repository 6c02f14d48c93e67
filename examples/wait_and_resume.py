"""A process that waits for somebody, and goes on with what that somebody says.

It prints:

    waiting: is the sample in the oven?
    going on: yes, since noon
"""

import asyncio
from typing import Any

from drupe import Process, ProcessListener, Wait


class Annealing(Process):
    """Asks before it begins."""

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.output("answer", valid_type=str)

    def run(self) -> Wait:
        """Ask, and give the step back: nothing runs while the process waits."""
        return Wait(self.heat, msg="is the sample in the oven?")

    def heat(self, answer: str) -> None:
        """Go on with what `resume` was given."""
        self.out("answer", answer)


class Technician(ProcessListener):
    """Answers when a process asks."""

    def on_process_waiting(self, process: Any) -> None:
        """Read the question and answer it."""
        print(f"waiting: {process.stage.label()}")
        process.resume("yes, since noon")


async def main() -> None:
    """Run it, with somebody who answers."""
    process = Annealing()
    process.add_process_listener(Technician())
    outputs = await process
    print(f"going on: {outputs.answer}")


if __name__ == "__main__":
    asyncio.run(main())
