"""What users may import is decided, not happened upon."""

import importlib
import re
import tomllib

import pytest

import drupe
from drupe.version import __version__
from tests.architecture.public_names import PINNED, names, public_names
from tests.architecture.source import ROOT, Module


def test_the_public_names_are_the_pinned_ones() -> None:
    pinned = PINNED.read_text("utf-8").splitlines()

    assert public_names() == pinned, "if this is meant: python -m tests.architecture.public_names"


@pytest.mark.parametrize("full_name", PINNED.read_text("utf-8").splitlines())
def test_every_public_name_can_be_imported(full_name: str) -> None:
    module, _, name = full_name.rpartition(".")

    assert hasattr(importlib.import_module(module), name)


def test_a_public_name_is_one_that_is_defined_or_re_exported() -> None:
    module = Module(
        "__init__.py",
        """
        import os
        from drupe.core.port import Port
        from drupe.engine.process import Process as Process
        if TYPE_CHECKING:
            from drupe.service.runner import Runner as Runner
        T = TypeVar("T")
        LIMIT: Final = 3
        _hidden = other = 1
        class Store: ...
        def run(): ...
        async def wait(): ...
        def _private(): ...
        """.replace("\n        ", "\n"),
    )

    assert list(names(module)) == ["Process", "Runner", "LIMIT", "other", "Store", "run", "wait"]


def test_the_version_is_kept_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "src/drupe/version.py"
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc|\.dev)\d+)?", __version__)
    assert drupe.__version__ == __version__
