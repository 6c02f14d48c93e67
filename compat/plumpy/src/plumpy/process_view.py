"""What can be asked of a process, alive or ended."""

import asyncio
import logging
import warnings
from typing import Any

from plumpy import exceptions, futures, persistence, process_states, utils
from plumpy.base.state_machine import StateMachine
from plumpy.event_helper import EventHelper
from plumpy.process_comms import MessageType
from plumpy.process_states import ProcessState

_LOGGER = logging.getLogger("plumpy.processes")


class ProcessView(StateMachine):
    """The readable side of a process."""

    _loop: asyncio.AbstractEventLoop
    _communicator: Any
    _event_helper: EventHelper
    _creation_time: float | None
    _pid: Any
    _uuid: Any
    _raw_inputs: utils.AttributesFrozendict | None
    _parsed_inputs: utils.AttributesFrozendict | None
    _outputs: dict[str, Any]
    _logger: logging.Logger | None
    _status: str | None
    _paused: persistence.SavableFuture | None = None
    _pausing: futures.CancellableAction | None = None
    _killing: futures.CancellableAction | None = None
    _closed = False
    _future: persistence.SavableFuture

    @property
    def creation_time(self) -> float | None:
        """When it was created, in seconds since 1970."""
        return self._creation_time

    @property
    def pid(self) -> Any:
        """The process id."""
        return self._pid

    @property
    def uuid(self) -> Any:
        """The UUID; None once it was loaded."""
        return self._uuid

    @property
    def raw_inputs(self) -> utils.AttributesFrozendict | None:
        """The inputs as they were given, None if none were."""
        return self._raw_inputs

    @property
    def inputs(self) -> Any:
        """The inputs with defaults filled in."""
        return self._parsed_inputs

    @property
    def outputs(self) -> dict[str, Any]:
        """The outputs that were given until now, by name; namespaces are dictionaries."""
        return self._outputs

    @property
    def logger(self) -> Any:
        """Where it logs."""
        return _LOGGER if self._logger is None else self._logger

    @property
    def status(self) -> str | None:
        """What it does, to people."""
        return self._status

    def set_status(self, status: str | None) -> None:
        """Say what it does, to people."""
        self._status = status

    @property
    def paused(self) -> bool:
        """Whether it is paused."""
        return self._paused is not None

    def future(self) -> persistence.SavableFuture:
        """Get the future of its outputs. Cancelling it kills the process."""
        return self._future

    def has_terminated(self) -> bool:
        """Whether it is in a state that is final."""
        return bool(self._state.is_terminal())

    def result(self) -> Any:
        """Get the result.

        Raises:
            KilledError: it was killed.
            InvalidStateError: it goes on.
            Exception: the one it ended by.
        """
        state = self._state
        if isinstance(state, process_states.Finished):
            return state.result
        if isinstance(state, process_states.Killed):
            raise exceptions.KilledError(state.msg)
        if isinstance(state, process_states.Excepted):
            raise state.exception or Exception("process excepted")
        raise exceptions.InvalidStateError

    def successful(self) -> bool:
        """Whether the result is a success; raises `InvalidStateError` when it did not finish."""
        try:
            found: bool = self._state.successful
        except AttributeError as error:
            raise exceptions.InvalidStateError("process is not in the finished state") from error
        return found

    @property
    def is_successful(self) -> bool:
        """Whether it finished with a success."""
        return getattr(self._state, "successful", False)

    def killed(self) -> bool:
        """Whether it was killed."""
        return bool(self.state == ProcessState.KILLED)

    def killed_msg(self) -> MessageType | None:
        """Get the message by which it was killed; raises `InvalidStateError` when it was not."""
        if isinstance(self._state, process_states.Killed):
            return self._state.msg
        raise exceptions.InvalidStateError("Has not been killed")

    def exception(self) -> BaseException | None:
        """Get the exception it ended by, None when it did not."""
        return self._state.exception if isinstance(self._state, process_states.Excepted) else None

    @property
    def is_excepted(self) -> bool:
        """Whether it ended by an exception."""
        return bool(self.state == ProcessState.EXCEPTED)

    def done(self) -> bool:
        """As `has_terminated`, which is to be used instead."""
        warnings.warn("method is deprecated, use `has_terminated` instead", DeprecationWarning, stacklevel=2)
        return bool(self._state.is_terminal())

    def get_status_info(self, out_status_info: dict[str, Any]) -> None:
        """Put what is known of the process into a dictionary."""
        out_status_info.update(
            ctime=self.creation_time, paused=self.paused, process_string=str(self), state=str(self.state)
        )

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that it runs on."""
        return self._loop
