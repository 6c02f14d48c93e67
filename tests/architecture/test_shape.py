"""A file has one subject, says which, and is named after it."""

import ast
from collections.abc import Iterator
from pathlib import PurePath

import pytest

from tests.architecture.source import Module, Rule, modules, offences

MAX_LINES = 400
LONGER_FILES: frozenset[str] = frozenset()  # the exceptions: none, and each new one needs an argument
BANNED_NAMES = frozenset({"base", "common", "helper", "helpers", "manager", "misc", "mixin", "mixins", "util", "utils"})


def too_long(module: Module) -> Iterator[str]:
    lines = len(module.text.splitlines())
    if lines > MAX_LINES and module.path not in LONGER_FILES:
        yield f"{lines} lines are two subjects; {MAX_LINES} is the limit"


def banned_name(module: Module) -> Iterator[str]:
    for part in PurePath(module.path).with_suffix("").parts:
        if part.lstrip("_") in BANNED_NAMES:
            yield f"{part!r} says nothing about what is inside"


def no_docstring(module: Module) -> Iterator[str]:
    if not ast.get_docstring(module.tree):
        yield "does not say what it is for"


def relative_import(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield f"line {node.lineno}: relative import"


RULES = [
    pytest.param(too_long, Module("core/spec.py", "x = 1\n" * (MAX_LINES + 1)), id="length"),
    pytest.param(banned_name, Module("core/_utils/spec.py", ""), id="folder-name"),
    pytest.param(banned_name, Module("engine/manager.py", ""), id="file-name"),
    pytest.param(no_docstring, Module("core/spec.py", "# a comment is not a docstring\nx = 1\n"), id="docstring"),
    pytest.param(relative_import, Module("core/spec.py", "def f():\n    from . import port\n"), id="relative-import"),
]


def test_there_is_source_to_look_at() -> None:
    assert {"__init__.py", "errors.py", "core/lifecycle.py"} <= {module.path for module in modules()}


@pytest.mark.untraced
@pytest.mark.parametrize(("rule", "bad"), RULES)
def test_every_file_keeps_to_the_shape(rule: Rule, bad: Module) -> None:
    assert not offences(rule)


@pytest.mark.parametrize(("rule", "bad"), RULES)
def test_a_file_out_of_shape_is_found(rule: Rule, bad: Module) -> None:
    assert list(rule(bad))


def test_no_exception_outlives_its_file() -> None:
    assert LONGER_FILES.issubset(module.path for module in modules())
