"""Nothing executable is ever loaded from data (DESIGN rule 5).

Imports named by a person on the command line, in the project's own list or in settings are not data from a message
or a store; the few places that make them are listed here, each with its reason.
"""

import ast
import sys
from collections.abc import Iterator

import msgspec
import pytest

from drupe import Process
from drupe.core.codec import CODEC
from drupe.core.lifecycle import State
from drupe.core.snapshot import Snapshot
from drupe.engine import loading
from drupe.engine.registry import ClassRegistry
from drupe.errors import UnknownClassError
from tests.architecture.source import Module, modules

FORBIDDEN_MODULES = frozenset(
    {"cloudpickle", "dill", "imp", "jsonpickle", "marshal", "pickle", "runpy", "shelve", "yaml"}
)
FORBIDDEN_NAMES = frozenset({"__import__", "compile", "eval", "exec"})
FORBIDDEN_ATTRIBUTES = frozenset(
    {
        "importlib.import_module",
        "importlib.util.module_from_spec",
        "importlib.util.spec_from_file_location",
        "pkgutil.resolve_name",
    }
)

NAMED_BY_A_PERSON = "imports what a command line, a setting or the project's own list names"

ALLOWED = {  # (file, name): why it may
    ("core/codec.py", "importlib.import_module"): "imports a key of FAMILIES, a literal table in the code",
    ("service/classes.py", "importlib.import_module"): NAMED_BY_A_PERSON,
    ("service/classes.py", "importlib.util.module_from_spec"): NAMED_BY_A_PERSON,
    ("service/classes.py", "importlib.util.spec_from_file_location"): NAMED_BY_A_PERSON,
}


def uses(module: Module) -> Iterator[str]:
    """The forbidden things that a module uses, by their full names, however it has imported them."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names if alias.name.split(".")[0] in FORBIDDEN_MODULES)
            case ast.ImportFrom(module=str(origin), names=names):
                if origin.split(".")[0] in FORBIDDEN_MODULES:
                    yield origin
                full_names = {f"{origin}.{alias.name}" for alias in names}
                yield from full_names & FORBIDDEN_ATTRIBUTES
            case ast.Name(id=name) if name in FORBIDDEN_NAMES:
                yield name
            case ast.Attribute() if (name := ast.unparse(node)) in FORBIDDEN_ATTRIBUTES:
                yield name
            case ast.Attribute(value=ast.Name(id="builtins"), attr=name) if name in FORBIDDEN_NAMES:
                yield name


FOUND = {(module.path, name) for module in modules() for name in uses(module)}


def test_nothing_executable_is_loaded_from_data() -> None:
    assert not FOUND - ALLOWED.keys()


def test_every_exception_is_still_needed() -> None:
    assert not ALLOWED.keys() - FOUND


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "import yaml.nodes as nodes",
        "from marshal import loads",
        "eval('1')",
        "run = exec",
        "__import__('os')",
        "import builtins; builtins.eval('1')",
        "import importlib; importlib.import_module(name)",
        "from importlib import import_module as load",
        "import importlib.util; importlib.util.spec_from_file_location(name, path)",
    ],
)
def test_what_could_load_code_is_found(line: str) -> None:
    assert list(uses(Module("core/codec.py", line)))


@pytest.mark.parametrize("line", ["import importlib.metadata", "import re; re.compile('x')", "self.exec()", "'eval'"])
def test_what_only_looks_like_it_is_left_alone(line: str) -> None:
    assert not list(uses(Module("core/codec.py", line)))


@pytest.mark.parametrize(
    "kind",
    [
        "os:system",
        "subprocess:run",
        "xml.dom.minidom:parse",  # a module that nothing has imported
        "builtins:eval",
        "tests.nowhere:Class",
        "a" * 255 + ":B",
        "os.system",
        ":",
        "../x:Y",
        "a\0b:C",
        "",
    ],
)
def test_a_class_that_data_names_is_looked_up_and_nothing_is_imported_for_it(kind: str) -> None:
    before = set(sys.modules)
    body = Snapshot(pid="p", kind=kind, state=State.CREATED, created=0.0, data=msgspec.Raw(CODEC.encode({}))).encode()

    for use in (lambda: ClassRegistry(Process).find(kind), lambda: loading.load(body)):
        with pytest.raises(UnknownClassError):
            use()

    assert set(sys.modules) == before
