"""A mode in which a process lives through its checkpoints only.

Whatever a process keeps beside its declared state is gone after the next step, as it would be after
a crash: a test that passes in this mode does not depend on memory.
"""

from typing import Any

from drupe.engine.listener import ProcessListener


class Reloading(ProcessListener):
    """Brings each stored process back from its last checkpoint after every step: ``runner.add_listener(Reloading())``.

    The object stays the same, so whoever holds it can go on steering it. A process that waits for something that
    cannot be saved is left alone: its step would be taken again and again.
    """

    def on_process_created(self, process: Any) -> None:
        """Reload it."""
        self._reload(process)

    def on_process_running(self, process: Any) -> None:
        """Reload it."""
        self._reload(process)

    def on_process_waiting(self, process: Any) -> None:
        """Reload it."""
        self._reload(process)

    def _reload(self, process: Any) -> None:
        if not process.stage.volatile:
            process._life.host.reload(process)
