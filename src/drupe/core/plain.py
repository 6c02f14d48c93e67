"""Plain data, which MessagePack holds exactly as it is, told apart from everything else, fast.

msgspec encodes many types that it cannot give back: a tuple or a set comes back as a list, a
date as text, an enum as its value. So a value is handed to it only when a look at every exact
type has shown that nothing of the kind is in it. The look goes layer by layer, with a few calls
into C for each layer instead of some Python for each item.
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
    lists: list[Any] = [value] if kind is list else []
    dicts: list[Any] = [value] if kind is dict else []
    if not lists and not dicts:
        return kind in SCALARS
    for layer in range(depth):
        if dicts and not _kinds(dicts) <= SCALARS:
            return False
        containers = [*lists, *map(dict.values, dicts)]
        found = _kinds(containers)
        if found <= SCALARS:
            return True
        if not found <= PLAIN:
            return False
        items = list(_flat(containers))
        lists = _distinct([item for item in items if type(item) is list], layer) if list in found else []
        dicts = _distinct([item for item in items if type(item) is dict], layer) if dict in found else []
    return False


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
