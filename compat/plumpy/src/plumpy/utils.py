"""Mappings that read like objects, loading things by name, and a few checks."""

import functools
import importlib
import inspect
import logging
import types
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping, MutableMapping
from typing import Any

from plumpy import copies, lang
from plumpy.settings import check_override, check_protected

__all__ = ["AttributesDict"]

protected = lang.protected(check=check_protected)
override = lang.override(check=check_override)

_LOGGER = logging.getLogger(__name__)

SAVED_STATE_TYPE = MutableMapping[str, Any]
PID_TYPE = Hashable


class Frozendict(Mapping[str, Any]):
    """A dictionary that cannot be changed; it takes what `dict` takes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if len(args) == 1 and type(args[0]) in _FROZEN:  # copied as fast as a dictionary
            args = (args[0]._dict,)
        self._dict: dict[str, Any] = dict(*args, **kwargs)
        self._hash: int | None = None

    def __getitem__(self, key: str) -> Any:
        return self._dict[key]

    def __contains__(self, key: object) -> bool:
        return key in self._dict

    def copy(self, **add_or_replace: Any) -> "Frozendict":
        """Get another one, with some items added or replaced."""
        return self.__class__(self, **add_or_replace)

    def __iter__(self) -> Iterator[str]:
        return iter(self._dict)

    def __len__(self) -> int:
        return len(self._dict)

    def __repr__(self) -> str:
        return f"<{self.__class__.__name__} {self._dict!r}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> "Frozendict":
        twin = self.__class__.__new__(self.__class__)
        memo[id(self)] = twin
        for name, value in self.__dict__.items():
            twin.__dict__[name] = copies.deepcopy(value, memo)
        return twin

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = functools.reduce(lambda found, item: found ^ hash(item), self._dict.items(), 0)
        return self._hash


class AttributesFrozendict(Frozendict):
    """One whose items can be read as attributes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._initialised: bool = True

    def __getattr__(self, attr: str) -> Any:
        if attr in ("__setstate__", "_dict"):  # asked for while unpickling, when there are no items yet
            raise AttributeError(attr)
        try:
            return self[attr]
        except KeyError:
            raise AttributeError(f"'{self.__class__.__name__}' object has no attribute '{attr}'") from None

    def __dir__(self) -> list[str]:
        return list(self)


_FROZEN = (Frozendict, AttributesFrozendict)


class AttributesDict(types.SimpleNamespace):
    """A namespace whose attributes can be reached as items too."""

    def __setitem__(self, key: str, value: Any) -> None:
        setattr(self, key, value)

    def __getitem__(self, item: str) -> Any:
        try:
            return getattr(self, item)
        except AttributeError:
            raise KeyError(f"No key '{item}'") from None

    def __delitem__(self, item: str) -> None:
        delattr(self, item)

    def setdefault(self, key: str, value: Any) -> Any:
        """Get an item; one that is missing is set to ``value`` before."""
        return self.__dict__.setdefault(key, value)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """Get an item, or a default, as from a dictionary."""
        return self.__dict__.get(*args, **kwargs)


def load_function(name: str, instance: Any | None = None) -> Callable[..., Any]:
    """Load a function or a method by its dotted name; ``instance`` has no effect.

    Raises:
        ValueError: there is none of this name.
    """
    found = load_object(name)
    if inspect.ismethod(found) or inspect.isfunction(found):
        return found
    raise ValueError(f"Invalid function name '{name}'")


def load_object(fullname: str) -> Any:
    """Load something by its dotted name.

    Raises:
        ValueError: there is nothing of this name.
    """
    found: Any
    found, names = load_module(fullname)
    for name in names:
        try:
            found = getattr(found, name)
        except AttributeError:
            raise ValueError(f"Could not load object corresponding to '{fullname}'") from None
    return found


def load_module(fullname: str) -> "tuple[types.ModuleType, deque[str]]":
    """Load the longest part of a dotted name that is a module, and get the names that are left.

    Raises:
        ValueError: no part of it is a module.
    """
    parts = fullname.split(".")
    for length in range(len(parts), 0, -1):
        try:
            return importlib.import_module(".".join(parts[:length])), deque(parts[length:])
        except ImportError:
            continue
    raise ValueError(f"Could not load a module corresponding to '{fullname}'")


def type_check(obj: Any, expected_type: type) -> None:
    """Raise `TypeError` unless ``obj`` is of the type."""
    if not isinstance(obj, expected_type):
        raise TypeError(f"Got object of type '{type(obj)}' when expecting '{expected_type}'")


def ensure_coroutine(coro_or_fn: Any) -> Callable[..., Awaitable[Any]]:
    """Get a function whose call can be awaited: the given one, or one that calls it within a portal.

    Raises:
        TypeError: it cannot be called.
    """
    if inspect.iscoroutinefunction(coro_or_fn) or inspect.iscoroutinefunction(coro_or_fn.__call__):
        return coro_or_fn  # type: ignore[no-any-return]
    if not callable(coro_or_fn):
        raise TypeError("coro_or_fn must be a callable")
    function = coro_or_fn.__call__ if inspect.isclass(coro_or_fn) else coro_or_fn

    from plumpy.greenback_bridge import run_with_portal  # it needs `futures`, which needs this module

    @functools.wraps(function)
    async def within_portal(*args: Any, **kwargs: Any) -> Any:
        return await run_with_portal(function, *args, **kwargs)

    return within_portal


def is_mutable_property(cls: Any, attribute: str) -> bool:
    """Whether the class has a property of this name that can be set."""
    found = getattr(cls, attribute, None)
    return isinstance(found, property) and found.fset is not None
