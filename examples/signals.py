"""Steering from another program: a signal that comes before it is waited for, a pause, a status, and the outcome.

It prints:

    signal: requested, since nobody runs the process yet
    pause: applied
    waiting for somebody to play it: the fan is loud
    play: applied
    outcome: cooled with water, then with air
"""

import asyncio
import subprocess
import sys
import tempfile
from contextlib import chdir
from typing import Any

from drupe import BlockingController, Process, Wait, field, open_controller, open_runner
from drupe.service import profile


class Cooling(Process):
    """Takes two signals of one name, in their order."""

    with_: list[str] = field(factory=list)

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.output("text", valid_type=str)

    def run(self) -> Wait:
        """Wait for the first: it may be in the store already."""
        return Wait(self.cool, msg="for something to cool with", signal="cool")

    def cool(self, medium: str) -> Wait | None:
        """Go on with what the signal carries."""
        self.with_ = [*self.with_, medium]
        if len(self.with_) < 2:
            return Wait(self.cool, msg="for something else to cool with", signal="cool")
        self.out("text", f"cooled with {self.with_[0]}, then with {self.with_[1]}")
        return None


async def create() -> None:
    """Put the process into the store, and leave it there."""
    async with open_runner(profile.load()) as runner:
        await runner.create(Cooling, pid="cooling")


async def work() -> None:
    """Run what is in the store: another program than the one that steers."""
    async with open_runner(profile.load(), poll=0.05) as runner:  # it looks often, since nobody tells it to look
        await (await runner.resume("cooling"))


def main() -> None:
    """Steer, while another program works."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        subprocess.run([sys.executable, __file__, "create"], check=True)
        with BlockingController(lambda: open_controller(profile.load())) as controller:
            handle = controller.signal("cooling", "cool", "water")
            print(f"signal: {handle.receipt.outcome}, since nobody runs the process yet")
            worker = subprocess.Popen([sys.executable, __file__, "work"])
            handle.settled()  # it was taken
            pause = controller.pause("cooling", "the fan is loud")
            print(f"pause: {pause.settled().outcome}")
            status = controller.status("cooling")
            print(f"{status.state} for somebody to play it: {status.status}")
            print(f"play: {controller.play('cooling').settled().outcome}")
            controller.signal("cooling", "cool", "air")
            print(f"outcome: {controller.wait('cooling').text}")
            worker.wait()


if __name__ == "__main__":
    if sys.argv[1:] == ["create"]:
        asyncio.run(create())
    elif sys.argv[1:] == ["work"]:
        asyncio.run(work())
    else:
        main()
