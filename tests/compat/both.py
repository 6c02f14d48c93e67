"""Running one program with the original libraries and with the drop-in, and comparing what it tells."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ORIGINAL = "original"
DROP_IN = "drop-in"


def command(library, *words, beside=()):
    """How a program runs with one of the two; it may import what is in the folders ``beside``."""
    interpreter = ROOT / ".venv-bench/bin/python" if library == ORIGINAL else sys.executable
    own = () if library == ORIGINAL else ("compat/kiwipy/src", "compat/plumpy/src", "src")
    path = os.pathsep.join(str(ROOT / place) for place in (*beside, *own))
    return {"args": [str(interpreter), *words], "env": {**os.environ, "PYTHONPATH": path}}


def told(library, *words, beside=()):
    """What a program tells, as JSON."""
    ended = subprocess.run(
        **command(library, *words, beside=beside), capture_output=True, text=True, timeout=150, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def differing_names(package):
    """The public names of a package, by their place, that the drop-in has not, or not in the same way."""
    original, drop_in = (
        told(library, str(Path(__file__).parent / "names.py"), package) for library in (ORIGINAL, DROP_IN)
    )
    return {
        f"{module}.{name}": (facts, drop_in.get(module, {}).get(name))
        for module, names in original.items()
        for name, facts in names.items()
        if not _agrees(facts, drop_in.get(module, {}).get(name))
    }


def _agrees(original, drop_in):
    """A class may have more methods and bases than the original's."""
    if drop_in is None:
        return False
    if "bases" in original:
        return set(original["bases"]) <= set(drop_in["bases"]) and all(
            drop_in.get(key, "nothing") == value for key, value in original.items() if key != "bases"
        )
    return original == drop_in
