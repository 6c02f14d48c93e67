"""The JSON form: for people. What JSON has no word for is an object with one key, ``{"$type": content}``.

A dictionary that could be taken for such an object, or that has keys other than text, is written
as ``{"$dict": [[key, value], …]}``. Everything else reads as one would expect.
"""

import math
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import msgspec

from drupe.core.codec_walk import Walk, fits


class JsonWalk(Walk):
    """Turns a value into something that JSON holds exactly."""

    def tag(self, name: str, content: Any) -> Any:
        return {f"${name}": content}

    def is_key(self, key: Any) -> bool:
        return type(key) is str and not key.startswith("$") and fits(key)

    def scalar(self, value: Any) -> Any:
        if type(value) is bytes:
            return self.tag("bytes", b64encode(value).decode())
        if type(value) is float and not math.isfinite(value):
            return self.tag("float", repr(value))
        return super().scalar(value)


def read_json(text: str | bytes, load: Callable[[str, Any], Any]) -> Any:
    """Get the value that was written, each tagged content passed through ``load(name, content)``."""
    return _revive(msgspec.json.decode(text), load)


def _revive(value: Any, load: Callable[[str, Any], Any]) -> Any:
    if type(value) is list:
        return [_revive(item, load) for item in value]
    if type(value) is not dict:
        return value
    items = {key: _revive(item, load) for key, item in value.items()}
    if len(items) == 1:
        [(key, content)] = items.items()
        if key.startswith("$"):
            return load(key[1:], content)
    return items
