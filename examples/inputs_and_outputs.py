"""What a process takes and gives is declared: types, defaults, help, nesting. What does not fit is refused, all at once.

It prints:

    CubicCell did not start:
    inputs.edge: required, but not given (float: Edge of the cube in Å.)
    inputs.atom.charge: is 200, and no nucleus has that
    3.52 Å: 43.61 Å³ around element 28
"""

from typing import Any

from drupe import Process
from drupe.errors import InputError


def is_nucleus(charge: int) -> str | None:
    """Get what is wrong with a charge, or None: a validator answers in words."""
    return None if 0 < charge < 119 else f"is {charge}, and no nucleus has that"


class CubicCell(Process):
    """The volume of a cube, and what is in it."""

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input("edge", valid_type=float, help="Edge of the cube in Å.")
        spec.input("unit", valid_type=str, default="Å")
        spec.input("atom.charge", valid_type=int, validator=is_nucleus)  # a dotted name makes a namespace
        spec.output("volume", valid_type=float)
        spec.output_namespace("report", dynamic=True)  # any names may be emitted here

    def run(self) -> None:
        """Multiply."""
        edge, unit = self.inputs.edge, self.inputs.unit
        self.out("volume", edge**3)
        self.out("report.text", f"{edge} {unit}: {edge**3:.2f} {unit}³ around element {self.inputs.atom.charge}")


if __name__ == "__main__":
    try:
        CubicCell({"atom": {"charge": 200}})
    except InputError as error:
        print(f"CubicCell did not start:\n{error}")
    outputs = CubicCell({"edge": 3.52, "atom": {"charge": 28}}).execute()
    print(outputs.report.text)
