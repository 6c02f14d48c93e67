"""What the demonstration found, for people: the table, and whether each promise was kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import palette
from direct import Reference, calculate, relative_difference
from rich.console import Console
from rich.table import Table
from shifts import Shift
from step_log import Start
from tally import Life, Tally, count

TOLERANCE: Final = 1e-9
"""How far a value may be off from ASE's, relative to it."""
OVERALL: Final = "all metals"


@dataclass(frozen=True, kw_only=True)
class Promise:
    """Something that must hold, and whether it did."""

    kept: bool
    text: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of the table."""

    metal: str
    lattice_constant: float
    """In Å."""
    bulk_modulus: float
    """In GPa."""
    reference: Reference
    tally: Tally

    @property
    def difference(self) -> float:
        """By how much the worse of the two values is off from ASE's, relative to it."""
        return max(
            relative_difference(self.lattice_constant, self.reference.lattice_constant),
            relative_difference(self.bulk_modulus, self.reference.bulk_modulus),
        )


def rows(outputs: Mapping[str, Mapping[str, Any]], tallies: Mapping[str, Tally]) -> list[Row]:
    """Get a line for each metal, calculating what it is compared with."""
    return [
        Row(
            metal=metal,
            lattice_constant=found["lattice_constant"],
            bulk_modulus=found["bulk_modulus"],
            reference=calculate(metal, found["volumes"]),
            tally=tallies[metal],
        )
        for metal, found in outputs.items()
    ]


def tallies(starts: Sequence[Start], lives: Sequence[Life]) -> dict[str, Tally]:
    """Count the steps metal by metal; those of the chain over all metals are under `OVERALL`."""
    metal_of = {start.pid: start.metal or OVERALL for start in starts}
    return {
        metal: count(
            [start for start in starts if metal_of[start.pid] == metal],
            [life for life in lives if metal_of.get(life.pid) == metal],
        )
        for metal in dict.fromkeys(metal_of.values())
    }


def show(console: Console, table_rows: Sequence[Row], overall: Tally, total: Tally) -> None:
    """Print the table."""
    table = Table(
        box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", footer_style="bold", show_footer=True
    )
    table.add_column("\nmetal", "total", no_wrap=True)
    table.add_column("lattice con-\nstant, Å", justify="right")
    table.add_column("bulk mod-\nulus, GPa", justify="right")
    table.add_column("relative\nto ASE", justify="right")
    table.add_column("steps\nrun", str(total.run), justify="right")
    table.add_column("steps\nrepeated", str(total.repeated), justify="right")
    table.add_column("run again\nonce committed", str(total.run_again), justify="right")
    for row in table_rows:
        table.add_row(
            f"[bold {palette.METAL[row.metal]}]{row.metal}[/]",
            f"{row.lattice_constant:.6f}",
            f"{row.bulk_modulus:.4f}",
            f"{row.difference:.0e}",
            *_counts(row.tally),
        )
    table.add_row(f"[dim]{OVERALL}[/]", "", "", "", *_counts(overall))
    console.print(table)


def promises(
    table_rows: Sequence[Row], total: Tally, lives: Sequence[Life], *, expected: int, shifts: Sequence[Shift]
) -> list[Promise]:
    """Get what must hold, each with the numbers that show it."""
    worst = max((row.difference for row in table_rows), default=float("inf"))
    ended = sum(life.state == "finished" for life in lives)
    kills = sum(shift.killed for shift in shifts)
    return [
        Promise(
            kept=worst <= TOLERANCE,
            text=f"{2 * len(table_rows)} values compared with ASE alone: the largest relative difference is {worst:.0e} "
            f"(allowed: {TOLERANCE:.0e})",
        ),
        Promise(
            kept=total.run_again == 0 and total.run - total.repeated == total.committed,
            text=f"{total.committed} steps committed, {total.run_again} of them run twice; "
            f"{kills} kills cost {total.repeated} steps that were not committed yet",
        ),
        Promise(
            kept=len(lives) == expected == ended,
            text=f"{len(lives)} processes created and {ended} finished, {expected} asked for: none lost, none made twice",
        ),
    ]


def _counts(tally: Tally) -> tuple[str, str, str]:
    repeated = f"[{palette.KILL}]{tally.repeated}[/]" if tally.repeated else "[dim]0[/]"
    return str(tally.run), repeated, "[dim]0[/]" if not tally.run_again else f"[bold red]{tally.run_again}[/]"
