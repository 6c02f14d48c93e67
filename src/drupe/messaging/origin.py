"""Where a message came from, and by what right."""

from typing import NamedTuple

from drupe.core.key import Key
from drupe.core.role import Role


class Origin(NamedTuple):
    """The other end of a message."""

    address: str
    """Of the participant that sent it."""
    key: Key | None = None
    """What it was sealed with; None where nothing is sealed, because only the user's own programs can send."""

    @property
    def role(self) -> Role:
        """What the sender may do."""
        return Role.LAUNCH if self.key is None else self.key.role
