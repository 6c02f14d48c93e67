"""Deep copies, as `copy.deepcopy` makes them, and faster where values are plain."""

import copy
import uuid
from typing import Any, Final, TypeVar

T = TypeVar("T")

ATOMS: Final = frozenset({type(None), bool, int, float, complex, str, bytes, uuid.UUID})
"""Types of values that need not be copied, since they cannot change."""
_are_atoms: Final = ATOMS.issuperset


def deepcopy(value: T, memo: dict[int, Any] | None = None) -> T:
    """Get a deep copy; what is in several places is in the copy's several places too.

    Args:
        value: anything that `copy.deepcopy` takes.
        memo: the copies that were made already, by the id of what they are copies of.
    """
    if type(value) in ATOMS:
        return value
    if memo is None:
        return _copied(value, {})  # type: ignore[no-any-return]
    memo.setdefault(id(memo), []).append(value)  # as the standard library does: what has its id must not be freed
    return _copied(value, memo)  # type: ignore[no-any-return]


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    if (known := memo.get(id(value))) is not None:
        return known
    kind = type(value)
    if kind is dict:
        memo[id(value)] = twin = value.copy()
        for key, each in value.items():
            if type(each) not in ATOMS:
                twin[key] = _copied(each, memo)
        return twin if _are_atoms(map(type, value)) else _with_copied_keys(twin, memo)
    if kind is list:
        memo[id(value)] = twin = value.copy()
        for index, each in enumerate(value):
            if type(each) not in ATOMS:
                twin[index] = _copied(each, memo)
        return twin
    return _copied_other(value, kind, memo)


def _with_copied_keys(twin: dict[Any, Any], memo: dict[int, Any]) -> dict[Any, Any]:
    items = [(_copied(key, memo), each) for key, each in twin.items()]
    twin.clear()
    twin.update(items)
    return twin


def _copied_other(value: Any, kind: type, memo: dict[int, Any]) -> Any:
    if kind is tuple and _are_atoms(map(type, value)):
        return value
    if kind is set and _are_atoms(map(type, value)):
        return memo.setdefault(id(value), set(value))
    if issubclass(kind, type):
        return value
    if (way := getattr(kind, "__deepcopy__", None)) is not None:
        return memo.setdefault(id(value), way(value, memo))
    return copy.deepcopy(value, memo)
