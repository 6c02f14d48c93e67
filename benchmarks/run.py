"""Measure drupe beside others (plumpy, kiwipy, DBOS, Celery), and all beside the bare work, in one run.

    make bench                                           # or
    python benchmarks/run.py step chain --runs 9         # some rows only
    python benchmarks/run.py --json > figures.json

The exit code is 1 when something that is wanted was not reached (`--no-fail`: 0), 2 when nothing could be measured.
"""

import argparse
import contextlib
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from measure import HERE, SideError, interleave
from rich.console import Console
from rows import ROWS as BESIDE_PLUMPY
from rows import Row
from rows_service import service_rows
from table import markdown, tables
from verdict import Result

sys.path.append(str(HERE.parent))
from tests.messaging.rabbitmq.node import Node

BROKER: Final = "DRUPE_BENCH_AMQP"
OTHERS: Final = {
    name: HERE.parent / folder / "bin" / "python"
    for name, folder in (("plumpy", ".venv-bench"), ("dbos", ".venv-peers"), ("celery", ".venv-peers"))
}
"""The interpreters that have the other libraries."""
ROWS: Final = (*BESIDE_PLUMPY, *service_rows())
GROUPS: Final = tuple(dict.fromkeys(row.group for row in ROWS))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and get the exit code."""
    options = _parser().parse_args(arguments)
    rows = [row for row in ROWS if not options.groups or row.group in options.groups]
    for other in sorted({row.other for row in rows if row.other in row.works and not options.alone}):
        if not OTHERS[other].exists():
            print(f"there is no interpreter with {other} at {OTHERS[other]}: `make bench` makes it", file=sys.stderr)
            return 2
    progress = Console(stderr=True)
    results = []
    with broker(needed=any("RabbitMQ" in row.name for row in rows)):
        for number, row in enumerate(rows, 1):
            progress.print(f"[{number}/{len(rows)}] {row.name}", markup=False, highlight=False)
            results.append(_measured(row, options))
    if options.markdown:
        print(markdown(results))
    elif options.json:
        print(json.dumps({"machine": machine(), "rows": [result.as_json() for result in results]}, indent=1))
    else:
        _print(results)
    missed = [result for result in results if result.reached() is False]
    return 1 if missed and not options.no_fail else 0


@contextlib.contextmanager
def broker(*, needed: bool) -> Iterator[None]:
    """Have a broker for the time of a block, under the address in the environment: the one that is there, or a node of our own."""
    if not needed or os.environ.get(BROKER):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="drupe-bench-") as folder:
        node = Node(Path(folder))
        try:
            node.start()
            os.environ[BROKER] = node.url
            yield
        finally:
            os.environ.pop(BROKER, None)
            node.close()


def _measured(row: Row, options: argparse.Namespace) -> Result:
    works = {side: work.small() if options.tiny else work for side, work in row.works.items()}
    if options.alone:
        works.pop(row.other, None)
    runs = options.runs if options.tiny else max(options.runs, row.runs or 0)
    return Result(row, interleave(works, runs=runs, others={name: str(python) for name, python in OTHERS.items()}))


def _print(results: Sequence[Result]) -> None:
    # A pipe or a log gets the whole width: a table that is cut says nothing.
    console = Console() if sys.stdout.isatty() else Console(width=150)
    for made in tables(results):
        console.print(made)
    found = machine()
    console.print(f"{found['python']}, {found['cores']} cores, load {found['load']:.1f} at the end", highlight=False)
    for result in results:
        for name, side in result.sides.items():
            if isinstance(side, SideError):
                console.print(f"{name} fails in {result.row.name}: {side}", highlight=False, markup=False)
    verdicts = [result.reached() for result in results]
    console.print(f"reached {verdicts.count(True)} of {len(verdicts) - verdicts.count(None)}", highlight=False)


def machine() -> dict[str, Any]:
    """Get what the figures depend on."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
    }


def _group(name: str) -> str:
    if name not in GROUPS:
        raise argparse.ArgumentTypeError(f"there is no {name!r}; there are {', '.join(GROUPS)}")
    return name


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument(
        "groups", nargs="*", metavar="GROUP", type=_group, help=f"which rows, all by default: {', '.join(GROUPS)}"
    )
    parser.add_argument("--runs", type=int, default=7, help="how often each side is measured (default 7)")
    parser.add_argument("--alone", action="store_true", help="measure without the libraries it is compared with")
    parser.add_argument("--json", action="store_true", help="print JSON, with every single run")
    parser.add_argument("--markdown", action="store_true", help="print the table as it stands in the documentation")
    parser.add_argument("--no-fail", action="store_true", help="exit with 0 even if something was not reached")
    parser.add_argument("--tiny", action="store_true", help="do almost nothing, to see that everything runs")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
