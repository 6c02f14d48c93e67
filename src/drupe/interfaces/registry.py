"""Where process classes come from: a name leads to a class that is at hand, never to an import."""

from collections.abc import Iterable
from typing import Any, Protocol


class Registry(Protocol):
    """The process classes that may be run here."""

    def find(self, kind: str) -> type[Any]:
        """Get the class of an identifier ``module:QualName``.

        Raises:
            UnknownClassError: it is not at hand; names the module that would have to be imported.
        """
        ...

    def versions(self, kinds: Iterable[str]) -> dict[str, int | None]:
        """Get the version of each class that is at hand now, and None for each that is not; from any thread.

        Nothing is imported for it. A class that may be at hand soon, because its module is to be imported, is left out.
        """
        ...
