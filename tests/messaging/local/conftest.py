"""A folder whose path is short enough for sockets."""

import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="drupe-") as name:
        yield Path(name)
