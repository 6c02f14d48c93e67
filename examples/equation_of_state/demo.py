"""The demonstration: a workflow on real input, killed three times on the way, that still ends right.

    make demo                                         # or
    python examples/equation_of_state/demo.py --seed 7

The exit code is 0 when every promise was kept, 1 when one was not, 2 when there was no result to judge.
"""

import argparse
import json
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import crystal
import curves
import ledger
import report
import step_log
import timeline
from birch_murnaghan import BirchMurnaghan
from rich.console import Console
from shifts import DemoError, Shift, Workplace, plan, run
from tally import Attempt, Life, attempts, count

WORKFLOW: Final = Path(__file__).resolve().with_name("workflow.py")
STEPS_OF_CHAIN: Final = 3
STEPS_OF_ALL: Final = 2


@dataclass(frozen=True, kw_only=True)
class Result:
    """What is there once the process has ended."""

    outputs: Mapping[str, Mapping[str, Any]]
    """Of each metal, by the names of the outputs of its chain."""
    lives: Sequence[Life]
    starts: Sequence[step_log.Start]
    shifts: Sequence[Shift]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration and get the exit code."""
    begun = time.monotonic()
    options = _options(arguments)
    console = Console(highlight=False)
    try:
        result = _compute(options, console)
    except DemoError as error:
        console.print(f"[bold red]error:[/] {error}", soft_wrap=True)
        return 2
    kept = _judge(options, console, result)
    for path in _draw(options.folder, result):
        console.print(f"[dim]wrote[/] {path}", soft_wrap=True)
    console.print(f"[dim]{time.monotonic() - begun:.0f} s in all[/]")
    return 0 if kept else 1


def _compute(options: argparse.Namespace, console: Console) -> Result:
    """Run the workflow in workers that are killed, and read what is left of it."""
    place = _workplace(options.folder)
    steps = STEPS_OF_ALL + len(options.metals) * (STEPS_OF_CHAIN + options.points)
    moments = plan(options.seed, kills=options.kills, steps=steps)
    when = ", ".join(f"{moment:.1f}" for moment in moments)
    console.print(
        f"[bold]Equation of state of {len(options.metals)} metals[/], {options.points} volumes each: {steps} steps\n"
        f"[dim]seed {options.seed}: SIGKILL after {when} steps[/]\n"
    )

    def tell(shift: Shift) -> None:
        end = "[bold red]SIGKILL[/]" if shift.killed else "[green]finished[/]"
        console.print(
            f"  worker {shift.worker:<8} {shift.ended - shift.begun:5.1f} s   {end} after {shift.steps} of {steps} steps"
        )

    inputs = {"metals": options.metals, "points": options.points, "repeat": options.repeat}
    (place.folder / "inputs.json").write_text(json.dumps(inputs))
    start = ("run", f"{WORKFLOW}:AllMetals", "--inputs", "inputs.json", "--json")
    pid, done = run(place, start, moments, tell)
    outputs, lives = ledger.read(place.store, pid)
    return Result(outputs=outputs, lives=lives, starts=step_log.read(place.diary), shifts=done)


def _judge(options: argparse.Namespace, console: Console, result: Result) -> bool:
    """Print the table and the promises; True if all were kept."""
    table = report.rows(result.outputs, report.tallies(result.starts, result.lives))
    total = count(result.starts, result.lives)
    console.print()
    report.show(console, table, report.tallies(result.starts, result.lives)[report.OVERALL], total)
    console.print()
    expected = 1 + len(options.metals) * (1 + options.points)
    promises = report.promises(table, total, result.lives, expected=expected, shifts=result.shifts)
    for promise in promises:
        console.print(
            f"{'[bold green]✓[/]' if promise.kept else '[bold red]✗ BROKEN:[/]'} {promise.text}", soft_wrap=True
        )
    console.print()
    return all(promise.kept for promise in promises)


def _draw(folder: Path, result: Result) -> tuple[Path, ...]:
    """Draw both figures and get the paths of their files."""
    tried = attempts(result.starts, result.lives)
    figures = {metal: _curve(metal, found, tried) for metal, found in result.outputs.items()}
    return (
        *curves.draw(figures, folder / "equation_of_state"),
        *timeline.draw(result.lives, tried, result.shifts, folder / "timeline"),
    )


def _curve(metal: str, found: Mapping[str, Any], tried: Sequence[Attempt]) -> curves.Curve:
    """Get what is drawn of one metal."""
    lost = (attempt.start for attempt in tried if attempt.committed is None and attempt.start.metal == metal)
    return curves.Curve(
        volumes=found["volumes"],
        energies=found["energies"],
        best=BirchMurnaghan(
            **{name: found[name] for name in ("volume", "energy", "bulk_modulus", "pressure_derivative")}
        ),
        repeated=frozenset(start.volume for start in lost if start.volume is not None),
    )


def _workplace(folder: Path) -> Workplace:
    """Get an empty folder for the workers, with a store of its own."""
    work = folder.resolve() / "run"
    if work.exists():
        shutil.rmtree(work)
    work.mkdir(parents=True)
    return Workplace(folder=work)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add, default = parser.add_argument, "(default: %(default)s)"
    add("--seed", type=_at_least(0), default=secrets.randbelow(10_000), help="which random moments (default: any)")
    add("--kills", type=_at_least(0), default=3, help=f"how often the worker is killed {default}")
    add("--metals", nargs="+", default=list(crystal.METALS), choices=crystal.METALS, metavar="METAL")
    add("--points", type=_at_least(5), default=7, help=f"volumes for each metal {default}")
    add("--repeat", type=_at_least(1), default=7, help=f"cubes of four atoms along an edge {default}")
    add("--folder", type=Path, default=Path("build/demo"), help=f"where results go {default}")
    options = parser.parse_args(arguments)
    options.metals = list(dict.fromkeys(options.metals))
    return options


def _at_least(lowest: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if int(text) < lowest:
            raise argparse.ArgumentTypeError(f"{text} is less than {lowest}")
        return int(text)

    return number


if __name__ == "__main__":
    sys.exit(main())
