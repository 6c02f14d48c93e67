"""Names for classes and functions, and how they are found again."""

import abc
import importlib
import sys
from typing import Any

__all__ = ["DefaultObjectLoader", "ObjectLoader", "get_object_loader", "set_object_loader"]


class ObjectLoader(metaclass=abc.ABCMeta):
    """Identifies objects by text, and loads what a text identifies."""

    @abc.abstractmethod
    def load_object(self, identifier: str) -> Any:
        """Get the object; raises `ValueError` when it cannot be loaded."""

    @abc.abstractmethod
    def identify_object(self, obj: Any) -> str:
        """Get the identifier; raises `ValueError` when the object could not be loaded by it."""


class DefaultObjectLoader(ObjectLoader):
    """Identifies what stands at the top of a module, as ``module:name``.

    Loading imports the module, so whoever may write identifiers is trusted.
    """

    def load_object(self, identifier: str) -> Any:
        """Get the object; raises `ValueError` when it cannot be loaded."""
        module, separator, name = identifier.partition(":")
        if not separator or ":" in name:
            raise ValueError(f"identifier `{identifier}` has an invalid format.")
        found = sys.modules.get(module)
        if found is None:
            try:
                found = importlib.import_module(module)
            except ImportError as error:
                raise ValueError(f"module `{module}` from identifier `{identifier}` could not be loaded.") from error
        try:
            return getattr(found, name)
        except AttributeError as error:
            raise ValueError(f"object `{name}` form identifier `{identifier}` could not be loaded.") from error

    def identify_object(self, obj: Any) -> str:
        """Get the identifier; raises `ValueError` when the object could not be loaded by it."""
        identifier = f"{obj.__module__}:{obj.__name__}"
        self.load_object(identifier)
        return identifier


OBJECT_LOADER: ObjectLoader | None = None


def get_object_loader() -> ObjectLoader:
    """Get the loader that is used where none is named."""
    global OBJECT_LOADER  # noqa: PLW0603 (a public name, which programs read)
    if OBJECT_LOADER is None:
        OBJECT_LOADER = DefaultObjectLoader()
    return OBJECT_LOADER


def set_object_loader(loader: ObjectLoader | None) -> None:
    """Use this loader where none is named; None for a new default one."""
    global OBJECT_LOADER  # noqa: PLW0603 (a public name, which programs read)
    OBJECT_LOADER = loader
