"""Stores of one file, and the programs beside this one."""

import contextlib
import itertools
import subprocess
import sys
from pathlib import Path

import pytest

from drupe.service.database import Database
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
def new(tmp_path, new_postgres_url):
    """A function that gets a place where nothing is: a ``file``, or in a ``database``."""
    numbers = itertools.count()
    return lambda kind: tmp_path / f"{next(numbers)}.db" if kind == "file" else Database(new_postgres_url())


@pytest.fixture(
    params=[("file", "database"), ("file", "file"), ("database", "file"), ("database", "database")], ids="-to-".join
)
def ends(request, new):
    """Two places where nothing is."""
    return [new(kind) for kind in request.param]


@pytest.fixture
def to_database(new):
    return new("file"), new("database")


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
