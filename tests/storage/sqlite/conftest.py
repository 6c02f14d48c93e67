"""Stores of other programs: started as programs, stopped as programs are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import drupe


@pytest.fixture
def program():
    """A function that starts a script with its arguments; what still runs at the end is killed."""
    started = []

    def start(script, *arguments):
        source = Path(drupe.__file__).parents[1]
        process = subprocess.Popen(
            [sys.executable, "-c", script, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env={**os.environ, "PYTHONPATH": str(source)},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"
