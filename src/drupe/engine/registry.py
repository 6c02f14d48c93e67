"""Process classes by their identifier: those of modules that are imported already, and those that were added.

An identifier is ``module:QualName``. A file that is run as a script is the module of its stem, so what
a script wrote can be resumed by a command, and the other way round. Nothing is ever imported here.
"""

import os.path
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from drupe.errors import UnknownClassError


class ClassRegistry:
    """Finds process classes that are at hand."""

    def __init__(self, base: type[Any]) -> None:
        """Make a registry of the subclasses of ``base``."""
        self._base = base
        self._added: dict[str, type[Any]] = {}

    def add(self, process_class: type[Any]) -> type[Any]:
        """Make a class known that could not be found by its module, such as one defined inside a function."""
        self._added[kind_of(process_class)] = process_class
        return process_class

    def find(self, kind: str) -> type[Any]:
        """Get the class of an identifier.

        Raises:
            UnknownClassError: it is not at hand; names the module that would have to be imported.
        """
        found = self._added.get(kind) or self._look_up(kind)
        if isinstance(found, type) and issubclass(found, self._base):
            return found
        module, _, name = kind.partition(":")
        if _module(module) is None:
            raise UnknownClassError(f"{kind} needs the module {module!r}, which is not imported here; import it first")
        raise UnknownClassError(f"the module {module!r} has no process class {name!r}; was it renamed or moved?")

    def versions(self, kinds: Iterable[str]) -> dict[str, int | None]:
        """Get the version of each class that is at hand now, and None for each that is not; from any thread."""
        return {kind: self._version(kind) for kind in kinds}

    def _version(self, kind: str) -> int | None:
        try:
            version: int = self.find(kind).version
        except UnknownClassError:
            return None
        return version

    def _look_up(self, kind: str) -> object:
        module, _, path = kind.partition(":")
        found: object = _module(module)
        for name in path.split("."):
            if found is None:
                return None
            found = vars(found).get(name)
        return found


def kind_of(process_class: type[Any]) -> str:
    """Get the identifier of a class."""
    module = process_class.__module__
    if module == "__main__":
        module = _stem_of_main() or module
    return f"{module}:{process_class.__qualname__}"


def _module(name: str) -> ModuleType | None:
    found = sys.modules.get(name)
    return sys.modules["__main__"] if found is None and name == _stem_of_main() else found


def _stem_of_main() -> str | None:
    path = getattr(sys.modules["__main__"], "__file__", None)
    return os.path.splitext(os.path.basename(path))[0] if path else None  # noqa: PTH119, PTH122 (pathlib is slow to import)
