"""The results as a table for people: on a terminal, and in the documentation."""

from collections.abc import Sequence
from typing import Final

from measure import Figures
from rich.table import Table
from rich.text import Text
from rows import Target
from verdict import Result

HEADINGS: Final = (
    "work", "floor", "drupe", "plumpy", "drupe/floor", "plumpy/drupe", "wanted", "noise", "reached",
)  # fmt: skip


def table(results: Sequence[Result]) -> Table:
    """Get the table of all rows for a terminal."""
    made = Table(title="What one unit of work takes: medians", title_justify="left")
    for name in HEADINGS:
        made.add_column(name, justify="left" if name in ("work", "reached") else "right", no_wrap=name != "work")
    group = None
    for result in results:
        if group not in (None, result.row.group):
            made.add_section()
        group = result.row.group
        made.add_row(*map(Text, cells(result)))
    return made


def markdown(results: Sequence[Result]) -> str:
    """Get the table of all rows for a page of the documentation."""
    lines = [HEADINGS, ("---", *["---:"] * (len(HEADINGS) - 2), "---"), *map(cells, results)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cells(result: Result) -> tuple[str, ...]:
    """Get one line."""
    return (
        result.row.name,
        *(_taken(result, side) for side in ("floor", "drupe", "plumpy")),
        _ratio(result.times("drupe", "floor")),
        _ratio(result.times("plumpy", "drupe")),
        wanted(result.row.target),
        f"{result.noise():.0%}",
        {True: "yes", False: "NO", None: ""}[result.reached()],
    )


def wanted(target: Target | None) -> str:
    """Get what is wanted in a few characters."""
    if target is None:
        return ""
    match target.kind:
        case "times plumpy":
            return f"≥ {target.value:g}x plumpy"
        case "at most of floor":
            return f"≤ {target.value:.3g}x floor"
        case "seconds at most":
            return f"≤ {duration(target.value)}"
        case "works":
            return "works"


def duration(seconds: float) -> str:
    """Get a duration with three digits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def _taken(result: Result, side: str) -> str:
    found = result.sides.get(side)
    if found is None:
        return ""
    return duration(found.median(result.row.clock)) if isinstance(found, Figures) else "fails"


def _ratio(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.3g}"
