"""Plain data, which MessagePack holds exactly as it is, told apart from everything else, fast.

msgspec encodes many types that it cannot give back: a tuple or a set comes back as a list, a
date as text, an enum as its value. So a value is handed to it only when a look at every exact
type has shown that nothing of the kind is in it. The look is by calls into C that take many items
at once, never by some Python for each item.
"""

from itertools import chain
from typing import Any, Final

import msgspec

SCALARS: Final[frozenset[type]] = frozenset({type(None), bool, int, float, str, bytes})
"""Types that may be items and keys, and come back as they went."""
PLAIN: Final = SCALARS | {list, dict}
"""All types that need no tag."""
MAX_DEPTH: Final = 200
"""How deeply containers may be nested in a saved value."""

pack: Final = msgspec.msgpack.Encoder().encode

_FEW: Final = 16
_MANY: Final = 10_000
_SHALLOW: Final = 8
_flat: Final = chain.from_iterable


def pack_plain(value: Any, depth: int = MAX_DEPTH) -> bytes | None:
    """Get a plain value as MessagePack; None for a value that is not plain.

    None is also the answer for plain types with values that MessagePack has no room for: integers
    beyond 64 bits, text that is not Unicode, containers that are nested too deeply or hold themselves.
    """
    if not is_plain(value, depth):
        return None
    try:
        return pack(value)
    except (OverflowError, UnicodeEncodeError, RecursionError):
        return None


def is_plain(value: Any, depth: int = MAX_DEPTH) -> bool:
    """Whether the value is built of plain types only, nested at most ``depth`` deep."""
    kind = type(value)
    if kind is not dict and kind is not list:
        return kind in SCALARS
    answer = _look_at_few(value) if depth >= _FEW else None
    return _look_by_layers(value, depth) if answer is None else answer


def _look_at_few(value: Any) -> bool | None:
    """Decide about a value of few containers, one after the other; None if there are more."""
    todo = [value]
    for _ in range(_FEW):
        items = todo.pop()
        if type(items) is dict:
            if not set(map(type, items)) <= SCALARS:
                return False
            items = items.values()
        found = set(map(type, items))
        if not found <= SCALARS:
            if not found <= PLAIN:
                return False
            todo += [item for item in items if type(item) is dict or type(item) is list]
        if not todo:
            return True
    return None


def _look_by_layers(value: Any, depth: int) -> bool:
    """Decide about a value of many containers, with a few calls for each layer of nesting."""
    items, found = [value], {type(value)}
    for layer in range(depth):
        lists = _distinct(_of(list, items, found), layer)
        dicts = _distinct(_of(dict, items, found), layer)
        if dicts and not _kinds(dicts) <= SCALARS:
            return False
        containers = [*lists, *map(dict.values, dicts)]
        found = _kinds(containers)
        if found <= SCALARS:
            return True
        if not found <= PLAIN:
            return False
        items = list(_flat(containers))
    return False


def _of(kind: type, items: list[Any], found: set[type]) -> list[Any]:
    if kind not in found:
        return []
    return items if len(found) == 1 else [item for item in items if type(item) is kind]


def _kinds(containers: list[Any]) -> set[type]:
    kinds = list(map(type, _flat(containers)))
    if kinds and kinds.count(kinds[0]) == len(kinds):  # compares pointers, where a set would hash them
        return {kinds[0]}
    return set(kinds)


def _distinct(items: list[Any], layer: int) -> list[Any]:
    """Drop repeated containers where it pays: one that holds itself twice doubles in every layer."""
    if layer < _SHALLOW and len(items) <= _MANY:
        return items
    return list({id(item): item for item in items}.values())
