"""The workflow of the demonstration: the area under a quarter circle, times four, slice by slice.

drupe run drupe.cli.demo.workflow:Circle
"""

import asyncio
import os
from pathlib import Path
from typing import Any, Final

from drupe.core.command import Continue
from drupe.engine.field import field
from drupe.engine.process import Process
from drupe.engine.workchain import ToContext, WorkChain

SLICES: Final = 6
PARTS: Final = 8
"""Steps of each slice."""
POINTS: Final = 2_000
"""Of each step."""
PACE: Final = 0.12
"""Seconds that a step of the first slice takes; each other slice is slower than the one before."""
DIARY: Final = "_DRUPE_DEMO_DIARY"
"""The environment variable that names the file where steps are noted as they begin."""


class Slice(Process):
    """A part of the area: every step adds a little and is saved."""

    area = field()
    part = field()

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input("number", valid_type=int, help="Which slice, from 0.")
        spec.output("area", valid_type=float)

    def run(self) -> Continue:
        """Begin with nothing."""
        self.area, self.part = 0.0, 0
        return Continue(self.add)

    async def add(self) -> Continue | None:
        """Add the next part of the slice."""
        number = self.inputs.number
        note(self.pid, number, self.part)
        await asyncio.sleep(PACE * (1 + number / 4))
        self.area += area(number, self.part)
        self.part += 1
        if self.part < PARTS:
            return Continue(self.add)
        self.out("area", self.area)
        return None


class Circle(WorkChain):
    """The area of a circle of radius 1, by a child process for each slice."""

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.output("pi", valid_type=float)
        spec.outline(cls.cut, cls.add_up)

    def cut(self) -> ToContext:
        """Start a process for each slice, and wait for them."""
        return ToContext(slices=[self.submit(Slice, number=number) for number in range(SLICES)])

    def add_up(self) -> None:
        """Add what they found."""
        self.out("pi", sum(found["area"] for found in self.ctx.slices))


def area(number: int, part: int) -> float:
    """Get the area of one part of a slice, by the midpoint rule."""
    width = 1 / (SLICES * PARTS * POINTS)
    first = (number * PARTS + part) * POINTS
    return sum(4 * width / (1 + ((first + point + 0.5) * width) ** 2) for point in range(POINTS))


def undisturbed() -> float:
    """Get what the workflow gives if nothing happens to it."""
    found = []
    for number in range(SLICES):
        total = 0.0
        for part in range(PARTS):
            total += area(number, part)
        found.append(total)
    return sum(found)


def note(pid: str, number: int, part: int) -> None:
    """Note that a step begins: one write, which outlives the SIGKILL of its writer."""
    name = os.environ.get(DIARY)
    if name is None:
        return
    diary = os.open(Path(name), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(diary, f"{os.getpid()} {pid} {number} {part}\n".encode())
    finally:
        os.close(diary)
