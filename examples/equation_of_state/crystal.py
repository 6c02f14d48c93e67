"""The crystals: fcc metals, and the energy of one of them at one volume.

Pure functions of numbers and names; nothing here knows of processes. Lengths are in Å, volumes in
Å³ per atom, energies in eV per atom.
"""

from typing import Any, Final

import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.data import atomic_numbers, reference_states
from birch_murnaghan import fit

METALS: Final = ("Cu", "Al", "Ag", "Au", "Ni", "Pd", "Pt")
"""The metals that are fcc and that effective medium theory has parameters for."""

STRAIN: Final = 0.05
"""How far the volumes of the final fit reach to either side of the minimum, as a part of the volume (5 %).

Volume, not lattice constant: 5 % in the lattice constant would be 15 % in the volume, where the
third-order formula no longer describes EMT and the bulk modulus of Al comes out 8 % too small.
"""

COARSE_STRAIN: Final = 0.15
"""The same for the first look, which starts from textbook values and must find the minimum inside."""

ATOMS_PER_CUBE: Final = 4


def textbook_volume(metal: str) -> float:
    """Get the volume per atom (Å³) that textbooks give, from the table that ASE brings along.

    Raises:
        ValueError: the metal is not one of `METALS`.
    """
    if metal not in METALS:
        raise ValueError(f"{metal!r} is none of the fcc metals EMT knows: {', '.join(METALS)}")
    known: Any = reference_states[atomic_numbers[metal]]
    return float(known["a"]) ** 3 / ATOMS_PER_CUBE


def volumes_around(volume: float, *, points: int, strain: float) -> list[float]:
    """Get ``points`` volumes, evenly spaced from ``1 - strain`` to ``1 + strain`` times ``volume`` (Å³ per atom)."""
    return [float(factor * volume) for factor in np.linspace(1 - strain, 1 + strain, points)]


def energy(metal: str, volume: float, *, repeat: int = 1) -> float:
    """Get the energy (eV per atom) of a perfect crystal at ``volume`` (Å³ per atom), by effective medium theory.

    The crystal is a periodic block of ``repeat`` × ``repeat`` × ``repeat`` cubes of four atoms. A perfect crystal
    has the same energy per atom in a block of any size; what grows with the block is the work.
    """
    lattice_constant = (ATOMS_PER_CUBE * volume) ** (1 / 3)
    atoms = bulk(metal, "fcc", a=lattice_constant, cubic=True) * (repeat, repeat, repeat)
    atoms.calc = EMT()
    return float(atoms.get_potential_energy()) / len(atoms)


def find_centre(metal: str, *, points: int = 7) -> float:
    """Get the volume (Å³ per atom) around which to look closely: where a coarse fit on small cells has its minimum.

    It is rounded to 0.01 Å³: it only says where to look, and the digits that were dropped would suggest more.
    """
    volumes = volumes_around(textbook_volume(metal), points=points, strain=COARSE_STRAIN)
    return round(fit(volumes, [energy(metal, volume) for volume in volumes]).volume, 2)
