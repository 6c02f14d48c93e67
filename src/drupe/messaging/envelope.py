"""What goes around the bytes of a message on its way through a broker, which is no place of trust.

Who carries messages says where each is meant to go and what it takes to send it; what an envelope makes of that is its own
business.
"""

from enum import IntEnum
from typing import NamedTuple, Protocol

from drupe.core.key import Key
from drupe.core.role import Role


class Lane(IntEnum):
    """The kinds of places. A number never changes: it is part of what is sealed."""

    CALL = 1
    """To whoever answers to a name."""
    REPLY = 2
    """To one participant, which has asked."""
    NEWS = 3
    """To everybody."""
    TASK = 4
    """Into a queue."""


class Place(NamedTuple):
    """Where a message is meant to go, so that it cannot be sent on to another place."""

    lane: Lane
    name: str = ""


class Opened(NamedTuple):
    """What was in an envelope."""

    data: bytes
    key: Key | None = None
    """The key that it was sealed with; None where nothing is sealed, and everybody may do everything."""


class Envelope(Protocol):
    """Wraps what is sent and unwraps what comes."""

    def wrap(self, data: bytes, place: Place, *, role: Role, key: Key | None = None) -> bytes:
        """Get the bytes to send.

        Args:
            data: the message.
            place: where it goes.
            role: what it takes to send it.
            key: what is answered was sealed with it, and so the answer is.

        Raises:
            NotEntitledError: there is no key here with that role.
        """
        ...

    def unwrap(self, data: bytes, place: Place) -> Opened:
        """Get the bytes of the message, and the key that says what its sender may do.

        Raises:
            MessageError: they are not what anybody sent to this place.
        """
        ...


class PlainEnvelope:
    """Nothing around: for a broker that only oneself can reach."""

    def wrap(self, data: bytes, place: Place, *, role: Role, key: Key | None = None) -> bytes:
        return data

    def unwrap(self, data: bytes, place: Place) -> Opened:
        return Opened(data)
