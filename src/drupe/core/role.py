"""What the holder of a key may do. What that means for a message is in `core.entitlement`."""

from enum import IntEnum


class Role(IntEnum):
    """What a key is for. A greater one includes the lesser ones."""

    READ = 1
    """Ask where a process is, and hear what all are told of."""
    CONTROL = 2
    """Pause, play, kill, signal; call any other service, and broadcast anything."""
    LAUNCH = 3
    """Have processes created and run, which is to run code; and run them for others."""

    __hash__ = int.__hash__  # an enum's own is a Python function

    @property
    def word(self) -> str:
        """The role as it is written in a file and on the command line."""
        return self.name.lower()
