"""The figure of the run: a lane for each process, what each step did in it, and where the kills fell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import palette
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.transforms import blended_transform_factory
from shifts import Shift
from tally import Attempt, Life

THICK: Final = 0.74
"""Height of a step's bar; a lane has height 1."""
TOP: Final = -2.6
"""Where the row of workers begins, above the lanes; downwards is positive."""
BAND: Final = 1.5
"""Height of that row."""
SPACE: Final = 0.9
"""Room between two metals."""
SHORTEST: Final = 0.0022
"""Width that a bar has at least, as a part of the whole, so that short steps can be seen."""


@dataclass(frozen=True, kw_only=True)
class Lane:
    """A process's row of the figure."""

    life: Life
    metal: str | None
    place: float
    label: str


def draw(lives: Sequence[Life], attempts: Sequence[Attempt], shifts: Sequence[Shift], stem: Path) -> tuple[Path, Path]:
    """Draw the figure, write it as PNG and SVG, and get the two paths."""
    zero = shifts[0].begun
    span = shifts[-1].ended - zero
    lanes = arrange(lives, attempts)
    with palette.style():
        height = max(lane.place for lane in lanes.values()) + 1
        figure = Figure(figsize=(11.0, 1.9 + 0.105 * height), layout="constrained")
        axes = figure.subplots()
        palette.hide_frame(axes)
        axes.set_xlim(-0.012 * span, 1.012 * span)
        axes.set_ylim(height, TOP - 0.2)
        _workers(axes, shifts, attempts, zero)
        for lane in lanes.values():
            _lane(axes, lane, zero)
        for attempt in attempts:
            _attempt(axes, attempt, lanes[attempt.start.pid], shifts, (zero, span))
        _groups(axes, lanes)
        axes.spines["bottom"].set_visible(True)
        axes.set_xticks(_ticks(span))
        axes.set_xlabel("seconds")
        _legend(figure, axes)
        return palette.write(figure, stem)


def arrange(lives: Sequence[Life], attempts: Sequence[Attempt]) -> Mapping[str, Lane]:
    """Get the lane of each process: the chain over all first, then metal by metal, each chain above its volumes."""
    starts = {attempt.start.pid: attempt.start for attempt in attempts}
    order = list(palette.METAL)

    def rank(life: Life) -> tuple[int, bool, float]:
        start = starts[life.pid]
        metal = -1 if start.metal is None else order.index(start.metal)
        return metal, start.volume is not None, start.volume or 0.0

    lanes: dict[str, Lane] = {}
    place, before = 0.0, None
    for life in sorted((life for life in lives if life.pid in starts), key=rank):
        start = starts[life.pid]
        place += SPACE if lanes and start.metal != before else 0.0
        label = "" if start.volume is None else f"{start.volume:.2f}"
        lanes[life.pid] = Lane(life=life, metal=start.metal, place=place, label=label)
        place, before = place + 1, start.metal
    return lanes


def _workers(axes: Axes, shifts: Sequence[Shift], attempts: Sequence[Attempt], zero: float) -> None:
    """The row of workers on top; and through all lanes, each kill and the time until work went on."""
    bottom = axes.get_ylim()[0]
    for number, shift in enumerate(shifts):
        begun, ended = shift.begun - zero, shift.ended - zero
        own = [attempt.start.at - zero for attempt in attempts if attempt.start.worker == shift.worker]
        ready = min(own, default=ended)
        axes.add_patch(Rectangle((begun, TOP), ready - begun, BAND, facecolor=palette.HAIR, linewidth=0))
        axes.add_patch(Rectangle((ready, TOP), ended - ready, BAND, facecolor=palette.INK, linewidth=0))
        if ended - ready > 0.05 * (shifts[-1].ended - zero):
            name = axes.text((ready + ended) / 2, TOP + BAND / 2, str(shift.worker), color=palette.PAPER, fontsize=7.5)
            name.set(ha="center", va="center")
        if number:
            idle = (shifts[number - 1].ended - zero, TOP + BAND)
            axes.add_patch(
                Rectangle(idle, ready - idle[0], bottom - idle[1], facecolor=palette.HAIR, alpha=0.45, zorder=0.5)
            )
            axes.plot([ready, ready], [TOP, bottom], color=palette.RESUME, linewidth=1.1, zorder=1.5)
        if shift.killed:
            axes.plot([ended, ended], [TOP - 0.15, bottom], color=palette.KILL, linewidth=1.2, zorder=4)
            mark = axes.text(ended, TOP - 0.3, "SIGKILL", color=palette.KILL, fontsize=8, fontweight="bold")
            mark.set(ha="center", va="bottom")
    side = blended_transform_factory(axes.transAxes, axes.transData)
    axes.text(-0.006, TOP + BAND / 2, "worker", transform=side, ha="right", va="center", fontsize=9, fontweight="bold")


def _lane(axes: Axes, lane: Lane, zero: float) -> None:
    """From the creation of a process to its end, whether it works or waits."""
    events = lane.life.events
    begun, ended = events[0].at - zero, events[-1].at - zero
    colour = palette.INK if lane.metal is None else palette.METAL[lane.metal]
    alpha = 0.16 if lane.label else 0.34
    middle = lane.place + 0.5
    axes.plot(
        [begun, ended], [middle, middle], color=colour, alpha=alpha, linewidth=1.6, solid_capstyle="butt", zorder=2
    )
    if lane.life.state == "finished":
        axes.plot([ended], [middle], "o", color=colour, markersize=0 if lane.label else 3.4, zorder=3)


def _attempt(axes: Axes, attempt: Attempt, lane: Lane, shifts: Sequence[Shift], window: tuple[float, float]) -> None:
    """One try of one step: filled if it was committed, an empty frame if a kill cut it off."""
    zero, span = window
    begun = attempt.start.at - zero
    ended = next((shift.ended for shift in shifts if shift.worker == attempt.start.worker), attempt.start.at) - zero
    lost = attempt.committed is None
    if attempt.committed is not None:
        ended = attempt.committed - zero
    colour = palette.INK if lane.metal is None else palette.METAL[lane.metal]
    axes.add_patch(
        Rectangle(
            (begun, lane.place + (1 - THICK) / 2),
            max(ended - begun, SHORTEST * span),
            THICK,
            facecolor=palette.PAPER if lost else colour,
            edgecolor=palette.KILL if lost else "none",
            hatch="//////" if lost else None,
            linewidth=0.8 if lost else 0,
            zorder=3,
        )
    )


def _groups(axes: Axes, lanes: Mapping[str, Lane]) -> None:
    """The name of each metal beside its lanes."""
    side = blended_transform_factory(axes.transAxes, axes.transData)
    for metal in dict.fromkeys(lane.metal for lane in lanes.values()):
        places = [lane.place for lane in lanes.values() if lane.metal == metal]
        name, colour = ("all metals", palette.INK) if metal is None else (palette.NAME[metal], palette.METAL[metal])
        middle = (min(places) + max(places) + 1) / 2
        axes.text(
            -0.006, middle, name, transform=side, ha="right", va="center", color=colour, fontsize=9, fontweight="bold"
        )


def _ticks(span: float) -> list[float]:
    """Get whole seconds, about ten of them."""
    step = next((step for step in (1, 2, 5, 10, 20) if span / step <= 12), 60)
    return [float(second) for second in range(0, int(span) + 1, step)]


def _legend(figure: Figure, axes: Axes) -> None:
    """What the marks mean, in one row under the title."""
    marks = [
        Patch(facecolor=palette.FAINT, label="a step, committed"),
        Patch(
            facecolor=palette.PAPER,
            edgecolor=palette.KILL,
            hatch="//////",
            label="a step, cut off by a kill and repeated",
        ),
        Line2D([], [], color=palette.FAINT, alpha=0.5, linewidth=1.6, label="a process, waiting"),
        Patch(facecolor=palette.HAIR, label="a new interpreter starts"),
        Line2D([], [], color=palette.RESUME, linewidth=1.2, label="resumed"),
    ]
    figure.suptitle("One workflow, killed and resumed", x=0.008, ha="left", fontsize=13, fontweight="bold")
    axes.legend(
        handles=marks,
        loc="lower left",
        bbox_to_anchor=(-0.005, 1.015),
        ncols=5,
        frameon=False,
        fontsize=8,
        handlelength=1.6,
    )
