"""Kill, freeze and restart workers while they run thousands of processes, and see whether what is promised is kept.

    make chaos MINUTES=2 STORE=sqlite BROKER=local SEED=1         # or
    python -m chaos --seconds 120 --seed 1                        # the same
    python -m chaos --store postgresql --broker rabbitmq          # with servers of its own, which are restarted, too
    python -m chaos --kills 1000 --processes 10000 --seconds 300  # what is done, and how much there is to do
    python -m chaos --judge build/chaos/1                         # look at the evidence of a run once more

Each process takes five steps, and each step does something outside the store. What is done to the workers is drawn from the
seed; when exactly it happens is up to the machine. At the end the store's tables, what the steps did, and the journal of
what was done to them are compared. The exit code is 1 when anything was lost, or happened twice that must not, or somebody who asked for
something was left waiting.
"""

import argparse
import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from random import SystemRandom

from chaos.evidence import gather
from chaos.run import Plan, Run
from chaos.surroundings import surrounded
from chaos.table import lines
from chaos.verdict import Verdict, judge

KEPT = Path("build/chaos")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, judge, print, and get the exit code."""
    options = _parser().parse_args(arguments)
    if options.judge is not None:
        store = (options.judge / "store").read_text("utf-8")
        return _print(judge(gather(options.judge, store)), 0.0)
    seed = SystemRandom().randrange(10**6) if options.seed is None else options.seed
    folder = (options.folder or KEPT / str(seed)).absolute()
    if folder.exists():
        shutil.rmtree(folder)
    plan = _plan(options)
    print(f"seed {seed}: {plan.processes:,} processes with steps of {plan.step} s, in {folder}", flush=True)
    with surrounded(options.store, options.broker, durability=options.durability) as surroundings:
        run = Run(folder, plan, seed=seed, surroundings=surroundings)
        (folder / "store").write_text(surroundings.store)
        asyncio.run(run.go())
        return _print(judge(gather(folder, surroundings.store)), run.seconds)


def _print(verdict: Verdict, seconds: float) -> int:
    print("\n".join(lines(verdict, seconds)))
    return 1 if verdict.problems else 0


def _plan(options: argparse.Namespace) -> Plan:
    seconds = 60 * options.minutes if options.seconds is None else options.seconds

    def number(name: str, each: float) -> int:
        given = getattr(options, name)
        return round(seconds / each) if given is None else given

    return Plan(
        seconds=seconds,
        workers=options.workers,
        slots=options.slots,
        processes=number("processes", 1 / 33),
        kills=number("kills", 0.6),
        freezes=number("freezes", 3),
        drains=number("drains", 10),
        restarts=number("restarts", 5),
        down=options.down,
        callers=options.callers,
        lease=options.lease,
        durability=options.durability,
        pause=options.step,
        patience=options.patience,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="chaos", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--minutes", type=float, default=1.0, help="of faults (default 1)")
    parser.add_argument("--seconds", type=float, help="the same in seconds")
    parser.add_argument(
        "--store", default="sqlite", help="sqlite (default), postgresql to have one started, or an address"
    )
    parser.add_argument(
        "--broker", default="local", help="local (default), rabbitmq to have one started, or an address"
    )
    parser.add_argument("--seed", type=int, help="of the faults; by default a new one")
    parser.add_argument("--workers", type=int, default=4, help="default 4")
    parser.add_argument("--slots", type=int, default=10, help="of each worker (default 10)")
    parser.add_argument("--processes", type=int, help="default 33 for each second")
    parser.add_argument("--kills", type=int, help="default one in 0.6 seconds")
    parser.add_argument("--freezes", type=int, help="longer than the lease; default one in 3 seconds")
    parser.add_argument("--drains", type=int, help="SIGTERM, and another one; default one in 10 seconds")
    parser.add_argument("--restarts", type=int, help="of each server that was started here; default one in 5 seconds")
    parser.add_argument("--down", type=float, default=0.0, help="seconds that such a server stays away (default 0)")
    parser.add_argument("--callers", type=int, default=3, help="who ask for something all the time (default 3)")
    parser.add_argument("--lease", type=float, default=2.0, help="seconds (default 2)")
    parser.add_argument("--step", type=float, help="seconds that a step takes; by default as the slots can bear")
    parser.add_argument("--durability", choices=("full", "process"), default="full")
    parser.add_argument(
        "--patience", type=float, default=60.0, help="seconds without an end after which the rest is lost"
    )
    parser.add_argument("--folder", type=Path, help=f"of the run, made anew (default {KEPT}/SEED)")
    parser.add_argument("--judge", type=Path, metavar="FOLDER", help="only judge a run again")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
