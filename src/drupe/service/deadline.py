"""No call lasts longer than whoever makes it allows."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from drupe.errors import DeadlineError


@asynccontextmanager
async def within(deadline: float | None, otherwise: str) -> AsyncIterator[None]:
    """Give a block ``deadline`` seconds; None: as long as it takes.

    Args:
        deadline: how many.
        otherwise: what is not so if they pass, for example ``process p has not ended``.

    Raises:
        DeadlineError: they passed.
    """
    limit = asyncio.timeout(deadline)
    try:
        async with limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise DeadlineError(f"{otherwise} within {deadline:g} s; that may still happen") from None
