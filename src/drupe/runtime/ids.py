"""Names by time and chance; the only module that asks for either to make one."""

import os
import time


class RandomIds:
    """Pids that sort by creation and whose end is random (the layout of UUID version 7, RFC 9562, without dashes)."""

    def pid(self) -> str:
        """Get 32 hexadecimal digits: 48 bits of milliseconds since 1970, then version, variant and 74 random bits."""
        chance = int.from_bytes(os.urandom(10))
        high = (time.time_ns() // 1_000_000 & 0xFFFF_FFFF_FFFF) << 80
        return f"{high | 0x7 << 76 | (chance >> 62 & 0xFFF) << 64 | 0b10 << 62 | chance & (1 << 62) - 1:032x}"

    def owner(self) -> str:
        """Get a name of an owner: the process id of the interpreter, for people, and 64 random bits."""
        return f"{os.getpid()}-{os.urandom(8).hex()}"
