"""The seal of a message: proof that somebody who has a key meant these bytes, for this place, just now, once.

It says who may have sent a message; it hides nothing (that is for TLS). A broker, and whoever else can reach it, may read,
drop, delay and repeat what is sealed, and can neither make nor change nor redirect any of it. What is written is on the
page about security: `docs/concepts/security.md`.
"""

import hashlib
import hmac
import os
import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from drupe.core.key import Key, KeyRing
from drupe.core.message import MAX_FRAME
from drupe.core.role import Role
from drupe.errors import SealError
from drupe.interfaces.ambient import Clock
from drupe.messaging.envelope import Lane, Opened, Place
from drupe.messaging.replay import CAPACITY, Replays
from drupe.runtime.clock import SystemClock

VERSION: Final = 1
"""Version of the seal. A receiver refuses newer ones."""
SKEW: Final = 5.0
"""Seconds by which the clocks of two machines may differ."""
LIFETIME: Final[Mapping[Lane, int]] = MappingProxyType(
    {Lane.CALL: 60, Lane.NEWS: 60, Lane.REPLY: 3600, Lane.TASK: 30 * 24 * 3600}
)
"""Seconds for which a message holds at most.

Calls and broadcasts are taken at once or never. A reply answers an id that its receiver has just made up, so it is no use
a second time. A task lies in its queue for as long as nobody is there to do it, and may always come twice: its id, which
is in the sealed part, is what makes it one (a process is launched under a pid once).
"""
ONCE: Final = frozenset({Lane.CALL, Lane.NEWS})
"""Where a receiver remembers what it took."""

_HEAD: Final = struct.Struct(">BB8sQI16s")
"""A byte that begins no MessagePack value; the version; key, moment in milliseconds, lifetime in seconds, nonce."""
_MAC: Final = 32
_MARK: Final = 0xC1
_CONTEXT: Final = b"the seal of a message of drupe"
OVERHEAD: Final = _HEAD.size + _MAC
"""Bytes that a seal adds to a message."""


class Seal:
    """Seals what is sent and checks what comes; see `drupe.messaging.envelope.Envelope`.

    Args:
        ring: the keys; all who are to meet have those that they need.
        scope: the world that it is about: what was sealed for another one is refused.
        clock: says when.
        chance: gets so many random bytes.
        capacity: how many seals of each key are remembered.
    """

    def __init__(
        self,
        ring: KeyRing,
        scope: str,
        *,
        clock: Clock | None = None,
        chance: Callable[[int], bytes] = os.urandom,
        capacity: int = CAPACITY,
    ) -> None:
        self._ring = ring
        self._scope = scope.encode()
        self._clock = clock or SystemClock()
        self._chance = chance
        # Who was not here cannot know what was taken before: what was sealed before counts as taken.
        floor = int(self._clock.now() - SKEW) - 1
        self._replays = {key.id: Replays(floor, capacity=capacity) for key in ring}
        self._started = {key.id: _started(key) for key in ring}

    def wrap(self, data: bytes, place: Place, *, role: Role, key: Key | None = None) -> bytes:
        """Get a message with its seal."""
        now = self._clock.now()
        chosen = self._ring.sealing(role, now) if key is None else key
        head = _HEAD.pack(_MARK, VERSION, chosen.id, int(now * 1000), LIFETIME[place.lane], self._chance(16))
        return b"".join((head, self._mac(chosen.id, head, place, data), data))

    def unwrap(self, data: bytes, place: Place) -> Opened:
        """Get a message if its seal is right; what is wrong is for the log of the receiver, not for who sent it.

        Raises:
            SealError: it is not.
        """
        key, head, rest = self._taken_apart(data)
        mac, message = rest[:_MAC], rest[_MAC:]
        if not hmac.compare_digest(mac, self._mac(key.id, head, place, message)):
            raise SealError(f"it was changed, forged, or sent on from another place (key {key.name})")
        self._check_time(head, mac, place.lane, key)
        return Opened(message, key)

    def _taken_apart(self, data: bytes) -> tuple[Key, bytes, bytes]:
        if len(data) < OVERHEAD or data[0] != _MARK:
            raise SealError("it bears no seal")
        if data[1] > VERSION:
            raise SealError(f"its seal has version {data[1]}, this drupe reads up to {VERSION}; upgrade drupe here")
        if len(data) > MAX_FRAME + OVERHEAD:
            raise SealError(f"it has {len(data)} bytes, and the limit is {MAX_FRAME + OVERHEAD}")
        head = data[: _HEAD.size]
        id: bytes = _HEAD.unpack(head)[2]
        key = self._ring.find(id)
        if key is None:
            raise SealError(f"key {id.hex()} is not known here")
        return key, head, data[_HEAD.size :]

    def _mac(self, id: bytes, head: bytes, place: Place, message: bytes) -> bytes:
        name = place.name.encode(errors="surrogatepass")
        mac = self._started[id].copy()
        mac.update(struct.pack(">BII", place.lane, len(self._scope), len(name)) + self._scope + name + head)
        mac.update(message)
        digest: bytes = mac.digest()
        return digest

    def _check_time(self, head: bytes, mac: bytes, lane: Lane, key: Key) -> None:
        *_, sealed_ms, lifetime, _ = _HEAD.unpack(head)
        sealed, now = sealed_ms / 1000, self._clock.now()
        if sealed > now + SKEW:
            raise SealError(f"it is from the future by {sealed - now:.1f} s (key {key.name}); set the clocks right")
        if lifetime > LIFETIME[lane] or now > sealed + lifetime + SKEW:
            raise SealError(f"it is too old: sealed {now - sealed:.1f} s ago (key {key.name})")
        if lane in ONCE:
            self._check_once(sealed_ms // 1000, mac, key, horizon=int(now - LIFETIME[lane] - SKEW) - 1)

    def _check_once(self, second: int, mac: bytes, key: Key, *, horizon: int) -> None:
        replays = self._replays[key.id]
        if replays.is_old(second):
            raise SealError(f"it is older than what is remembered here (key {key.name})")
        if not replays.take(second, int.from_bytes(mac[:8]), horizon=horizon):
            raise SealError(f"it came before (key {key.name})", repeated=True)


def _started(key: Key) -> Any:
    """Get the part of the computation that is the same for all messages under a key."""
    return hmac.new(key.secret, _CONTEXT, hashlib.sha256)
