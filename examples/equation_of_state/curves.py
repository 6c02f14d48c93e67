"""The figure of the equations of state: a panel for each metal, and one with all of them on one scale."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import palette
from birch_murnaghan import BirchMurnaghan
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

MEV: Final = 1000.0
COLUMNS: Final = 4


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The equation of state of one metal, with the points it was fitted to."""

    volumes: Sequence[float]
    """In Å³ per atom."""
    energies: Sequence[float]
    """In eV per atom."""
    best: BirchMurnaghan
    repeated: frozenset[float] = frozenset()
    """The volumes whose calculation was cut off by a kill and made again."""


def draw(curves: Mapping[str, Curve], stem: Path) -> tuple[Path, Path]:
    """Draw the figure, write it as PNG and SVG, and get the two paths."""
    with palette.style():
        rows = -(-(len(curves) + 1) // COLUMNS)
        layout = ConstrainedLayoutEngine(w_pad=0.09, h_pad=0.09, hspace=0.04, wspace=0.03)
        figure = Figure(figsize=(11.0, 0.9 + 2.75 * rows), layout=layout)
        grid = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for axes, (metal, curve) in zip(grid, curves.items(), strict=False):
            _panel(axes, metal, curve)
        _together(grid[len(curves)], curves)
        for axes in grid[len(curves) + 1 :]:
            axes.set_visible(False)
        for axes in grid[: len(curves) + 1 : COLUMNS]:
            axes.set_ylabel("energy above the minimum\nmeV per atom", linespacing=1.5)
        figure.suptitle(
            "Equation of state of fcc metals, effective medium theory",
            x=0.008,
            ha="left",
            fontsize=13,
            fontweight="bold",
        )
        return palette.write(figure, stem)


def _panel(axes: Axes, metal: str, curve: Curve) -> None:
    """One metal: its points, its curve, its minimum, and what follows from it."""
    colour, best = palette.METAL[metal], curve.best
    volumes = np.linspace(min(curve.volumes) * 0.994, max(curve.volumes) * 1.006, 200)
    heights = MEV * (best(volumes) - best.energy)
    points = MEV * (np.asarray(curve.energies) - best.energy)
    axes.fill_between(volumes, heights, heights.max(), color=colour, alpha=0.07, linewidth=0)
    axes.plot([best.volume, best.volume], [0, 0.72 * heights.max()], color=colour, linewidth=0.7, linestyle=(0, (4, 3)))
    axes.plot(volumes, heights, color=colour, linewidth=1.7)
    axes.plot(curve.volumes, points, "o", color=colour, markersize=5.5, markeredgecolor=palette.PAPER, zorder=3)
    again = [(v, p) for v, p in zip(curve.volumes, points, strict=True) if v in curve.repeated]
    if again:
        axes.plot(*zip(*again, strict=True), "o", markersize=11, mfc="none", mec=palette.KILL, mew=1.3, zorder=4)
    axes.set_title(palette.NAME[metal], loc="left", color=colour, fontsize=11, fontweight="bold", pad=6)
    axes.text(
        0.5,
        0.93,
        f"$a_0$ = {best.lattice_constant:.4f} Å\n$B_0$ = {best.bulk_modulus:.1f} GPa",
        transform=axes.transAxes,
        ha="center",
        va="top",
        linespacing=1.6,
    )
    axes.set_xlabel("volume, Å³ per atom")
    axes.set_xlim(volumes[0], volumes[-1])
    axes.set_ylim(-0.06 * heights.max(), 1.06 * heights.max())
    axes.locator_params(axis="x", nbins=5)
    axes.locator_params(axis="y", nbins=5)


def _together(axes: Axes, curves: Mapping[str, Curve]) -> None:
    """All metals against the strain: the stiffer, the steeper."""
    strain = np.linspace(-0.056, 0.056, 200)
    ends = {}
    for metal, curve in curves.items():
        heights = MEV * (curve.best(curve.best.volume * (1 + strain)) - curve.best.energy)
        axes.plot(100 * strain, heights, color=palette.METAL[metal], linewidth=1.5)
        ends[metal] = float(heights[0])
    left, gap = 100 * strain[0], 0.058 * max(ends.values())
    for (metal, end), place in zip(ends.items(), _apart(list(ends.values()), gap), strict=True):
        colour = palette.METAL[metal]
        axes.plot([left, left - 0.35, left - 0.6], [end, place, place], color=colour, linewidth=0.7)
        axes.text(left - 0.75, place, metal, ha="right", va="center", color=colour, fontweight="bold", fontsize=8)
    axes.set_title("together", loc="left", fontsize=11, fontweight="bold", pad=6)
    axes.set_xlabel("strain of the volume, %")
    axes.set_xlim(-8.2, 5.6)
    axes.set_xticks([-5, 0, 5])
    axes.set_ylim(-0.06 * max(ends.values()), 1.12 * max(ends.values()))
    if any(curve.repeated for curve in curves.values()):
        axes.plot(
            [], [], "o", markersize=9, mfc="none", mec=palette.KILL, mew=1.3, label="killed on the way, made again"
        )
        axes.legend(loc="upper right", frameon=False, fontsize=7.5, handletextpad=0.2, borderaxespad=0)


def _apart(places: Sequence[float], gap: float) -> list[float]:
    """Get the places moved as little as it takes for neighbours to be ``gap`` apart."""
    order = np.argsort(places)
    # With gap times rank taken off, "at least gap apart" is "never falling", and the nearest never-falling
    # sequence is what the running maximum from below and the running minimum from above enclose.
    level = np.asarray(places)[order] - gap * np.arange(len(places))
    settled = (np.maximum.accumulate(level) + np.minimum.accumulate(level[::-1])[::-1]) / 2
    moved = np.empty(len(places))
    moved[order] = settled + gap * np.arange(len(places))
    return [float(place) for place in moved]
