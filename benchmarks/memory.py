"""How much memory a program has, in bytes."""

from os import sysconf
from pathlib import Path


def resident(pid: int | str = "self") -> int:
    """Get what a program, by default this one, has in memory now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * sysconf("SC_PAGE_SIZE")
