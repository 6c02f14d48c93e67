"""Importing drupe does nothing but define things.

Seen twice: in the syntax, where no statement at the level of a module may act, and at run time, where an audit hook
watches every module of the package being imported.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, Module, modules

DEFINITIONS = (
    ast.Import,
    ast.ImportFrom,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Assign,
    ast.AnnAssign,
)
CONDITIONS = ("TYPE_CHECKING", "typing.TYPE_CHECKING", "__name__ == '__main__'", "sys.platform", "sys.version_info")

REGISTRATION = "CODEC.register("  # tells the codec of a type: a definition too

ALLOWED = {  # (file, first line of the statement): why it may
    ("runtime/bridge.py", "atexit.register(_close_at_exit)"): "loops kept for re-use are closed before Python ends",
    ("runtime/inheritance.py", "os.register_at_fork(after_in_child=_give_up)"): "a forked child must not hold locks",
    ("runtime/bridge.py", "if hasattr(os, 'register_at_fork'):"): "a forked child must not close its parent's loops",
}

# Run in a fresh interpreter: import what is named in the arguments and print what that did to the world outside.
WATCH = """
import importlib, os, sys
ACTIONS = {"os.mkdir", "os.remove", "os.rename", "os.system", "os.fork", "os.posix_spawn", "os.putenv", "socket.__new__",
           "socket.connect", "sqlite3.connect", "subprocess.Popen", "_thread.start_new_thread", "_thread.start_joinable_thread"}
def watch(event, arguments):
    written = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if event in ACTIONS or written:
        print(name, event, arguments[0] if arguments else "")
sys.dont_write_bytecode = True
name = "start"
sys.addaudithook(watch)
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name.partition(".")[0] == "drupe":
            raise  # what is missing is not an extra
"""


def acting_statement(module: Module) -> Iterator[str]:
    """The first lines of the statements that act when the module is imported."""
    for node in module.tree.body:
        documentation = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        condition = isinstance(node, ast.If) and ast.unparse(node.test).startswith(CONDITIONS)
        if documentation or condition or isinstance(node, DEFINITIONS):
            continue
        statement = ast.unparse(node).splitlines()[0]
        if not statement.startswith(REGISTRATION):
            yield statement


def actions(names: list[str], search: Path) -> list[str]:
    """What importing the modules of these names does to files, threads, sockets and programs."""
    command = [sys.executable, "-c", WATCH, *names]
    return subprocess.run(
        command, env={"PYTHONPATH": str(search)}, capture_output=True, text=True, check=True
    ).stdout.splitlines()


@pytest.fixture(scope="module")
def found() -> set[tuple[str, str]]:
    """The statements that act, each with its file."""
    return {
        (module.path, statement)
        for module in modules()
        if module.path != "__main__.py"  # the one that is there to act
        for statement in acting_statement(module)
    }


@pytest.mark.untraced
def test_no_module_acts_when_it_is_read(found) -> None:
    assert not found - ALLOWED.keys()


@pytest.mark.untraced
def test_every_exception_is_still_needed(found) -> None:
    assert not ALLOWED.keys() - found


def test_importing_every_module_leaves_the_world_alone() -> None:
    names = [module.name for module in modules() if module.path != "__main__.py"]

    assert not actions(names, ROOT / "src")


@pytest.mark.parametrize(
    "line", ["print('hello')", "for x in (): pass", "with lock: pass", "if os.environ.get('X'): y = 1", "x.y()"]
)
def test_an_acting_statement_is_found(line: str) -> None:
    assert list(acting_statement(Module("core/spec.py", f'"""Doc."""\n{line}\n')))


@pytest.mark.parametrize(
    "line",
    [
        "open(__file__ + '.log', 'w').close()",
        "import threading; threading.Thread(target=print).start()",
        "import socket; socket.socket().close()",
        "import sqlite3; sqlite3.connect(':memory:').close()",
        "import subprocess; subprocess.run(['true'])",
    ],
)
def test_an_import_that_acts_is_found(line: str, tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text(line)

    assert actions(["sample"], tmp_path)
