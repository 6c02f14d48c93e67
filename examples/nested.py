"""Processes inside processes: submitted and waited for, or executed on the spot.

It prints:

    energies: 1.0 0.25 0.0 0.25 1.0
    lowest at 2.0, by a process that a step executed
"""

from typing import Any

from drupe import Process, ToContext, WorkChain


class Energy(Process):
    """A parabola that pretends to be expensive."""

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input("x", valid_type=float)
        spec.output("energy", valid_type=float)

    async def run(self) -> None:
        """Calculate; a step may be `async def` and await what it likes."""
        self.out("energy", (self.inputs.x - 2.0) ** 2)


class Lowest(Process):
    """Where the lowest of some energies is."""

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input("points", valid_type=dict)
        spec.output("x", valid_type=float)

    def run(self) -> None:
        """Look."""
        self.out("x", min(self.inputs.points, key=self.inputs.points.get))


class Scan(WorkChain):
    """Five energies side by side, then the lowest."""

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input("xs", valid_type=list)
        spec.expose_outputs(Lowest)  # what Lowest gives, Scan gives too
        spec.outline(cls.scan, cls.find)

    def scan(self) -> ToContext:
        """Start one child for each x; the chain goes on when all have ended."""
        return ToContext(energies={str(x): self.submit(Energy, x=x) for x in self.inputs.xs})

    def find(self) -> None:
        """Execute a child to its end in the middle of a plain step."""
        points = {x: found.energy for x, found in zip(self.inputs.xs, self.ctx.energies.values(), strict=True)}
        print("energies:", *points.values())
        self.out_many(self.exposed_outputs(Lowest({"points": points}).execute(), Lowest))


if __name__ == "__main__":
    outputs = Scan({"xs": [1.0, 1.5, 2.0, 2.5, 3.0]}).execute()
    print(f"lowest at {outputs.x}, by a process that a step executed")
