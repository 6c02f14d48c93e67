"""What is called on a process's way from state to state. Who overrides one of it calls that of the base class."""

import enum
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any

from plumpy import exceptions, persistence
from plumpy.base.state_machine import StateEntryFailed
from plumpy.base.utils import call_with_super_check, super_check
from plumpy.process_comms import MESSAGE_TEXT_KEY, MessageType
from plumpy.process_listener import ProcessListener
from plumpy.process_messages import ProcessMessages
from plumpy.process_states import ProcessState


class ProcessHooks(ProcessMessages):
    """The hooks of a process."""

    spec: Any
    _cleanups: list[Callable[[], None]] | None = None

    def on_entering(self, state: Any) -> None:
        """A state is about to be entered: calls its own hook."""
        label = state.LABEL
        if label is _RUNNING:
            hook = self.on_run
            if getattr(hook, "__func__", None) is not _ON_RUN:
                call_with_super_check(hook)
        elif label is _CREATED:
            call_with_super_check(self.on_create)
        elif label is _WAITING:
            call_with_super_check(self.on_wait, state.data)
        elif label is _FINISHED:
            call_with_super_check(self.on_finish, state.result, state.successful)
        elif label is _KILLED:
            call_with_super_check(self.on_kill, state.msg)
        elif label is _EXCEPTED:
            call_with_super_check(self.on_except, state.get_exc_info())

    def on_entered(self, from_state: Any) -> None:
        """A state was entered: calls its own hook, then gives news of it."""
        label = self._state.LABEL
        if label is _RUNNING:
            hook = self.on_running
            if self._event_helper._listeners or getattr(hook, "__func__", None) is not _ON_RUNNING:
                call_with_super_check(hook)
        elif label is _WAITING:
            call_with_super_check(self.on_waiting)
        elif label is _FINISHED:
            call_with_super_check(self.on_finished)
        elif label is _EXCEPTED:
            call_with_super_check(self.on_excepted)
        elif label is _KILLED:
            call_with_super_check(self.on_killed)
        if self._communicator and isinstance(self.state, enum.Enum):
            self._tell_state(None if from_state is None else from_state.LABEL.value, self.state.value)

    def on_exiting(self) -> None:
        """The state is about to be left: calls its own hook."""
        label = self._state.LABEL
        if label is _RUNNING:
            hook = self.on_exit_running
            if getattr(hook, "__func__", None) is not _ON_EXIT_RUNNING:
                call_with_super_check(hook)
        elif label is _WAITING:
            call_with_super_check(self.on_exit_waiting)

    @super_check
    def on_create(self) -> None:
        """CREATED is about to be entered: the inputs are completed and judged, the process gets its id."""
        self._creation_time = time.time()
        raw = _copy_of_dictionaries(dict(self._raw_inputs)) if self._raw_inputs else {}
        inputs = self.spec().inputs
        self._parsed_inputs = inputs.pre_process(raw)
        error = inputs.validate(self._parsed_inputs)
        if error is not None:
            raise ValueError(error)
        self._uuid = uuid.uuid4()
        if self._pid is None:
            self._pid = self._uuid

    @super_check
    def on_exit_running(self) -> None:
        """RUNNING is about to be left."""

    @super_check
    def on_exit_waiting(self) -> None:
        """WAITING is about to be left."""

    @super_check
    def on_run(self) -> None:
        """RUNNING is about to be entered."""

    @super_check
    def on_running(self) -> None:
        """RUNNING was entered."""
        self._fire_event(ProcessListener.on_process_running)

    def on_output_emitting(self, output_port: str, value: Any) -> None:
        """An output is about to be given."""

    def on_output_emitted(self, output_port: str, value: Any, dynamic: bool) -> None:
        """An output was given."""
        self._event_helper.fire_event(ProcessListener.on_output_emitted, self, output_port, value, dynamic)

    @super_check
    def on_wait(self, awaitables: Sequence[Awaitable[Any]]) -> None:
        """WAITING is about to be entered."""

    @super_check
    def on_waiting(self) -> None:
        """WAITING was entered."""
        self._fire_event(ProcessListener.on_process_waiting)

    @super_check
    def on_pausing(self, msg: str | None = None) -> None:
        """The process is about to be paused."""

    @super_check
    def on_paused(self, msg: str | None = None) -> None:
        """The process was paused; the message is its status meanwhile."""
        self._pausing = None
        self._paused = persistence.SavableFuture()  # lasts as long as the pause
        self._pre_paused_status = self.status
        if msg is not None:
            self.set_status(msg)
        self._fire_event(ProcessListener.on_process_paused)

    @super_check
    def on_playing(self) -> None:
        """The process goes on after a pause; its status is what it was before."""
        if self._paused is not None:
            self._paused.set_result(True)
        self._paused = None
        self.set_status(self._pre_paused_status)
        self._pre_paused_status = None
        self._fire_event(ProcessListener.on_process_played)

    @super_check
    def on_finish(self, result: Any, successful: bool) -> None:
        """FINISHED is about to be entered: the outputs are judged; what lacks some is no success."""
        if successful and self.spec().outputs.validate(self.outputs):
            kind = self.get_states_map()[ProcessState.FINISHED]
            raise StateEntryFailed(kind(self, result=result, successful=False))
        self.future().set_result(self.outputs)

    @super_check
    def on_finished(self) -> None:
        """FINISHED was entered."""
        self._fire_event(ProcessListener.on_process_finished, self.future().result())

    @super_check
    def on_except(self, exc_info: tuple[Any, Exception, TracebackType]) -> None:
        """EXCEPTED is about to be entered."""
        error = exc_info[1]
        error.__traceback__ = exc_info[2]
        if self.future().done():  # it was about to finish, and failed on the way
            self._future = persistence.SavableFuture(loop=self._loop)
        self.future().set_exception(error)

    @super_check
    def on_excepted(self) -> None:
        """EXCEPTED was entered."""
        self._fire_event(ProcessListener.on_process_excepted, str(self.future().exception()))

    @super_check
    def on_kill(self, msg: MessageType | None) -> None:
        """KILLED is about to be entered; the text of the message is the status."""
        text = "" if msg is None else msg[MESSAGE_TEXT_KEY] or ""
        self.set_status(text)
        self.future().set_exception(exceptions.KilledError(text))

    @super_check
    def on_killed(self) -> None:
        """KILLED was entered."""
        self._killing = None
        self.future().exception()  # so that nobody complains that it was never looked at
        self._fire_event(ProcessListener.on_process_killed, self.killed_msg())

    def on_terminated(self) -> None:
        """A state that is final was entered: the process is closed."""
        super().on_terminated()
        self.close()

    @super_check
    def on_close(self) -> None:
        """The process is being closed: what was registered by `add_cleanup` is called."""
        try:
            for cleanup in self._cleanups or ():
                try:
                    cleanup()
                except Exception:
                    self.logger.exception("Process<%s>: Exception calling cleanup method %s", self.pid, cleanup)
            self._cleanups = None
        finally:
            self._event_callbacks = {}
            self._closed = True

    def add_cleanup(self, cleanup: Callable[[], None]) -> None:
        """Have ``cleanup()`` called when the process is closed; raises `ClosedError` when it is."""
        if self._closed:
            raise exceptions.ClosedError("Process is closed")
        assert self._cleanups is not None
        self._cleanups.append(cleanup)

    def close(self) -> None:
        """Let go of the process: it is not run any more. Closing twice does nothing."""
        if not self._closed:
            call_with_super_check(self.on_close)

    def _fire_event(self, evt: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self._event_helper.fire_event(evt, self, *args, **kwargs)


# A member is looked up slowly, a global is not; and this is paid at every step, so that not even `is_own` is called.
_CREATED, _RUNNING, _WAITING, _FINISHED, _EXCEPTED, _KILLED = ProcessState
_ON_RUN, _ON_RUNNING = ProcessHooks.on_run, ProcessHooks.on_running
_ON_EXIT_RUNNING = ProcessHooks.on_exit_running


def _copy_of_dictionaries(value: Any) -> Any:
    """Get nested dictionaries anew, with the same values in them: completing inputs changes the dictionaries."""
    if isinstance(value, dict):
        return {key: _copy_of_dictionaries(each) for key, each in value.items()}
    return value
