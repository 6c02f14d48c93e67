"""The hash beside saved bytes, by which it is seen that they are still what was saved."""

from hashlib import blake2b

from drupe.errors import CorruptedError


def digest(body: bytes) -> bytes:
    """Get the hash that is kept beside saved bytes."""
    return blake2b(body, digest_size=16).digest()


def verified(pid: str, what: str, kept: object, body: object) -> bytes:
    """Get bytes that have the hash which was kept.

    Raises:
        CorruptedError: they have another one.
    """
    if not isinstance(body, bytes) or kept != digest(body):
        raise CorruptedError(
            f"process {pid}: its {what} differ from what was saved (a damaged disk or file); other processes are unaffected"
        )
    return body
