"""The physics of the equation-of-state example, and its workflow without a store."""

import sys
from pathlib import Path

import numpy as np
import pytest
from ase.eos import EquationOfState
from ase.units import GPa
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "equation_of_state"))

import birch_murnaghan
import crystal
import direct
import workflow
from birch_murnaghan import BirchMurnaghan, NoMinimumError

KNOWN = {
    # Lattice constant in Å and bulk modulus in GPa of ASE's EMT, from the second derivative at the true minimum.
    "Cu": (3.58983, 134.48),
    "Al": (3.99427, 39.70),
    "Ag": (4.06355, 100.16),
    "Au": (4.05617, 173.84),
    "Ni": (3.48714, 176.11),
    "Pd": (3.87874, 179.28),
    "Pt": (3.92180, 278.30),
}


def fitted(metal: str) -> BirchMurnaghan:
    volumes = crystal.volumes_around(crystal.find_centre(metal), points=7, strain=crystal.STRAIN)
    return birch_murnaghan.fit(volumes, [crystal.energy(metal, volume) for volume in volumes])


@pytest.mark.parametrize("metal", crystal.METALS)
def test_the_fit_gives_what_is_known_of_each_metal(metal: str) -> None:
    lattice_constant, bulk_modulus = KNOWN[metal]

    best = fitted(metal)

    assert best.lattice_constant == pytest.approx(lattice_constant, rel=2e-5)
    assert best.bulk_modulus == pytest.approx(bulk_modulus, rel=1e-2)


@pytest.mark.parametrize("metal", crystal.METALS)
def test_ase_alone_says_the_same_to_twelve_digits(metal: str) -> None:
    volumes = crystal.volumes_around(crystal.find_centre(metal), points=7, strain=crystal.STRAIN)

    best, reference = fitted(metal), direct.calculate(metal, volumes)

    assert direct.relative_difference(best.lattice_constant, reference.lattice_constant) < 1e-12
    assert direct.relative_difference(best.bulk_modulus, reference.bulk_modulus) < 1e-11


def test_the_fit_agrees_with_the_one_of_ase() -> None:
    volumes = crystal.volumes_around(11.57, points=7, strain=crystal.STRAIN)
    energies = [crystal.energy("Cu", volume) for volume in volumes]

    best = birch_murnaghan.fit(volumes, energies)

    volume, energy, bulk_modulus = EquationOfState(volumes, energies, eos="birchmurnaghan").fit()
    assert best.volume == pytest.approx(volume, rel=1e-8)
    assert best.energy == pytest.approx(energy, rel=1e-8)
    assert best.bulk_modulus == pytest.approx(bulk_modulus / GPa, rel=1e-7)


@given(
    st.builds(
        BirchMurnaghan,
        volume=st.floats(8, 30),
        energy=st.floats(-10, 10),
        bulk_modulus=st.floats(10, 500),
        pressure_derivative=st.floats(2, 7),
    )
)
def test_the_fit_finds_the_curve_that_the_points_were_taken_from(curve: BirchMurnaghan) -> None:
    volumes = crystal.volumes_around(1.01 * curve.volume, points=7, strain=crystal.STRAIN)

    best = birch_murnaghan.fit(volumes, [curve(volume) for volume in volumes])

    assert best.volume == pytest.approx(curve.volume, rel=1e-7)
    assert best.energy == pytest.approx(curve.energy, abs=1e-9)
    assert best.bulk_modulus == pytest.approx(curve.bulk_modulus, rel=1e-5)
    assert best.pressure_derivative == pytest.approx(curve.pressure_derivative, rel=1e-3)


def test_the_formula_is_lowest_at_its_volume_and_takes_arrays() -> None:
    curve = BirchMurnaghan(volume=12.0, energy=-3.0, bulk_modulus=100.0, pressure_derivative=4.0)

    energies = curve(np.array([11.9, 12.0, 12.1]))

    assert energies[1] == -3.0
    assert energies[0] > energies[1] < energies[2]


def test_points_beside_the_minimum_are_refused() -> None:
    curve = BirchMurnaghan(volume=12.0, energy=-3.0, bulk_modulus=100.0, pressure_derivative=4.0)
    volumes = [13.0, 13.2, 13.4, 13.6]

    with pytest.raises(NoMinimumError, match=r"lies at 12\.000 Å³, outside 13\.000 to 13\.600"):
        birch_murnaghan.fit(volumes, [curve(volume) for volume in volumes])


def test_energies_that_only_fall_are_refused() -> None:
    volumes = [11.0, 11.5, 12.0, 12.5, 13.0]

    with pytest.raises(NoMinimumError, match="only rise or only fall"):
        birch_murnaghan.fit(volumes, [volume ** (-2 / 3) + volume ** (-2) for volume in volumes])


@pytest.mark.parametrize(
    ("volumes", "energies", "message"),
    [
        ([11.0, 11.5, 12.0], [0.0, 1.0, 2.0], "cannot be fitted to 3 different volumes"),
        ([11.0, 11.5, 11.5, 12.0], [0.0, 1.0, 1.0, 2.0], "cannot be fitted to 3 different volumes"),
        ([11.0, 11.5, 12.0, 12.5], [0.0, 1.0], "4 volumes and 2 energies do not pair up"),
    ],
)
def test_too_few_points_are_refused(volumes: list[float], energies: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        birch_murnaghan.fit(volumes, energies)


def test_the_energy_of_an_atom_does_not_depend_on_the_size_of_the_block() -> None:
    assert crystal.energy("Ag", 16.5, repeat=3) == pytest.approx(crystal.energy("Ag", 16.5), rel=1e-12)


def test_a_metal_that_is_not_fcc_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'Fe' is none of the fcc metals"):
        crystal.textbook_volume("Fe")


def test_the_volumes_reach_equally_far_to_both_sides() -> None:
    assert crystal.volumes_around(10.0, points=5, strain=0.05) == pytest.approx([9.5, 9.75, 10.0, 10.25, 10.5])


def test_the_workflow_gives_what_the_functions_give_when_called() -> None:
    outputs = workflow.AllMetals({"metals": ["Ni"], "repeat": 1}).execute()

    best = fitted("Ni")
    assert list(outputs) == ["Ni"]
    assert outputs.Ni.lattice_constant == best.lattice_constant
    assert outputs.Ni.bulk_modulus == best.bulk_modulus
    assert len(outputs.Ni.volumes) == len(outputs.Ni.energies) == 7


def test_the_workflow_refuses_a_block_without_atoms() -> None:
    with pytest.raises(ValueError, match="repeat"):
        workflow.AllMetals({"metals": ["Ni"], "repeat": 0})
