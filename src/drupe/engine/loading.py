"""`load` as users have it: a process out of its bytes, its class found among those that are imported.

Apart from `engine.saving`, since that is below `Process` and must not know it.
"""

import asyncio
from typing import Any

from drupe.engine import saving
from drupe.engine.process import Process
from drupe.engine.registry import ClassRegistry
from drupe.interfaces.registry import Registry


def load(data: bytes, *, registry: Registry | None = None, loop: asyncio.AbstractEventLoop | None = None) -> Any:
    """Get the process that `save` made these bytes from, as it was then; it goes on where it stood, and nothing keeps it.

    Args:
        data: what `save` returned.
        registry: where its class comes from; by default what is imported. Nothing is imported because the data names it.
        loop: as in `Process`.

    Raises:
        UnknownClassError: its class is not at hand.
        SnapshotError: the bytes are something else or damaged, or do not fit the class.
        UpcastError: they are of an older version of the class and could not be brought up.
    """
    return saving.SnapshotSaver(registry or ClassRegistry(Process), loop=loop).load(data)
