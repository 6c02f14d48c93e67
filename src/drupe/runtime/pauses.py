"""How long is waited before each further try to reach a server that is away.

Each time a little longer, and each client another time, so that a server that comes back is not overrun.
"""

from collections.abc import Iterator
from random import Random


def pauses(first: float, longest: float) -> Iterator[float]:
    """Get seconds without end: about ``first``, then about twice as many each time, up to ``longest``."""
    random, pause = Random(), first  # noqa: S311 (nothing is kept secret by it)
    while True:
        yield pause * random.uniform(0.5, 1.0)
        pause = min(2 * pause, longest)
