"""How a process becomes something that can be kept, and is made from it again.

What the engine saves is a snapshot, which is data (`engine.saving`). A library on top of drupe may have another form.
"""

from typing import Any, Protocol


class Saver(Protocol):
    """One saved form of processes. `process` is an engine's process, or that of a library on top of it."""

    def dump(self, process: Any) -> Any:
        """Get the saved form of a process, as it is between two steps. What the process does afterwards leaves it alone.

        Raises:
            UnsavableError: something of it could not be loaded again.
        """
        ...

    def load(self, saved: Any) -> Any:
        """Get a process that stands where the saved one stood, and goes on from there; each load makes another one.

        Raises:
            UnknownClassError: its class is not at hand.
            SnapshotError: what was saved is damaged, or does not fit the class.
        """
        ...
