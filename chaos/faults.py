"""What is to happen to a run, and when: drawn from the seed before it begins."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import NamedTuple

LOOKS = 3.0
"""Seconds in which somebody is sure to look for leases that have run out."""


class Fault(NamedTuple):
    """Something that is done to a worker, or to a server."""

    at: float
    """Seconds from the beginning."""
    kind: str
    """``kill``, ``freeze``, ``drain``, or ``restart`` (of a server)."""
    whom: int
    """The place of the worker, or of the server. Where that cannot be done now, the next one has it."""
    length: float = 0.0
    """Seconds of a freeze."""


def drawn(
    chance: Random, seconds: float, *, workers: int, servers: int, lease: float, counts: Mapping[str, int]
) -> list[Fault]:
    """Draw so many faults of each kind, in the order of their times.

    Args:
        chance: the seed.
        seconds: in which they are to happen.
        workers: how many there are.
        servers: how many there are; without one nothing is restarted.
        lease: freezes are longer, most of them by so much that others take over meanwhile.
        counts: how many ``kills``, ``freezes`` and ``drains``, and how many ``restarts`` of each server.
    """
    found: list[Fault] = []
    for kind in ("kill", "freeze", "drain"):
        for _ in range(counts[f"{kind}s"]):
            length = lease * chance.uniform(1.1, 2.0) + chance.uniform(0.0, LOOKS) if kind == "freeze" else 0.0
            found.append(Fault(chance.uniform(0.02, 0.98) * seconds, kind, chance.randrange(workers), length))
    for server in range(servers):
        found += [Fault(chance.uniform(0.02, 0.98) * seconds, "restart", server) for _ in range(counts["restarts"])]
    return sorted(found)


def next_to(place: int, able: Sequence[bool]) -> int | None:
    """Get the place, or the first one after it, of which ``able`` is true; None if that is none."""
    for offset in range(len(able)):
        if able[(place + offset) % len(able)]:
            return (place + offset) % len(able)
    return None
