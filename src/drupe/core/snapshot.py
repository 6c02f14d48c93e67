"""The saved form of a process: a header that everybody can read, and what belongs to the class in two blobs.

The header's fields are the only ones drupe itself decides by. ``inputs`` never change, so they are
encoded once in a process's life and carried along as bytes; ``data`` holds what a step can change.
A checkpoint in a store leaves the inputs out (the store keeps them once); a saved process standing
alone has them in.
"""

from typing import Any, Final

import msgspec

from drupe.core.codec import CODEC
from drupe.core.lifecycle import State
from drupe.errors import CodecError, SnapshotError

FORMAT: Final = 1
"""Version of this layout. A newer one is refused; an older one is brought up here."""
NO_INPUTS: Final = msgspec.Raw()
"""What stands for inputs that are kept elsewhere. This very object: another empty one would be written, and tear the rest."""


class Past(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a process that tries another one again has to know of it until its first step has ended."""

    steps: tuple[str, ...] = ()
    """What the pids of the children followed from which that step made before, the last try first."""
    children: dict[str, str] = {}
    """By the pid of such a child, that of the process which stands for it now."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything of a process between two steps."""

    # By a factory, so that it is always written: a default that is left out would change its meaning with `FORMAT`.
    format: int = msgspec.field(default_factory=lambda: FORMAT)
    pid: str
    kind: str
    """Identifier of the class, ``module:QualName``."""
    version: int = 1
    """Version of the class that wrote it."""
    state: State
    origin: int = 0
    """Number of the checkpoint from which the step it is in (or will take) starts."""
    created: float
    parent: str | None = None
    generation: int = 0
    paused: bool = False
    status: str | None = None
    before: str | None = None
    """The status to show again once it is played."""
    cursor: int = 0
    """Where in its outline a work chain goes on."""
    outline: str = ""
    """Digest of the outline that the cursor points into."""
    inputs: msgspec.Raw = NO_INPUTS
    past: Past | None = None
    """Of a process that tries another one again, and is in its first step."""
    data: msgspec.Raw
    """Encoded mapping: ``stage``, ``outputs``, ``fields``, ``ctx``, ``signals``."""

    def encode(self) -> bytes:
        """Get the bytes to keep."""
        return _encode(self)

    @classmethod
    def decode(cls, body: bytes) -> "Snapshot":
        """Read what `encode` wrote.

        Raises:
            SnapshotError: it is something else, or of a newer format.
        """
        try:
            found = _decode(body)
        except _UNREADABLE as error:
            _refuse_newer(_format_of(body))
            raise SnapshotError(f"not a checkpoint of drupe, or a damaged one: {error}") from error
        _refuse_newer(found.format)
        return found

    def contents(self) -> dict[str, Any]:
        """Get what a step can change, decoded.

        Raises:
            SnapshotError: the bytes are damaged.
        """
        return self._decoded(self.data, "data")

    def given(self) -> dict[str, Any]:
        """Get the inputs, decoded.

        Raises:
            SnapshotError: the bytes are damaged.
        """
        return self._decoded(self.inputs, "inputs")

    def _decoded(self, raw: msgspec.Raw, what: str) -> dict[str, Any]:
        try:
            found = CODEC.decode(bytes(raw))
        except CodecError as error:
            raise SnapshotError(f"the {what} of the checkpoint of {self.pid} cannot be read: {error}") from error
        if type(found) is not dict:
            raise SnapshotError(f"the {what} of the checkpoint of {self.pid} are not a mapping")
        return found


class _Format(msgspec.Struct):
    format: int = FORMAT


_UNREADABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Snapshot).decode
_decode_format = msgspec.msgpack.Decoder(_Format).decode


def _format_of(body: bytes) -> int:
    """Get the format that unreadable bytes claim; ours if they claim none."""
    try:
        return _decode_format(body).format
    except _UNREADABLE:
        return FORMAT


def _refuse_newer(found: int) -> None:
    if found > FORMAT:
        raise SnapshotError(
            f"the checkpoint has format {found}, this drupe reads up to {FORMAT}; upgrade drupe to load it"
        )
