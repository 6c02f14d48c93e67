"""What goes over a socket: frames, each a length of four bytes, a byte for its kind, and its content. Pure."""

from enum import IntEnum
from typing import Final

from drupe.core.message import MAX_FRAME
from drupe.errors import MessageError

_HEAD: Final = 4
_MAX_TEXT: Final = 1024


class Kind(IntEnum):
    """What a frame holds."""

    HELLO = 1
    """The address of who sends; the first frame of a connection, and no other."""
    MESSAGE = 2
    """An encoded message (`drupe.core.message`)."""
    MISSED = 3
    """How many broadcasts were dropped here: the receiver was too slow for them."""
    WAKE = 4
    """The name of a queue in which there may be a task."""


def frame(kind: Kind, content: bytes) -> bytes:
    """Get the bytes of a frame."""
    return (len(content) + 1).to_bytes(_HEAD) + bytes((kind,)) + content


def frame_number(kind: Kind, number: int) -> bytes:
    """Get the bytes of a frame that holds a number."""
    return frame(kind, number.to_bytes(8))


def read_number(content: bytes) -> int:
    """Get the number of a frame.

    Raises:
        MessageError: it is none.
    """
    if len(content) != 8:
        raise MessageError(f"a number has 8 bytes, not {len(content)}")
    return int.from_bytes(content)


def read_text(content: bytes) -> str:
    """Get the text of a frame.

    Raises:
        MessageError: it is none, or too long.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise MessageError(f"not a text: {error}") from error
    if len(text) > _MAX_TEXT:
        raise MessageError(f"a text of {len(text)} characters is too long here")
    return text


class FrameReader:
    """Takes bytes as they come and gives the frames that are complete.

    Args:
        limit: bytes that a frame has at most; of more than that and one read, nothing is ever kept.
    """

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self._limit = limit
        self._bytes = bytearray()

    def feed(self, data: bytes) -> list[tuple[Kind, bytes]]:
        """Get the frames that ``data`` completes.

        Raises:
            MessageError: what comes is no frame; where the next one starts is not known any more.
        """
        self._bytes += data
        frames, start = [], 0
        while (end := self._end_of(start)) <= len(self._bytes):
            frames.append((_kind(self._bytes[start + _HEAD]), bytes(self._bytes[start + _HEAD + 1 : end])))
            start = end
        del self._bytes[:start]
        return frames

    def _end_of(self, start: int) -> int:
        if len(self._bytes) - start < _HEAD:
            return start + _HEAD + 1  # further than what is there
        length = int.from_bytes(self._bytes[start : start + _HEAD])
        if not 1 <= length <= self._limit + 1:
            raise MessageError(f"a frame of {length} bytes; between 1 and {self._limit + 1} are allowed")
        return start + _HEAD + length


def _kind(number: int) -> Kind:
    try:
        return Kind(number)
    except ValueError as error:
        raise MessageError(f"a frame of kind {number}, which is not known here") from error
