"""The values that are saved: five integers, and one megabyte of nested data as workflows hand it around."""

import random
from typing import Any, Final

SMALL: Final[dict[str, Any]] = {"a": 1, "b": 20, "c": 300, "d": 4_000, "e": 50_000}
_SITES: Final = 50
_BYTES: Final = 2_720
"""So many bytes of MessagePack is one structure, within a few in a hundred."""


def nested(size: int) -> dict[str, Any]:
    """Get data of about ``size`` bytes as MessagePack: dicts in lists in dicts, short texts, floats and integers."""
    chance = random.Random(1)
    return {
        f"structure-{number}": {"label": "bulk", "tags": ["relaxed", "dry"], "sites": _sites(chance)}
        for number in range(max(1, round(size / _BYTES)))
    }


def _sites(chance: random.Random) -> list[dict[str, Any]]:
    return [
        {"kind": chance.choice(("Si", "O")), "position": [chance.random() for _ in range(3)], "charge": number}
        for number in range(_SITES)
    ]


def inputs(size: int) -> dict[str, Any]:
    """Get inputs with about ``size`` bytes of data; 0 for the small ones."""
    return {"data": nested(size)} if size else SMALL


CONTEXT: Final[dict[str, Any]] = {"n": 0, "data": list(range(50)), "name": "x" * 200}
"""What a durable step saves, beside what the engine does."""
