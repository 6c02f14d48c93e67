"""The walk through a value that is not plain: each item is written so that it comes back, or refused by its path.

A walk knows the registered types; a form of writing (MessagePack, JSON) says what it has room for,
and the forms differ in nothing else. The path of a refused item is put together while the refusal
travels up, so that a walk that succeeds pays nothing for it.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, Final, NamedTuple

import msgspec

from drupe.core.plain import MAX_DEPTH, PLAIN, SCALARS, pack
from drupe.errors import UnsavableError

_TOO_DEEP: Final = (
    f"it is nested more than {MAX_DEPTH} deep, or holds itself; keep it flatter, and refer by name or number"
)


class Form(NamedTuple):
    """How values of one type are saved.

    Attributes:
        name: what is written in place of the type.
        type: exactly the type of these values.
        dump: gets the content of a value: anything that can itself be saved.
        load: gets the value back from its content.
    """

    name: str
    type: type
    dump: Callable[[Any], Any]
    load: Callable[[Any], Any]


class _RefusedError(Exception):
    """An item cannot be saved; on the way up it gathers the keys that lead to it, the innermost first."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.keys: list[Any] = []


class Walk(ABC):
    """Turns a value into something that msgspec writes exactly."""

    def __init__(self, find: Callable[[type], Form | None]) -> None:
        self._find = find

    @abstractmethod
    def tag(self, name: str, content: Any) -> Any:
        """Get the form's way to write ``content`` under the name of a type."""

    @abstractmethod
    def is_key(self, key: Any) -> bool:
        """Whether the form can have this as the key of a mapping."""

    def scalar(self, value: Any) -> Any:
        """Get the form's way to write a value of a type in `SCALARS`."""
        if fits(value):
            return value
        if type(value) is int:
            return self.tag("int", hex(value))  # in decimal, Python limits the digits
        raise _RefusedError("this text is not Unicode (it has lone surrogates); save it as bytes")

    def container(self, value: Any, depth: int) -> Any:
        """Get the form's way to write a list or dict that is nested ``depth`` deep."""
        return self._items(value, depth) if type(value) is list else self._mapping(value, depth)

    def write(self, value: Any, path: str) -> Any:
        """Get what to give to msgspec for a whole value, which people know as ``path``.

        Raises:
            UnsavableError: an item would not come back as it is; says which, and what to do.
        """
        try:
            return self.item(value, 0)
        except _RefusedError as refused:
            where = _join(path, reversed(refused.keys))
            raise UnsavableError(f"{where or 'the value'}: {refused}", path=where) from refused.__cause__
        except RecursionError:
            raise UnsavableError(
                f"{path or 'the value'}: it is nested too deep for what is left of the stack", path=path
            ) from None

    def item(self, value: Any, depth: int) -> Any:
        """Get what to give to msgspec for an item that is nested ``depth`` deep."""
        kind = type(value)
        if kind in SCALARS:
            return self.scalar(value)
        if depth == MAX_DEPTH:
            raise _RefusedError(_TOO_DEEP)
        if kind in PLAIN:
            return self.container(value, depth)
        if kind is set or kind is frozenset:
            return self.tag(kind.__name__, self._elements(value, depth + 1))
        form = self._find(kind)
        if form is None:
            raise _RefusedError(f"a value of type {title(kind)} cannot be saved; {_advice(value)}")
        try:
            content = form.dump(value)
        except Exception as error:
            raise _RefusedError(f"this {title(kind)} cannot be saved: {error}") from error
        return self.tag(form.name, self.item(content, depth + 1))

    def _items(self, value: list[Any], depth: int) -> list[Any]:
        written: list[Any] = []
        try:
            for item in value:
                written.append(self.item(item, depth + 1))  # noqa: PERF401 (its length is the place of a refused item)
        except _RefusedError as refused:
            refused.keys.append(len(written))
            raise
        return written

    def _elements(self, value: Iterable[Any], depth: int) -> list[Any]:
        written: list[Any] = []
        for element in value:
            try:
                written.append(self.item(element, depth + 1))
            except _RefusedError as refused:
                refused.keys.append(element)
                raise
        written.sort(key=pack)  # the same set is the same bytes in every interpreter
        return written

    def _mapping(self, value: dict[Any, Any], depth: int) -> Any:
        pairs: list[tuple[Any, Any]] = []
        keyed = all(map(self.is_key, value))
        key = None
        try:
            for key, item in value.items():
                pairs.append((key if keyed else self.item(key, depth + 1), self.item(item, depth + 1)))
        except _RefusedError as refused:
            refused.keys.append(key)
            raise
        return dict(pairs) if keyed else self.tag("dict", pairs)


def fits(scalar: Any) -> bool:
    """Whether MessagePack has room for this value of a type in `SCALARS`: 64 bits, proper Unicode."""
    try:
        pack(scalar)
    except (OverflowError, UnicodeEncodeError):
        return False
    return True


def title(kind: type) -> str:
    """Get the name that people know a type by."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _join(path: str, keys: Iterable[Any]) -> str:
    for key in keys:
        if type(key) is not str or not key.isidentifier():
            path = f"{path}[{key!r}]"
        else:
            path = f"{path}.{key}" if path else key
    return path


def _advice(value: Any) -> str:
    kind = type(value)
    if issubclass(kind, Enum | msgspec.Struct) or hasattr(kind, "__dataclass_fields__") or hasattr(kind, "_fields"):
        return "mark its class with @saveable"
    if inspect.isawaitable(value):
        return "await it, or wait for it with to_context"
    if callable(value) or inspect.ismodule(value):
        return "save its name instead"
    for plain in (str, bytes, int, float, list, dict, tuple, set, frozenset):
        if issubclass(kind, plain):
            return f"save {plain.__name__}(…) of it, or register its type: CODEC.register(name, type, dump, load)"
    return "save what it is made of, or register its type: CODEC.register(name, type, dump, load)"
