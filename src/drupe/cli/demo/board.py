"""The picture of the demonstration: a row for each slice, a square for each step, coloured by who ran it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from drupe.cli.demo.workflow import PARTS, SLICES

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

WORKERS: Final = ("cyan", "green")
LOST: Final = "red"


class Start(NamedTuple):
    """A step began: in which worker, of which process, slice and part."""

    worker: int
    pid: str
    number: int
    part: int


@dataclass
class Board:
    """What is known so far.

    Attributes:
        starts: the steps that began, in order.
        workers: the worker processes, in order.
        killed: whether the first one was killed.
    """

    starts: Sequence[Start] = ()
    workers: list[int] = field(default_factory=list)
    killed: bool = False

    def attempts(self) -> Mapping[tuple[int, int], list[int]]:
        """Get, for each step, the workers that began it."""
        found: dict[tuple[int, int], list[int]] = {}
        for start in self.starts:
            found.setdefault((start.number, start.part), []).append(start.worker)
        return found

    def repeated(self) -> list[tuple[int, int]]:
        """Get the steps that began more than once."""
        return [step for step, workers in self.attempts().items() if len(workers) > 1]

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        from rich.text import Text

        attempts = self.attempts()
        yield ""
        for number in range(SLICES):
            row = Text(f"  slice {number + 1}  ", "bright_black")
            for part in range(PARTS):
                for index, worker in enumerate(workers := attempts.get((number, part), [])):
                    lost = index < len(workers) - 1
                    colour = WORKERS[min(self.workers.index(worker), 1)] if worker in self.workers else WORKERS[0]
                    row.append("✗ " if lost else "■ ", LOST if lost else colour)
                if not workers:
                    row.append("· ", "bright_black")
            yield row
        if self.killed:
            yield Text.assemble(
                "\n  ",
                ("■", WORKERS[0]),
                (" before the kill   ", "bright_black"),
                ("✗", LOST),
                (" lost with it   ", "bright_black"),
                ("■", WORKERS[1]),
                (" by the second worker", "bright_black"),
            )
