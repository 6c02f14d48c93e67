"""One side of a comparison, in an interpreter of its own: runs its work whenever it is told to.

    python benchmarks/side.py both.process:one_after_the_other '{"size": 100}'

For every line on standard input the work is run once, and a line of JSON says what it took. The work is
a function that is given a `Stopwatch`, prepares, does what counts in ``with watch:``, and returns of how many
units that was. All interpreters run this file, so it needs nothing that is not in the standard library.
"""

import importlib
import json
import sys
from collections.abc import Sequence

from stopwatch import Stopwatch


def main(arguments: Sequence[str]) -> None:
    """Measure, once for each line, until there are no more."""
    place, options = arguments
    module, _, name = place.partition(":")
    work = getattr(importlib.import_module(module), name)
    for _ in sys.stdin:
        watch = Stopwatch()
        units = work(watch, **json.loads(options))
        figures = {"wall": watch.wall, "cpu": watch.cpu, "bytes": watch.bytes}
        print(json.dumps({name: figure / units for name, figure in figures.items()}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
