"""Stores of one file, and the programs beside this one."""

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from drupe.storage.sqlite import SqliteStore
from tests.storage.postgres.fixture import database_url as database_url
from tests.storage.postgres.fixture import new_postgres_url as new_postgres_url
from tests.storage.postgres.fixture import own_database_url as own_database_url
from tests.storage.postgres.fixture import postgres_url as postgres_url

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture
def store(path):
    """Makes stores of the one file."""
    return lambda **given: SqliteStore(path, durability="process", **given)


@pytest.fixture
def program():
    """Runs code in another interpreter, with arguments; it ends with the test."""
    with contextlib.ExitStack() as running:

        def run(code, *arguments):
            found = subprocess.Popen(
                [sys.executable, "-c", code, *map(str, arguments)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
                env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
            )
            running.callback(_end, found)
            return found

        yield run


def _end(process):
    process.kill()
    process.communicate()
