"""Who is told what happens to a process."""

import abc
from typing import TYPE_CHECKING, Any

from plumpy import persistence
from plumpy.utils import SAVED_STATE_TYPE, protected

if TYPE_CHECKING:
    from plumpy.processes import Process

__all__ = ["ProcessListener"]


@persistence.auto_persist("_params")
class ProcessListener(persistence.Savable, metaclass=abc.ABCMeta):
    """Override the events that matter; each is called when it has happened. Listeners are saved with the process."""

    def __init__(self) -> None:
        super().__init__()
        self._params: dict[str, Any] = {}

    def init(self, **kwargs: Any) -> None:
        """Keep what is needed to make the listener again; it is called with the same when that happens."""
        self._params = kwargs

    @protected
    def load_instance_state(self, saved_state: SAVED_STATE_TYPE, load_context: persistence.LoadSaveContext) -> None:
        """Become what was saved."""
        super().load_instance_state(saved_state, load_context)
        self.init(**saved_state["_params"])

    def on_process_created(self, process: "Process") -> None:
        """The process was created."""

    def on_process_running(self, process: "Process") -> None:
        """The process runs a step."""

    def on_process_waiting(self, process: "Process") -> None:
        """The process waits."""

    def on_process_paused(self, process: "Process") -> None:
        """The process was paused."""

    def on_process_played(self, process: "Process") -> None:
        """The process goes on after a pause."""

    def on_output_emitted(self, process: "Process", output_port: str, value: Any, dynamic: bool) -> None:
        """The process gave a value.

        Args:
            process: the process.
            output_port: the dotted name of the port.
            value: the value.
            dynamic: whether no port is declared for it.
        """

    def on_process_finished(self, process: "Process", outputs: Any) -> None:
        """The process finished, with these outputs."""

    def on_process_excepted(self, process: "Process", reason: str) -> None:
        """The process ended by an exception, whose text is the reason."""

    def on_process_killed(self, process: "Process", msg: Any) -> None:
        """The process was killed, by this message."""
