"""The equation of state of Birch and Murnaghan, and its fit.

F. Birch, "Finite elastic strain of cubic crystals", Phys. Rev. 71, 809 (1947), third order:

    E(V) = E0 + 9/16 V0 B0 { (x - 1)^3 B0' + (x - 1)^2 (6 - 4 x) },    x = (V0 / V)^(2/3)

As a function of V^(-2/3) this is a cubic polynomial, no more and no less. So the fit is a linear one: it
needs no starting guess, cannot get stuck, and gives the same digits every time. V0 is where the
polynomial is lowest, B0 = V E'' and B0' = -(1 + V E''' / E'') there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray

Floats = TypeVar("Floats", float, NDArray[np.float64])

EV_PER_CUBIC_ANGSTROM_IN_GPA: Final = 160.21766208
"""1 eV/Å³ in GPa, with the constants of CODATA 2014 that ASE uses by default."""


class NoMinimumError(ValueError):
    """The energies have no minimum among the volumes: the volumes lie beside it, or the energies are wrong."""


@dataclass(frozen=True, kw_only=True)
class BirchMurnaghan:
    """An equation of state, E(V)."""

    volume: float
    """V0, where the energy is lowest, in Å³ per atom."""
    energy: float
    """E0, the lowest energy, in eV per atom."""
    bulk_modulus: float
    """B0, in GPa."""
    pressure_derivative: float
    """B0', the derivative of the bulk modulus with respect to pressure, a number."""

    @property
    def lattice_constant(self) -> float:
        """a0 in Å, of the face-centred cube, which holds four atoms."""
        return float((4 * self.volume) ** (1 / 3))

    def __call__(self, volume: Floats) -> Floats:
        """Get the energy (eV per atom) at ``volume`` (Å³ per atom), a number or an array."""
        x = (self.volume / volume) ** (2 / 3)
        stiffness = self.bulk_modulus / EV_PER_CUBIC_ANGSTROM_IN_GPA
        bracket = (x - 1) ** 3 * self.pressure_derivative + (x - 1) ** 2 * (6 - 4 * x)
        energy: Floats = self.energy + 9 / 16 * self.volume * stiffness * bracket
        return energy


def fit(volumes: Sequence[float], energies: Sequence[float]) -> BirchMurnaghan:
    """Get the equation of state that fits best, in the sense of least squares.

    Args:
        volumes: in Å³ per atom, at least four different ones.
        energies: in eV per atom, one for each volume.

    Raises:
        NoMinimumError: the best fit has no minimum between the smallest and the largest volume.
        ValueError: there are fewer than four different volumes, or not one energy for each.
    """
    if len(volumes) != len(energies):
        raise ValueError(f"{len(volumes)} volumes and {len(energies)} energies do not pair up")
    if len(set(volumes)) < 4:
        raise ValueError(f"four numbers cannot be fitted to {len(set(volumes))} different volumes")
    curve = Polynomial.fit(np.asarray(volumes) ** (-2 / 3), np.asarray(energies), 3)
    z = _lowest(curve)
    volume = z ** (-3 / 2)
    if not min(volumes) <= volume <= max(volumes):
        raise NoMinimumError(
            f"the lowest energy lies at {volume:.3f} Å³, outside {min(volumes):.3f} to {max(volumes):.3f}"
        )
    # At the minimum the first derivative is zero, which leaves of the chain rule for z = V^(-2/3):
    slope, bend = -2 / 3 * volume ** (-5 / 3), 10 / 9 * volume ** (-8 / 3)
    second = curve.deriv(2)(z) * slope**2
    third = curve.deriv(3)(z) * slope**3 + 3 * curve.deriv(2)(z) * slope * bend
    return BirchMurnaghan(
        volume=float(volume),
        energy=float(curve(z)),
        bulk_modulus=float(volume * second * EV_PER_CUBIC_ANGSTROM_IN_GPA),
        pressure_derivative=float(-(1 + volume * third / second)),
    )


def _lowest(curve: Polynomial) -> float:
    """Get where a cubic has its minimum; there is at most one place."""
    for root in curve.deriv().roots():
        place = complex(root)
        if place.imag == 0 and place.real > 0 and curve.deriv(2)(place.real) > 0:
            return place.real
    raise NoMinimumError("the energies only rise or only fall: no volume among these is the best")
