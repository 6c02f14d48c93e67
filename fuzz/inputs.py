"""Input that is nearly right: good input, changed a little, and never the same way twice."""

from random import Random
from typing import Final

from drupe.core.codec import CODEC

_TAGS: Final = sorted(CODEC._by_name)  # the fuzzer may know what everybody can read in the source
TOKENS: Final = [
    b"",
    b"\x00",
    b"\xff" * 4,
    b"\xc1",
    b"\xdd\xff\xff\xff\xff",  # a list, a map, a text, bytes and an extension that say they are very long
    b"\xdf\xff\xff\xff\xff",
    b"\xdb\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xc9\xff\xff\xff\xff\x01",
    b"\x91" * 300,
    b"\x81\xa1a" * 300,
    b"[" * 300,
    b'{"a":' * 300,
    b"\xcf" + b"\xff" * 8,
    b"\xd3\x80" + b"\x00" * 7,
    b"\xcb\x7f\xf0" + b"\x00" * 6,  # infinity
    b"\xcb\x7f\xf8" + b"\x00" * 6,  # no number
    b"1e999",
    b'{"$type":',
    b"\xa3\xed\xa0\x80",  # half of a surrogate pair
    *(bytes((0xC7, len(tag) + 3, 1, 0x92, 0xA0 | len(tag))) + tag.encode() for tag in _TAGS if len(tag) < 32),
    *(f'{{"${tag}":'.encode() for tag in _TAGS),
]


class Inputs:
    """Changed samples, the same for the same seed; one that led to something new is changed further.

    Args:
        samples: good input.
        chance: decides.
    """

    KEPT: Final = 400

    def __init__(self, samples: list[bytes], chance: Random) -> None:
        self._good = samples
        self._pool = list(samples)
        self._chance = chance

    def next(self) -> bytes:
        """Get one more."""
        chance = self._chance
        data = bytearray(chance.choice(self._pool if chance.random() < 0.7 else self._good))
        for _ in range(1 + int(chance.expovariate(0.7))):
            self._change(data)
        return bytes(data[:65_536])

    def keep(self, data: bytes) -> None:
        """Take one for a sample, because it led to something new."""
        if len(self._pool) < len(self._good) + self.KEPT:
            self._pool.append(data)
        else:
            self._pool[self._chance.randrange(len(self._good), len(self._pool))] = data

    def _change(self, data: bytearray) -> None:
        chance, place = self._chance, self._chance.randrange(len(data) + 1)
        match chance.randrange(7):
            case 0 if place < len(data):
                data[place] ^= 1 << chance.randrange(8)
            case 1 if place < len(data):
                data[place] = chance.randrange(256)
            case 2:
                del data[place : place + chance.randint(1, 8)]
            case 3:
                data[place:place] = chance.randbytes(chance.randint(1, 8))
            case 4:
                data[place : place + chance.choice((0, 1, 5))] = chance.choice(TOKENS)
            case 5:
                other = chance.choice(self._pool)
                start = chance.randrange(len(other) + 1)
                data[place:place] = other[start : start + chance.randint(1, 64)]
            case _:
                data[place:] = b""
