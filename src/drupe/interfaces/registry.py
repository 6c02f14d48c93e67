"""Where process classes come from: a name leads to a class that is at hand, never to an import."""

from typing import Any, Protocol


class Registry(Protocol):
    """The process classes that may be run here."""

    def find(self, kind: str) -> type[Any]:
        """Get the class of an identifier ``module:QualName``.

        Raises:
            UnknownClassError: it is not at hand; names the module that would have to be imported.
        """
        ...
