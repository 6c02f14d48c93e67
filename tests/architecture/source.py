"""The source of drupe as the rules see it: files, their text and their syntax trees.

A rule is a function from a `Module` to the offences found in it, one line each, so that the same function is run
over the whole source and over a small bad sample that proves the rule able to fail.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src" / "drupe"


@dataclass(frozen=True)
class Module:
    """One source file; `path` is relative to the package."""

    path: str
    text: str

    @property
    def name(self) -> str:
        """The dotted name that it is imported by."""
        return ".".join(["drupe", *PurePath(self.path).with_suffix("").parts]).removesuffix(".__init__")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)


Rule = Callable[[Module], Iterator[str]]


def modules() -> list[Module]:
    """Every source file of the package."""
    return [Module(str(path.relative_to(SRC)), path.read_text("utf-8")) for path in sorted(SRC.rglob("*.py"))]


def offences(rule: Rule) -> list[str]:
    """What `rule` finds in the whole source, each with the file it is in."""
    return [f"{module.path}: {offence}" for module in modules() for offence in rule(module)]
