"""An interpreter that is started, imports one module, and ends. The unit is an interpreter."""

import subprocess
import sys

from stopwatch import Stopwatch


def whole(watch: Stopwatch, *, module: str) -> int:
    """From the start of the interpreter to its end; nothing is taken off."""
    with watch:
        subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return 1


def imported(watch: Stopwatch, *, module: str) -> int:
    """What the interpreter itself says that the import took."""
    command = [sys.executable, "-X", "importtime", "-c", f"import {module}"]
    report = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    (line,) = (line for line in report.splitlines() if line.endswith(f" | {module}"))
    watch.wall = watch.cpu = int(line.split("|")[1]) / 1e6
    return 1
