"""Draws the states of a process from the table that decides them: `python docs/draw.py` writes concepts/states.svg.

Only where a state stands and how it is coloured is said here; every arrow comes from `NEXT`.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from drupe.core.lifecycle import NEXT, TERMINAL, State, Trigger

FILE: Final = Path(__file__).with_name("concepts") / "states.svg"

WIDTH, HEIGHT = 760, 400
HALF_WIDTH, HALF_HEIGHT = 62, 21
APART: Final = 11
"""Half the distance of two arrows that lead there and back."""

PLACE: Final = {
    State.CREATED: (100, 190),
    State.RUNNING: (350, 190),
    State.WAITING: (630, 190),
    State.FINISHED: (490, 50),
    State.EXCEPTED: (220, 340),
    State.KILLED: (490, 340),
}
COLOUR: Final = dict.fromkeys(Trigger, "#37474f") | {
    Trigger.FAIL: "#b3261e",
    Trigger.KILL: "#8e24aa",
    Trigger.FINISH: "#2e7d32",
}
FILL: Final = {State.FINISHED: "#e3f1e4", State.EXCEPTED: "#fbe6e4", State.KILLED: "#f3e5f5"}
LABEL_AT: Final = 0.34
"""How far along its arrow a label sits: near the beginning, where arrows to one end are still apart."""

HEAD = f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="system-ui, sans-serif">
<title>The states of a process, and what leads from one to the next</title>
<rect width="{WIDTH}" height="{HEIGHT}" rx="10" fill="#ffffff"/>
"""
TIP = """<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">\
<path d="M0 0 8 4 0 8z" fill="{colour}"/></marker>
"""


class Arrow(NamedTuple):
    """One cell of the table."""

    origin: State
    trigger: Trigger
    target: State


def arrows() -> Iterator[Arrow]:
    """Get every cell of the table."""
    for origin, row in NEXT.items():
        for trigger, target in row.items():
            yield Arrow(origin, trigger, target)


def picture() -> str:
    """Get the drawing."""
    there = {(arrow.origin, arrow.target) for arrow in arrows()}
    lines = [_draw(arrow, both_ways=(arrow.target, arrow.origin) in there) for arrow in arrows()]
    tips = "".join(TIP.format(name=trigger, colour=colour) for trigger, colour in COLOUR.items())
    return f"{HEAD}<defs>\n{tips}</defs>\n" + "".join(lines) + "".join(map(_box, State)) + "</svg>\n"


def _box(state: State) -> str:
    x, y = PLACE[state]
    width = 2.4 if state in TERMINAL else 1.4
    return (
        f'<rect x="{x - HALF_WIDTH}" y="{y - HALF_HEIGHT}" width="{2 * HALF_WIDTH}" height="{2 * HALF_HEIGHT}" rx="9"'
        f' fill="{FILL.get(state, "#eaf1fb")}" stroke="#37474f" stroke-width="{width}"/>'
        f'<text x="{x}" y="{y + 5}" text-anchor="middle" font-size="14" font-weight="600" fill="#1c2529">{state.name}</text>\n'
    )


def _draw(arrow: Arrow, *, both_ways: bool) -> str:
    if arrow.origin is arrow.target:
        path, x, y = _loop(arrow.origin)
    else:
        path, x, y = _line(arrow, APART if both_ways else 0)
    colour = COLOUR[arrow.trigger]
    return (
        f'<g class="arrow" data-from="{arrow.origin}" data-trigger="{arrow.trigger}" data-to="{arrow.target}">'
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.4" marker-end="url(#{arrow.trigger})"/>'
        f'<text x="{x:.0f}" y="{y + 4:.0f}" text-anchor="middle" font-size="12" fill="{colour}" stroke="#ffffff"'
        f' stroke-width="5" stroke-linejoin="round" paint-order="stroke">{arrow.trigger}</text></g>\n'
    )


def _loop(state: State) -> tuple[str, float, float]:
    x, y = PLACE[state]
    top = y - HALF_HEIGHT
    return f"M{x - 20} {top}C{x - 34} {top - 44} {x + 34} {top - 44} {x + 20} {top}", x, top - 33


def _line(arrow: Arrow, aside: float) -> tuple[str, float, float]:
    (x1, y1), (x2, y2) = PLACE[arrow.origin], PLACE[arrow.target]
    length = math.hypot(x2 - x1, y2 - y1)
    dx, dy = (x2 - x1) / length, (y2 - y1) / length
    # Traffic keeps to one side, so that there and back do not fall on one another.
    x1, y1, x2, y2 = x1 + dy * aside, y1 - dx * aside, x2 + dy * aside, y2 - dx * aside
    out = min(HALF_WIDTH / abs(dx) if dx else math.inf, (HALF_HEIGHT - abs(dx) * aside) / abs(dy) if dy else math.inf)
    x1, y1, x2, y2 = x1 + dx * out, y1 + dy * out, x2 - dx * out, y2 - dy * out
    at = 0.5 if aside else LABEL_AT
    return f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}", x1 + (x2 - x1) * at, y1 + (y2 - y1) * at


if __name__ == "__main__":
    FILE.write_text(picture(), "utf-8")
