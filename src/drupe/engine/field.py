"""Attributes of a process that are declared, so that they are saved with every checkpoint.

Which attributes are saved follows from the declarations in the class body and nothing else; an
attribute that was set but not declared is refused when the process is saved.
"""

from collections.abc import Callable
from typing import Any, Final

from drupe.errors import DefinitionError

_NOTHING: Final = object()


class Field:
    """The declaration of one attribute."""

    def __init__(self, default: Any, factory: Callable[[], Any] | None, *, saved: bool) -> None:
        self.name = ""
        self.saved = saved
        self._default = default
        self._factory = factory

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, process: Any, owner: type) -> Any:
        # Reached only as long as the attribute is not set: an instance's own attribute comes first.
        if process is None:
            return self
        if self._factory is not None:
            value = process.__dict__[self.name] = self._factory()
            return value
        if self._default is _NOTHING:
            raise AttributeError(f"{owner.__name__}.{self.name} has no value yet and no default")
        return self._default


def field(default: Any = _NOTHING, *, factory: Callable[[], Any] | None = None, saved: bool = True) -> Any:
    """Declare an attribute that is saved with each checkpoint.

    In the class body: ``attempts: int = field(0)``.

    Args:
        default: its value until it is set; an immutable one, since all processes share it.
        factory: makes the value for each process instead, for example ``list``.
        saved: False keeps it in memory only: after a resume it has its default again.

    Raises:
        DefinitionError: default and factory are both given, or the default is a list, dict or set.
    """
    if factory is not None and default is not _NOTHING:
        raise DefinitionError("a field has a default or a factory, not both")
    if isinstance(default, list | dict | set):
        raise DefinitionError(
            f"all processes would share this {type(default).__name__}; use factory={type(default).__name__}"
        )
    return Field(default, factory, saved=saved)


def fields_of(process_class: type) -> dict[str, Field]:
    """Get the declared attributes of a class and its bases, by name."""
    found: dict[str, Field] = {}
    for base in reversed(process_class.__mro__):
        found.update({name: value for name, value in vars(base).items() if isinstance(value, Field)})
    return found
