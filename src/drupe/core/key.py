"""Keys by which messages are sealed, and a ring of them. A secret never leaves its key but into a seal or a file.

Keys are shared: who can check a seal can make one. So a message is sealed with the weakest key that suffices for it, and
whoever may only read is given no other.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

from drupe.core.role import Role
from drupe.errors import NotEntitledError

SECRET: Final = 32
"""Bytes in a secret."""
ID: Final = 8
"""Bytes in the id of a key."""


class Key:
    """A secret, and what it is good for.

    Args:
        secret: 32 bytes of chance.
        role: what its holders may do.
        since: from then on it seals, seconds since 1970 (UTC); it is recognised at any time.

    Attributes:
        id: the first bytes of a hash of the secret, so that no two keys have the same and a damaged one is found out.
    """

    __slots__ = ("id", "role", "secret", "since")

    def __init__(self, secret: bytes, role: Role, since: float = 0.0) -> None:
        if len(secret) != SECRET:
            raise ValueError(f"a secret has {SECRET} bytes, not {len(secret)}")
        self.id = hashlib.sha256(b"the id of a key of drupe" + secret).digest()[:ID]
        self.secret = secret
        self.role = role
        self.since = since

    @property
    def name(self) -> str:
        """The id for people."""
        return self.id.hex()

    def __repr__(self) -> str:
        return f"Key({self.name}, {self.role.word}, since={self.since})"


class KeyRing:
    """Keys that are known here: all are recognised, and for each role the newest one seals.

    Args:
        keys: the later one counts as the newer one where two begin at the same moment.
    """

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = {key.id: key for key in keys}

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys.values())

    def find(self, id: bytes) -> Key | None:
        """Get the key of this id."""
        return self._keys.get(id)

    def sealing(self, role: Role, now: float) -> Key:
        """Get the key that seals what takes ``role``: of the weakest that suffice, the newest whose time has come.

        Raises:
            NotEntitledError: there is none.
        """
        fitting = [key for key in self if key.role >= role and key.since <= now]
        if not fitting:
            raise NotEntitledError(f"this takes a key with the role {role.word!r}, and there is none here")
        weakest = min(key.role for key in fitting)
        newest_last = sorted((key for key in fitting if key.role is weakest), key=lambda key: key.since)
        return newest_last[-1]

    def sealing_all(self, now: float) -> set[Key]:
        """Get the keys that seal anything at all."""
        strongest = max((key.role for key in self if key.since <= now), default=0)
        return {self.sealing(role, now) for role in Role if role <= strongest}
