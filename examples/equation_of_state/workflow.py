"""The workflow: all metals, each metal, each volume. Physics is in `crystal` and `birch_murnaghan`.

Run it without the demo around it:

    drupe run examples/equation_of_state/workflow.py:AllMetals
"""

from typing import Any

import birch_murnaghan
import crystal
from step_log import logged

from drupe import Process, ToContext, WorkChain


def is_positive(value: int) -> str | None:
    """Get what is wrong with a count, or None."""
    return None if value > 0 else f"{value} is not a positive number"


class SinglePoint(Process):
    """The energy of one metal at one volume: the step that takes the time."""

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input("metal", valid_type=str, help=f"Symbol of an fcc metal: {', '.join(crystal.METALS)}.")
        spec.input("volume", valid_type=float, help="Volume in Å³ per atom.")
        spec.input("repeat", valid_type=int, default=7, validator=is_positive, help="Cubes of four atoms per edge.")
        spec.output("energy", valid_type=float, help="Energy in eV per atom.")

    @logged
    def run(self) -> None:
        """Calculate the energy."""
        metal, volume = self.inputs.metal, self.inputs.volume
        self.set_status(f"{metal} at {volume:.2f} Å³")
        self.out("energy", crystal.energy(metal, volume, repeat=self.inputs.repeat))


class EquationOfState(WorkChain):
    """The equation of state of one metal: find where to look, look at each volume, fit."""

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.expose_inputs(SinglePoint, exclude=("volume",))
        spec.input("points", valid_type=int, default=7, help="Number of volumes, at least four.")
        spec.output("volumes", valid_type=list, help="In Å³ per atom.")
        spec.output("energies", valid_type=list, help="In eV per atom, one for each volume.")
        spec.output("volume", valid_type=float, help="V0 in Å³ per atom.")
        spec.output("energy", valid_type=float, help="E0 in eV per atom.")
        spec.output("lattice_constant", valid_type=float, help="a0 in Å.")
        spec.output("bulk_modulus", valid_type=float, help="B0 in GPa.")
        spec.output("pressure_derivative", valid_type=float, help="B0', a number.")
        spec.outline(cls.look, cls.scan, cls.fit)

    @logged
    def look(self) -> None:
        """Find roughly where the energy is lowest, and choose the volumes around it."""
        centre = crystal.find_centre(self.inputs.metal)
        self.ctx.volumes = crystal.volumes_around(centre, points=self.inputs.points, strain=crystal.STRAIN)

    @logged
    def scan(self) -> ToContext:
        """Have the energy calculated at each volume, every one by a process of its own."""
        shared = self.exposed_inputs(SinglePoint)
        return ToContext(points=[self.submit(SinglePoint, shared, volume=volume) for volume in self.ctx.volumes])

    @logged
    def fit(self) -> None:
        """Fit the formula of Birch and Murnaghan."""
        energies = [point.energy for point in self.ctx.points]
        best = birch_murnaghan.fit(self.ctx.volumes, energies)
        self.out("volumes", self.ctx.volumes)
        self.out("energies", energies)
        self.out("volume", best.volume)
        self.out("energy", best.energy)
        self.out("lattice_constant", best.lattice_constant)
        self.out("bulk_modulus", best.bulk_modulus)
        self.out("pressure_derivative", best.pressure_derivative)


class AllMetals(WorkChain):
    """The equations of state of several metals, each by a work chain of its own."""

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input("metals", valid_type=list, default=lambda: list(crystal.METALS), help="Symbols of fcc metals.")
        spec.expose_inputs(EquationOfState, exclude=("metal",))
        for metal in crystal.METALS:
            spec.expose_outputs(EquationOfState, namespace=metal, namespace_options={"required": False})
        spec.outline(cls.start, cls.collect)

    @logged
    def start(self) -> ToContext:
        """Start the work chain of each metal."""
        shared = self.exposed_inputs(EquationOfState)
        return ToContext(
            equations={metal: self.submit(EquationOfState, shared, metal=metal) for metal in self.inputs.metals}
        )

    @logged
    def collect(self) -> None:
        """Gather what they found."""
        for metal, equation in self.ctx.equations.items():
            self.out_many(self.exposed_outputs(equation, EquationOfState, namespace=metal))
