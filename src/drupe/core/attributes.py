"""Mappings whose items read like attributes: the inputs of a process, the context of a work chain.

They are dictionaries in every other respect, and a dictionary's own methods win over items of
the same name: such an item is reached as ``mapping["items"]``. So whatever takes a mapping
can take one of these, whatever its keys are.
"""

from collections.abc import Mapping
from typing import Any, NoReturn, Self

from drupe.core.issue import alternatives
from drupe.errors import DrupeError


class NoItemError(DrupeError, AttributeError):
    """There is no item of this name; the text names those there are, and close ones first."""

    code = "no-item"

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(name, known)
        self.name = name
        self.known = known

    def __str__(self) -> str:
        # Worded only when it is read: `getattr(ctx, name, None)` is a common question and must be a cheap one.
        return f"no {self.name!r} here; {alternatives(str(self.name), self.known)}"


class AttributeMap(dict[str, Any]):
    """A dictionary whose items can be read as attributes; equal to any dictionary with the same items."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise NoItemError(name, tuple(self)) from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *map(str, self)]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({super().__repr__()})"


class Attributes(AttributeMap):
    """A mapping that is written by attribute too: the context of a work chain."""

    __slots__ = ()

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _OWN:  # written, it could not be read back as an attribute
            message = f"{name!r} is a method of every mapping; write it as an item: [{name!r}]"
            raise AttributeError(message)
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise NoItemError(name, tuple(self)) from None

    def copy(self) -> Self:
        """A new mapping with the same items."""
        return type(self)(self)


class FrozenAttributes(AttributeMap):
    """A mapping that nobody changes: the inputs of a process, namespaces within included.

    It keeps its items, not what is inside their values: those are the caller's. `thaw` gives one that can be changed.
    """

    __slots__ = ()

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        message = f"cannot set {name!r}: these are read-only"
        raise AttributeError(message)

    def __delattr__(self, name: str) -> NoReturn:
        message = f"cannot delete {name!r}: these are read-only"
        raise AttributeError(message)

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        message = f"{type(self).__name__} is read-only; `dict(...)` gives a copy that can be changed"
        raise TypeError(message)

    __setitem__ = __delitem__ = __ior__ = _refuse
    update = setdefault = pop = popitem = clear = _refuse

    def __copy__(self) -> Self:
        return self

    def __reduce__(self) -> tuple[type[Self], tuple[dict[str, Any]]]:
        # Copying a dictionary subclass fills the copy item by item, which a read-only one refuses.
        return type(self), (dict(self),)


_OWN = frozenset(dir(dict))
_NONE = FrozenAttributes()


def thaw(values: Mapping[str, Any]) -> Attributes:
    """The same items in a mapping that can be changed, namespaces within included."""
    return Attributes(
        (name, thaw(value) if isinstance(value, FrozenAttributes) else value) for name, value in values.items()
    )


def freeze(values: Mapping[str, Any]) -> FrozenAttributes:
    """The same items in a mapping that nobody changes, namespaces within included."""
    if not values:
        return _NONE
    return FrozenAttributes(
        (name, freeze(value) if type(value) is Attributes else value) for name, value in values.items()
    )
