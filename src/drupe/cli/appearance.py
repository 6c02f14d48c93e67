"""How things look on a terminal: the colours and signs of states, times, and values in tables."""

import datetime
import itertools
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from rich import box
from rich.pretty import Pretty
from rich.table import Table
from rich.text import Text

from drupe.core.attributes import AttributeMap
from drupe.core.lifecycle import State

COLOUR: Final[Mapping[State, str]] = MappingProxyType(
    {
        State.CREATED: "bright_black",
        State.RUNNING: "cyan",
        State.WAITING: "yellow",
        State.FINISHED: "green",
        State.EXCEPTED: "red",
        State.KILLED: "magenta",
    }
)
SIGN: Final[Mapping[State, str]] = MappingProxyType(
    {
        State.CREATED: "○",
        State.RUNNING: "▸",
        State.WAITING: "◔",
        State.FINISHED: "✓",
        State.EXCEPTED: "✗",
        State.KILLED: "■",
    }
)

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def state_text(state: State, *, paused: bool = False, successful: bool = True) -> Text:
    """Get a state with its sign, in its colour."""
    colour = COLOUR[state] if successful else "yellow"
    text = Text(f"{SIGN[state]} {state}" if successful else f"✓ {state}, not successful", style=colour)
    return text.append(" (paused)", style="bold yellow") if paused else text


def ago(at: float, now: float) -> str:
    """Get how long ago something was, in its largest unit."""
    return f"{lasting(max(0.0, now - at))} ago"


def lasting(seconds: float) -> str:
    """Get a time span in its largest unit."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return "0 s"


def moment(at: float) -> str:
    """Get a time of day, with its date, as the clock on the wall shows it."""
    return datetime.datetime.fromtimestamp(at).astimezone().isoformat(" ", "milliseconds")[:-6]


def table(*columns: str) -> Table:
    """Get an empty table in drupe's style."""
    made = Table(box=box.SIMPLE_HEAD, header_style="bold", border_style="bright_black", pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Walk over values in namespaces, each with its dotted name."""
    for name, value in values.items():
        if isinstance(value, dict) and value and all(isinstance(key, str) for key in value):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def values_table(values: Mapping[str, Any], *, most: int = 60) -> Table:
    """Get names and values side by side; of very many only the first."""
    made = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    walk = leaves(values)
    for name, value in itertools.islice(walk, most):
        shown = (
            Text(value) if isinstance(value, str) else Pretty(_bare(value), max_length=12, max_string=200, max_depth=4)
        )
        made.add_row(name, shown)
    if rest := sum(1 for _ in walk):
        made.add_row("…", Text(f"{rest} more; --json has all", style="bright_black"))
    return made


def _bare(value: Any) -> Any:
    """Get a value with plain dictionaries in the place of those that have attributes."""
    if isinstance(value, AttributeMap):
        return {name: _bare(each) for name, each in value.items()}
    return [_bare(each) for each in value] if type(value) is list else value
