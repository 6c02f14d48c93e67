"""A page of the documentation as something to run: its code blocks in order, each in the language that its fence names.

    ```python      run in the page's own module; if it begins with `# NAME.py`, written to that file instead
    ```toml        written to the file that its first line names, `# NAME.toml`
    ```text        directly below Python: what that printed
    ```console     `$ commands`, run by a shell, each with what it writes below it; those in `UNTOUCHED` are left alone

What is shown may differ from what is there in ids, times and runs of blanks; `…` stands for anything.
"""

import contextlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from tests.architecture.source import ROOT

PAGES = sorted(
    path
    for path in (ROOT / "README.md", ROOT / "examples" / "README.md", *(ROOT / "docs").rglob("*.md"))
    if path.relative_to(ROOT).parts[:2] not in {("docs", "adr"), ("docs", "benchmarks.md")}
)

UNTOUCHED = ("git ", "make ", "pip ")  # what installs, and what is a test of its own

FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (?P<name>[\w/]+\.(py|toml))\n")
VARIES = (
    (re.compile(r"\b([0-9a-f]{32}|[0-9a-f]{8})\b"), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.\d+"), "<time>"),
    (re.compile(r"\d+(\.\d+)? (ms|s|min) ago"), "<ago>"),
    (re.compile(r"[ \t]+"), " "),
)


@dataclass(frozen=True)
class Block:
    """One code block; `line` is where its text begins in the page, `below` whether only blanks part it from the last."""

    language: str
    text: str
    line: int
    below: bool


def blocks(text: str) -> Iterator[Block]:
    """The code blocks of a page."""
    end = 0
    for found in FENCE.finditer(text):
        line = text.count("\n", 0, found.start("text")) + 1
        shown = re.sub(rf"^{found['indent']}", "", found["text"], flags=re.MULTILINE)
        yield Block(found["language"], shown, line, below=not text[end : found.start()].strip())
        end = found.end()


def agrees(shown: str, there: str) -> bool:
    """Whether what a page shows is what there is."""
    parts = (re.escape(part) for part in _settled(shown).split("…"))
    return re.fullmatch(".*".join(parts), _settled(there), re.DOTALL) is not None


def _settled(text: str) -> str:
    """A text without what may differ."""
    text = "\n".join(line.strip() for line in text.strip().splitlines())
    for varying, name in VARIES:
        text = varying.sub(name, text)
    return text


class Reader:
    """Somebody who tries out a page, in an empty folder of their own, which is the current one.

    Args:
        path: of the page.
        folder: their own.
        here: what they have to write instead of what is on the page, because that is elsewhere here.
    """

    def __init__(self, path: Path, folder: Path, here: Mapping[str, str] | None = None) -> None:
        self._path = path
        self._here = here or {}
        self._folder = folder
        self._module = ModuleType("page")
        self._printed = ""
        self._last = 0
        tools = folder.parent / "bin"
        tools.mkdir(exist_ok=True)
        for name, arguments in {"python": "", "drupe": " -m drupe"}.items():
            (tools / name).write_text(f'#!/bin/sh\nexec {sys.executable}{arguments} "$@"\n')
            (tools / name).chmod(0o755)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("DRUPE_")}
        path_variable = f"{tools}{os.pathsep}{os.environ['PATH']}"
        self._environment = inherited | {"PATH": path_variable, "PYTHONPATH": str(ROOT / "src"), "NO_COLOR": "1"}

    def read(self) -> None:
        """Do everything that the page says; AssertionError where it is not as the page says."""
        sys.modules["page"] = self._module
        text = self._path.read_text("utf-8")
        for there, here in self._here.items():
            text = text.replace(there, here)
        for block in blocks(text):
            getattr(self, f"_{block.language}", self._look)(block)

    def _look(self, block: Block) -> None:
        """Nothing to be done."""

    def _python(self, block: Block) -> None:
        if not self._written(block):
            code = compile("\n" * (block.line - 1) + block.text, str(self._path), "exec")
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(code, self._module.__dict__)
            self._printed = output.getvalue()

    def _toml(self, block: Block) -> None:
        assert self._written(block), f"{self._path}:{block.line}: it does not begin with # NAME.toml"

    def _text(self, block: Block) -> None:
        if block.below and self._printed:
            self._compare(block.text, self._printed, block.line)

    def _console(self, block: Block) -> None:
        for number, command, shown in _commands(block):
            if command.startswith(UNTOUCHED):
                continue
            done = subprocess.run(
                ["/bin/sh", "-c", f"(exit {self._last}); {command}"],
                check=False,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=50,
            )
            self._last = done.returncode
            self._compare(shown, done.stdout, number)

    def _written(self, block: Block) -> bool:
        found = FILE.match(block.text)
        if found:
            file = self._folder / found["name"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text)
        return found is not None

    def _compare(self, shown: str, there: str, line: int) -> None:
        assert agrees(shown, there), f"{self._path}:{line}: the page shows\n{shown}\nand there is\n{there}"


def _commands(block: Block) -> Iterator[tuple[int, str, str]]:
    """The commands of a console block, each with its line and what is shown below it."""
    for found in re.finditer(r"^\$ (?P<command>.*)\n(?P<shown>(?:(?!\$ ).*\n)*)", block.text, re.MULTILINE):
        yield block.line + block.text.count("\n", 0, found.start()), found["command"], found["shown"]
