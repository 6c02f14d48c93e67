"""Imports only go down: the contracts of import-linter in pyproject.toml hold, and are able to fail."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import ROOT

LAYERS = ("cli", "web", "testing", "service", "engine", "storage", "messaging", "runtime", "interfaces", "core")

WRONG = {
    "core/climber.py": ("import drupe.engine", "drupe.core is not allowed to import drupe.engine"),
    "storage/neighbour.py": ("import drupe.engine", "drupe.storage is not allowed to import drupe.engine"),
    "cli/neighbour.py": ("import drupe.testing", "drupe.cli is not allowed to import drupe.testing"),
    "newcomer.py": ("", "- drupe.newcomer"),
    "core/sleeper.py": ("import asyncio", "drupe.core is not allowed to import asyncio"),
    "engine/writer.py": ("import sqlite3", "drupe.engine is not allowed to import sqlite3"),
    "service/lease.py": ("import drupe.storage.sqlite", "- drupe.service.lease -> drupe.storage.sqlite"),
    "web/page.py": ("import drupe.messaging.local", "- drupe.web.page -> drupe.messaging.local"),
    "core/hen.py": ("import drupe.core.egg", "No cycles are allowed in drupe.core"),
}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter with the project's own contracts over the package in `folder`/src."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    return subprocess.run(
        [*command, "--config", str(ROOT / "pyproject.toml"), "--no-cache", "--no-logo"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A folder with an empty package that has every layer, and nothing wrong in it."""
    package = tmp_path / "src" / "drupe"
    for layer in LAYERS:
        (package / layer).mkdir(parents=True)
        (package / layer / "__init__.py").touch()
    for path in ("__init__.py", "errors.py", "storage/sqlite.py", "messaging/local.py"):
        (package / path).touch()
    (package / "service" / "wiring.py").write_text("import drupe.storage.sqlite, drupe.messaging.local\n")
    (package / "core" / "egg.py").write_text("TYPE_CHECKING = False\nif TYPE_CHECKING: import drupe.core.hen\n")
    (package / "core" / "hen.py").touch()
    return tmp_path


@pytest.mark.slow
def test_the_layers_hold() -> None:
    result = lint_imports(ROOT)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.slow
def test_imports_that_go_down_are_fine(house: Path) -> None:
    assert lint_imports(house).returncode == 0


@pytest.mark.slow
def test_every_kind_of_wrong_import_is_found(house: Path) -> None:
    for path, (line, _) in WRONG.items():
        (house / "src" / "drupe" / path).write_text(line)

    result = lint_imports(house)

    assert result.returncode == 1
    assert {path for path, (_, finding) in WRONG.items() if finding not in result.stdout} == set(), result.stdout
