"""Following a process from the inside of its interpreter.

A listener is called after the commit, in memory, at most once for each event; what must happen
even after a crash belongs in a step.
"""

from typing import Any


class ProcessListener:
    """Override what you want to hear of. An exception is logged and given to whoever waits for the process."""

    def on_process_created(self, process: Any) -> None:
        """``process`` was created."""

    def on_process_running(self, process: Any) -> None:
        """``process`` runs, or goes on with its next step."""

    def on_process_waiting(self, process: Any) -> None:
        """``process`` waits."""

    def on_process_paused(self, process: Any) -> None:
        """``process`` was paused."""

    def on_process_played(self, process: Any) -> None:
        """``process`` goes on after a pause."""

    def on_output_emitted(self, process: Any, output_port: str, value: Any, dynamic: bool) -> None:  # noqa: FBT001 (the model's signature)
        """``process`` emitted an output; it is durable only with the step's checkpoint."""

    def on_process_finished(self, process: Any, outputs: Any) -> None:
        """``process`` finished with ``outputs``."""

    def on_process_excepted(self, process: Any, reason: str) -> None:
        """``process`` ended by an exception; ``reason`` is its text."""

    def on_process_killed(self, process: Any, msg: str | None) -> None:
        """``process`` was killed."""
