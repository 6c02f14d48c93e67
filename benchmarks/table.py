"""The results as tables for people: on a terminal, and in the documentation. One for each library beside drupe."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from measure import Clock, Figures
from rich.table import Table
from rich.text import Text
from rows import Target
from verdict import Result

_UNITS: Final = {
    "seconds": (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)),
    "bytes": (("MB", 1e6), ("kB", 1e3), ("B", 1.0)),
}


def tables(results: Sequence[Result]) -> Iterator[Table]:
    """Get the tables of all rows for a terminal."""
    for other, part in groupby(results, lambda result: result.row.other):
        made = Table(title=f"What one unit of work takes beside {other}: medians", title_justify="left")
        for name in headings(other):
            made.add_column(name, justify="left" if name in ("work", "reached") else "right", no_wrap=name != "work")
        group = None
        for result in part:
            if group not in (None, result.row.group):
                made.add_section()
            group = result.row.group
            made.add_row(*map(Text, cells(result)))
        yield made


def markdown(results: Sequence[Result]) -> str:
    """Get the tables of all rows for a page of the documentation."""
    made = []
    for other, part in groupby(results, lambda result: result.row.other):
        names = headings(other)
        lines = [names, ("---", *["---:"] * (len(names) - 2), "---"), *map(cells, part)]
        made.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join(made)


def headings(other: str) -> tuple[str, ...]:
    """Get the first line of a table."""
    return ("work", "floor", "drupe", other, "drupe/floor", f"{other}/drupe", "wanted", "noise", "reached")


def cells(result: Result) -> tuple[str, ...]:
    """Get one line."""
    other = result.row.other
    return (
        result.row.name,
        *(_taken(result, side) for side in ("floor", "drupe", other)),
        _ratio(result.times("drupe", "floor")),
        _ratio(result.times(other, "drupe")),
        wanted(result.row.target, other, result.row.clock),
        f"{result.noise():.0%}",
        {True: "yes", False: "NO", None: ""}[result.reached()],
    )


def wanted(target: Target | None, other: str = "plumpy", clock: Clock = "wall") -> str:
    """Get what is wanted in a few characters."""
    if target is None:
        return ""
    match target.kind:
        case "times other":
            return f"≥ {target.value:g}x {other}"
        case "at most of floor":
            return f"≤ {target.value:.3g}x floor"
        case "at most":
            return f"≤ {amount(target.value, clock)}"
        case "works":
            return "works"


def amount(value: float, clock: Clock = "wall") -> str:
    """Get a duration, or a number of bytes, with three digits."""
    units = _UNITS["bytes" if clock == "bytes" else "seconds"]
    unit, size = next((pair for pair in units if value >= pair[1]), units[-1])
    return f"{value / size:.3g} {unit}"


def _taken(result: Result, side: str) -> str:
    found = result.sides.get(side)
    if found is None:
        return ""
    clock = result.row.clock
    return amount(found.median(clock), clock) if isinstance(found, Figures) else "fails"


def _ratio(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.3g}"
