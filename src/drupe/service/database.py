"""A store that is not a file here, but a database: its address, which nobody may read the password from."""

import re
from dataclasses import dataclass, field
from typing import Final

_SCHEMES: Final = ("postgresql://", "postgres://")
_SHOWN: Final = frozenset({"schema", "host", "port", "user", "dbname", "sslmode", "sslrootcert"})
_PLACE: Final = frozenset({"schema", "host", "port", "dbname"})


@dataclass(frozen=True, slots=True)
class Database:
    """Where processes are kept, if not in a file.

    Attributes:
        url: its whole address; there may be a password in it.
    """

    url: str = field(repr=False)

    def __str__(self) -> str:
        """Get the address as it may be shown."""
        base, _, query = re.sub("//.*@", "//…@", self.url).partition("?")
        pairs = [
            pair if pair.partition("=")[0] in _SHOWN else f"{pair.partition('=')[0]}=…" for pair in query.split("&")
        ]
        return f"{base}?{'&'.join(pairs)}" if query else base

    @property
    def identity(self) -> str:
        """The database itself: who comes as which user, and how, makes no other of it."""
        base, _, query = re.sub("//.*@", "//", self.url).partition("?")
        pairs = sorted(pair for pair in query.split("&") if pair.partition("=")[0] in _PLACE)
        return f"{base.partition('://')[2]}?{'&'.join(pairs)}"


def is_address(text: str) -> bool:
    """Tell whether a text is meant as the address of a database, and not as a path."""
    return text.startswith(_SCHEMES)
