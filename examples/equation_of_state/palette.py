"""What all figures share: a colour for each metal, the ink, the paper, and how a figure is written to disk."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

METAL: Final[Mapping[str, str]] = {
    "Cu": "#b8612f",  # the metal itself
    "Al": "#7c93a8",
    "Ag": "#4a5560",
    "Au": "#d19a17",
    "Ni": "#3f8f6b",  # its salts are green
    "Pd": "#8a5fa8",
    "Pt": "#2f6fa8",
}
NAME: Final[Mapping[str, str]] = {
    "Cu": "copper",
    "Al": "aluminium",
    "Ag": "silver",
    "Au": "gold",
    "Ni": "nickel",
    "Pd": "palladium",
    "Pt": "platinum",
}
INK: Final = "#22262b"
FAINT: Final = "#8b929a"
HAIR: Final = "#e3e6e9"
PAPER: Final = "#ffffff"
KILL: Final = "#c8102e"
RESUME: Final = "#1a8f4d"


def style() -> AbstractContextManager[None]:
    """Get a context in which figures are drawn in the house style."""
    settings: dict[Any, Any] = {
        "figure.facecolor": PAPER,
        "axes.facecolor": PAPER,
        "axes.edgecolor": FAINT,
        "axes.labelcolor": INK,
        "axes.linewidth": 0.8,
        "text.color": INK,
        "font.size": 9.0,
        "xtick.color": FAINT,
        "ytick.color": FAINT,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "xtick.labelsize": 8.0,
        "ytick.labelsize": 8.0,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "svg.hashsalt": "drupe",  # the same figure gives the same file
    }
    return mpl.rc_context(settings)


def hide_frame(axes: Axes) -> None:
    """Take away everything but the data."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def write(figure: Figure, stem: Path) -> tuple[Path, Path]:
    """Write the figure as ``stem.png`` and ``stem.svg``, and get the two paths."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    png, svg = stem.with_suffix(".png"), stem.with_suffix(".svg")
    figure.savefig(png, dpi=160)
    figure.savefig(svg, metadata={"Date": None})
    return png, svg
