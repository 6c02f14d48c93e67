"""Plain data, which MessagePack holds exactly as it is, told apart from everything else, fast.

msgspec encodes many types that it cannot give back: a tuple or a set comes back as a list, a
date as text, an enum as its value. So a value is handed to it only when a look at every exact
type has shown that nothing of the kind is in it. The look is by a few calls into C for each layer
of nesting, never by some Python for each item.
"""

import gc
from typing import Any, Final

import msgspec

SCALARS: Final[frozenset[type]] = frozenset({type(None), bool, int, float, str, bytes})
"""Types that may be items and keys, and come back as they went."""
PLAIN: Final = SCALARS | {list, dict}
"""All types that need no tag."""
MAX_DEPTH: Final = 200
"""How deeply containers may be nested in a saved value."""

pack: Final = msgspec.msgpack.Encoder().encode

_MANY: Final = 100_000
_SHALLOW: Final = 8
_CONTAINERS: Final = frozenset({list, dict})


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
    containers = [value]
    for layer in range(depth):
        # What a list or dict refers to is what is in it. Keys that are all text the interpreter may leave out.
        items = gc.get_referents(*containers)
        found = set(map(type, items))
        if found <= SCALARS:
            return True
        if not found <= PLAIN:
            return False
        if not found <= _CONTAINERS:
            items = [item for item in items if type(item) is dict or type(item) is list]
        containers = _distinct(items, layer)
    return False


def _distinct(items: list[Any], layer: int) -> list[Any]:
    """Drop repeated containers where it pays: one that holds itself twice doubles in every layer."""
    if layer < _SHALLOW and len(items) <= _MANY:
        return items
    return list({id(item): item for item in items}.values())
