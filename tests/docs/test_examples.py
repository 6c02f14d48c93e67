"""Each small example runs by itself and prints what its docstring says."""

import ast
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.architecture.source import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def promised(path: Path) -> str:
    """What the docstring of an example says that it prints."""
    documentation = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    _, _, shown = documentation.partition("It prints:\n\n")
    return textwrap.dedent(shown).strip()


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_prints_what_it_says(path: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == promised(path) != ""
    assert not done.stderr
    assert not list(tmp_path.iterdir())


def test_the_list_of_examples_names_all_and_no_others() -> None:
    listed = re.findall(r"\]\((\w+\.py)\)", (ROOT / "examples" / "README.md").read_text("utf-8"))

    assert sorted(listed) == [path.name for path in EXAMPLES]
