"""Hints to other programs: one notification for all that is committed together, sent by that very commit.

It says little, because the truth is in the rows, and goes in the same message to the server as the commit, so it costs no
round trip. What is too long to be said is not: then there is more than was said.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

import msgspec
from psycopg.sql import quote

from drupe.interfaces.hints import Hint

_LONGEST: Final = 7000
"""Bytes: the server takes less than 8000."""
_MANY: Final = 200
"""So many names are more than anybody looks for one by one."""
_FREE: Final = 1
_TIMED: Final = 2
_NO_NAMES: Final[frozenset[str]] = frozenset()


def channel(schema: str) -> str:
    """Get the name of the channel on which the programs with the tables of one schema are told something."""
    return f"drupe_{blake2b(schema.encode(), digest_size=12).hexdigest()}"  # a schema's name may be too long, and so may not be part of it


class Notice:
    """What the others will be told of one transaction."""

    __slots__ = ("asked", "free", "queues", "settled", "timed")

    def __init__(self) -> None:
        self.queues: set[str] = set()
        self.asked: set[str] = set()
        self.settled: set[str] = set()
        self.free = self.timed = False

    def text(self) -> str | None:
        """Get what is sent; None if there is nothing to tell."""
        flags = _FREE * self.free | _TIMED * self.timed
        if not (flags or self.queues or self.asked or self.settled):
            return None
        sets = [self.queues, self.asked, self.settled]
        said = [sorted(names) if len(names) <= _MANY else None for names in sets]
        text = _write([flags, *said]).decode()
        if len(text.encode()) > _LONGEST:
            text = _write([flags, *(None if names else [] for names in sets)]).decode()
        return text


def sent(channel: str, text: str) -> str:
    """Get the statement that sends it, whatever is in the text."""
    return f"NOTIFY {channel}, {quote(text)}"


def read(text: str) -> Hint:
    """Get the hint that a notification gives; of one that cannot be read, that there is something."""
    try:
        flags, queues, asked, settled = _read(text)
    except msgspec.DecodeError:  # of a newer drupe, or somebody else
        return Hint(more=True)
    more = queues is None or asked is None or settled is None
    free, timed = bool(flags & _FREE), bool(flags & _TIMED)
    return Hint(_names(queues), _names(asked), _names(settled), free=free, timed=timed, more=more)


def _names(names: Iterable[str] | None) -> frozenset[str]:
    return _NO_NAMES if names is None else frozenset(names)


_write = msgspec.json.Encoder().encode
_read = msgspec.json.Decoder(tuple[int, list[str] | None, list[str] | None, list[str] | None]).decode
