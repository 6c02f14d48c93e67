"""What goes around the bytes of a message on its way through a broker."""

from typing import Protocol


class Envelope(Protocol):
    """Wraps what is sent and unwraps what comes; a broker is no place of trust, so this is where signatures go.

    A place says where a message is meant to go, so that it cannot be sent on to another one.
    """

    def wrap(self, data: bytes, place: str, /) -> bytes:
        """Get the bytes to send."""
        ...

    def unwrap(self, data: bytes, place: str, /) -> bytes:
        """Get the bytes of the message.

        Raises:
            MessageError: they are not what somebody who may sent to this place.
        """
        ...


class PlainEnvelope:
    """Nothing around: for a broker that only oneself can reach."""

    def wrap(self, data: bytes, _place: str, /) -> bytes:
        return data

    def unwrap(self, data: bytes, _place: str, /) -> bytes:
        return data
