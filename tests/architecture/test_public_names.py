"""What users may import is decided, not happened upon."""

import importlib
import re
import tomllib
from types import ModuleType

import pytest

import drupe
from tests.architecture.public_names import PINNED, PUBLIC_MODULES, names_of, public_names
from tests.architecture.source import ROOT


def missing(module: ModuleType) -> set[str]:
    """The names in `__all__` that the module does not have."""
    return {name for name in getattr(module, "__all__", ()) if not hasattr(module, name)}


def test_the_public_names_are_the_pinned_ones() -> None:
    pinned = PINNED.read_text("utf-8").splitlines()

    assert public_names() == pinned, "if this is meant: python -m tests.architecture.public_names"


@pytest.mark.parametrize("name", PUBLIC_MODULES)
def test_every_public_name_is_there_and_listed_once(name: str) -> None:
    module = importlib.import_module(name)

    assert not missing(module)
    assert len(names_of(module)) == len(set(names_of(module)))


def test_a_name_that_is_listed_but_not_there_is_found() -> None:
    module = ModuleType("sample")
    module.__all__ = ["Process"]  # type: ignore[attr-defined]

    assert missing(module) == {"Process"}
    assert names_of(module) == ["sample.Process"]


def test_the_version_is_kept_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "src/drupe/__init__.py"
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc|\.dev)\d+)?", drupe.__version__)
