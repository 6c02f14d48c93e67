"""The states of a process, what is done in each, and what a step may answer.

Which state may follow which is drupe's lifecycle table; here is only what is done in them.
"""

import inspect
import traceback
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar

import yaml

from drupe.core import lifecycle
from drupe.runtime import portal
from plumpy import exceptions, futures, persistence, utils
from plumpy.base import state_machine
from plumpy.base.utils import is_own
from plumpy.lang import NULL
from plumpy.persistence import auto_persist
from plumpy.process_comms import MessageBuilder, MessageType
from plumpy.utils import SAVED_STATE_TYPE
from plumpy.utils import ensure_coroutine as ensure_coroutine  # programs find it here too

try:
    import tblib  # type: ignore[import-not-found]
except ImportError:
    tblib = None

if TYPE_CHECKING:
    from plumpy.processes import Process

__all__ = [
    "Continue",
    "Created",
    "Excepted",
    "Finished",
    "Interruption",
    "Kill",
    "KillInterruption",
    "Killed",
    "PauseInterruption",
    "ProcessState",
    "Running",
    "Stop",
    "Wait",
    "Waiting",
]


class Interruption(Exception):
    """Raised out of what a process does, to have something else done first."""


class KillInterruption(Interruption):
    """Kill the process.

    Args:
        msg_text: why.
        force_kill: do not wait for anything.
    """

    def __init__(self, msg_text: str | None, force_kill: bool = False) -> None:
        super().__init__(msg_text)
        self.msg: MessageType = MessageBuilder.kill(text=msg_text, force_kill=force_kill)
        self.force_kill: bool = force_kill


class PauseInterruption(Interruption):
    """Pause the process.

    Args:
        msg_text: why; the status while it is paused.
    """

    def __init__(self, msg_text: str | None) -> None:
        super().__init__(msg_text)
        self.msg: MessageType = MessageBuilder.pause(text=msg_text)


# --- what a step may answer ---------------------------------------------------------------------------------------


class Command(persistence.Savable):
    """What a step may answer to say what follows."""


@auto_persist("msg")
class Kill(Command):
    """End as killed.

    Args:
        msg: the message to be killed by.
    """

    def __init__(self, msg: MessageType | None = None) -> None:
        super().__init__()
        self.msg = msg


class Pause(Command):
    """Pause; no process takes this as an answer."""


@auto_persist("msg", "data")
class Wait(Command):
    """Wait until the process is resumed.

    Args:
        continue_fn: the step that follows.
        msg: what is waited for, to people.
        data: what is waited for.
    """

    def __init__(self, continue_fn: Callable[..., Any] | None = None, msg: Any = None, data: Any = None) -> None:
        super().__init__()
        self.continue_fn = continue_fn
        self.msg = msg
        self.data = data


@auto_persist("result")
class Stop(Command):
    """Finish.

    Args:
        result: the result.
        successful: whether it is a success.
    """

    def __init__(self, result: Any, successful: bool) -> None:
        super().__init__()
        self.result = result
        self.successful = successful


@auto_persist("args", "kwargs")
class Continue(Command):
    """Go on with another step.

    Args:
        continue_fn: the step.
        args: its arguments.
        kwargs: kept, and not given to the step.
    """

    CONTINUE_FN = "continue_fn"

    def __init__(self, continue_fn: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.continue_fn = continue_fn
        self.args = args
        self.kwargs = kwargs

    def save_instance_state(
        self, out_state: SAVED_STATE_TYPE, save_context: persistence.LoadSaveContext | None
    ) -> None:
        """Save the name of the step besides."""
        super().save_instance_state(out_state, save_context)
        out_state[self.CONTINUE_FN] = self.continue_fn.__name__

    def load_instance_state(self, saved_state: SAVED_STATE_TYPE, load_context: persistence.LoadSaveContext) -> None:
        """Find the step again: a function, or a method of the process that the context names."""
        super().load_instance_state(saved_state, load_context)
        name = saved_state[self.CONTINUE_FN]
        try:
            self.continue_fn = utils.load_function(name)
        except ValueError:
            self.continue_fn = getattr(load_context.process, name)


# --- states -------------------------------------------------------------------------------------------------------


class ProcessState(Enum):
    """Where a process is in its life."""

    CREATED = "created"
    RUNNING = "running"
    WAITING = "waiting"
    FINISHED = "finished"
    EXCEPTED = "excepted"
    KILLED = "killed"

    __hash__ = object.__hash__  # an enum's own is a Python function, and states are looked up at every step


def _triggers(state: lifecycle.State) -> dict[Any, lifecycle.Trigger]:
    """Get what leads to which state, from drupe's table."""
    return {ProcessState(each.value): trigger for trigger, each in lifecycle.NEXT[state].items()}


@auto_persist("in_state")
class State(state_machine.State, persistence.Savable):
    """A state of a process."""

    @property
    def process(self) -> Any:
        """The process."""
        return self.state_machine

    def load_instance_state(self, saved_state: SAVED_STATE_TYPE, load_context: persistence.LoadSaveContext) -> None:
        """Become a state of the process that the context names."""
        super().load_instance_state(saved_state, load_context)
        self.state_machine = load_context.process


@auto_persist("args", "kwargs")
class _StepState(State):
    """A state that knows a step: before it, or in it."""

    RUN_FN = "run_fn"

    def __init__(self, process: "Process", run_fn: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        super().__init__(process)
        assert run_fn is not None
        self.run_fn = run_fn
        self.args = args
        self.kwargs = kwargs

    def save_instance_state(
        self, out_state: SAVED_STATE_TYPE, save_context: persistence.LoadSaveContext | None
    ) -> None:
        """Save the name of the step besides."""
        super().save_instance_state(out_state, save_context)
        out_state[self.RUN_FN] = self.run_fn.__name__

    def load_instance_state(self, saved_state: SAVED_STATE_TYPE, load_context: persistence.LoadSaveContext) -> None:
        """Find the step again."""
        super().load_instance_state(saved_state, load_context)
        self.run_fn = getattr(self.process, saved_state[self.RUN_FN])


class Created(_StepState):
    """Nothing has been done yet.

    Args:
        process: the process.
        run_fn: the first step.
        args: its arguments.
        kwargs: its named arguments.
    """

    LABEL = ProcessState.CREATED
    state = lifecycle.State.CREATED
    continues = lifecycle.Trigger.START
    TRIGGERS = _triggers(state)
    ALLOWED: ClassVar[set[Any]] = set(TRIGGERS)

    def execute(self) -> Any:
        """Go on with the first step."""
        return self.create_state(ProcessState.RUNNING, self.run_fn, *self.args, **self.kwargs)

    def run(self, process: Any) -> Any:
        """Have the machine do it, unless nobody can notice."""
        return self.execute() if is_own(self.execute, _CREATED) else super().run(process)


_CREATED = Created.execute


class Running(_StepState):
    """One step.

    Args:
        process: the process.
        run_fn: the step, plain or a coroutine function.
        args: its arguments.
        kwargs: its named arguments.
    """

    LABEL = ProcessState.RUNNING
    state = lifecycle.State.RUNNING
    TRIGGERS = _triggers(state)
    ALLOWED: ClassVar[set[Any]] = set(TRIGGERS)
    COMMAND = "command"

    _command: Any = None
    _running: bool = False
    _run_handle = None

    def __init__(self, process: "Process", run_fn: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        # What the bases do, at once: this is paid at every step.
        assert run_fn is not None
        if not callable(run_fn):
            raise TypeError("coro_or_fn must be a callable")
        self.state_machine, self.in_state = process, False
        self.run_fn, self.args, self.kwargs = run_fn, args, kwargs

    def save_instance_state(
        self, out_state: SAVED_STATE_TYPE, save_context: persistence.LoadSaveContext | None
    ) -> None:
        """Save the answer of a step that was run already besides."""
        super().save_instance_state(out_state, save_context)
        if self._command is not None:
            out_state[self.COMMAND] = self._command.save()

    def load_instance_state(self, saved_state: SAVED_STATE_TYPE, load_context: persistence.LoadSaveContext) -> None:
        """Find the answer again."""
        super().load_instance_state(saved_state, load_context)
        if self.COMMAND in saved_state:
            self._command = persistence.Savable.load(saved_state[self.COMMAND], load_context)

    async def execute(self) -> Any:
        """Run the step and get the state that its answer asks for."""
        return await portal.enter(self._execute())

    async def _execute(self) -> Any:
        command = self._command
        if command is None:
            self._running = True
            try:
                answer = self.run_fn(*self.args, **self.kwargs)
                if inspect.iscoroutine(answer):
                    answer = await answer
            except Interruption:
                raise
            except Exception as error:
                return self.create_state(ProcessState.EXCEPTED, error, error.__traceback__)
            finally:
                self._running = False
            command = _as_command(answer)
        return self._action_command(command)

    def _action_command(self, command: Command) -> Any:
        if isinstance(command, Continue):
            return self.create_state(ProcessState.RUNNING, command.continue_fn, *command.args)
        if isinstance(command, Kill):
            return self.create_state(ProcessState.KILLED, command.msg)
        if isinstance(command, Stop):
            return self.create_state(ProcessState.FINISHED, command.result, command.successful)
        if isinstance(command, Wait):
            return self.create_state(ProcessState.WAITING, command.continue_fn, command.msg, command.data)
        raise ValueError("Unrecognised command")


def _as_command(answer: Any) -> Command:
    if isinstance(answer, Command):
        return answer
    if isinstance(answer, exceptions.UnsuccessfulResult):
        return Stop(answer.result, False)
    return Stop(answer, True)


@auto_persist("msg", "data")
class Waiting(State):
    """Nothing is done until the process is resumed.

    Args:
        process: the process.
        done_callback: the step that follows; it is given what the process was resumed with, if anything.
        msg: what is waited for, to people.
        data: what is waited for.
    """

    LABEL = ProcessState.WAITING
    state = lifecycle.State.WAITING
    continues = lifecycle.Trigger.WAIT
    TRIGGERS = _triggers(state)
    ALLOWED: ClassVar[set[Any]] = set(TRIGGERS)
    DONE_CALLBACK = "DONE_CALLBACK"

    _interruption: Any = None

    def __init__(
        self, process: "Process", done_callback: Callable[..., Any] | None, msg: str | None = None, data: Any = None
    ) -> None:
        super().__init__(process)
        self.done_callback = done_callback
        self.msg = msg
        self.data = data
        self._waiting_future: futures.Future[Any] = futures.Future()

    def __str__(self) -> str:
        text = super().__str__()
        return text if self.msg is None else f"{text} ({self.msg})"

    def save_instance_state(
        self, out_state: SAVED_STATE_TYPE, save_context: persistence.LoadSaveContext | None
    ) -> None:
        """Save the name of the step that follows besides."""
        super().save_instance_state(out_state, save_context)
        if self.done_callback is not None:
            out_state[self.DONE_CALLBACK] = self.done_callback.__name__

    def load_instance_state(self, saved_state: SAVED_STATE_TYPE, load_context: persistence.LoadSaveContext) -> None:
        """Find the step that follows again."""
        super().load_instance_state(saved_state, load_context)
        name = saved_state.get(self.DONE_CALLBACK, None)
        self.done_callback = None if name is None else getattr(self.process, name)
        self._waiting_future = futures.Future()

    def interrupt(self, reason: Any) -> None:
        """Have ``reason`` raised out of `execute`, also in place of an earlier one; a wait that is over ends as it would."""
        self._interruption = reason
        if not self._waiting_future.done():
            self._waiting_future.set_exception(reason)

    async def execute(self) -> Any:
        """Wait, and get the state of the step that follows."""
        try:
            result = await self._waiting_future
        except Interruption as error:
            reason, self._interruption = self._interruption or error, None
            self._waiting_future = futures.Future()  # so that it can be waited for once more
            raise reason from None
        if result == NULL:
            return self.create_state(ProcessState.RUNNING, self.done_callback)
        return self.create_state(ProcessState.RUNNING, self.done_callback, result)

    def resume(self, value: Any = NULL) -> None:
        """End the wait, with a value for the step that follows; a wait that is over stays so."""
        assert self._waiting_future is not None, "Not yet waiting"
        if not self._waiting_future.done():
            self._waiting_future.set_result(value)


class Excepted(State):
    """The end by an exception.

    Args:
        process: the process.
        exception: the exception.
        trace_back: where it was raised.
    """

    LABEL = ProcessState.EXCEPTED
    state = lifecycle.State.EXCEPTED
    EXC_VALUE = "ex_value"
    TRACEBACK = "traceback"

    def __init__(
        self, process: "Process", exception: BaseException | None, trace_back: TracebackType | None = None
    ) -> None:
        super().__init__(process)
        self.exception = exception
        self.traceback: Any = trace_back

    def __str__(self) -> str:
        error = self.exception
        return (
            f"{super().__str__()}({traceback.format_exception_only(None if error is None else type(error), error)[0]})"
        )

    def save_instance_state(
        self, out_state: SAVED_STATE_TYPE, save_context: persistence.LoadSaveContext | None
    ) -> None:
        """Save the exception, as YAML, and the text of its traceback besides."""
        super().save_instance_state(out_state, save_context)
        out_state[self.EXC_VALUE] = yaml.dump(self.exception)
        if self.traceback is not None:
            out_state[self.TRACEBACK] = "".join(traceback.format_tb(self.traceback))

    def load_instance_state(self, saved_state: SAVED_STATE_TYPE, load_context: persistence.LoadSaveContext) -> None:
        """Make the exception again, which runs what the YAML says; and its traceback, where tblib is installed."""
        super().load_instance_state(saved_state, load_context)
        self.exception = yaml.load(saved_state[self.EXC_VALUE], Loader=yaml.Loader)
        self.traceback = None
        if tblib is not None and self.TRACEBACK in saved_state:
            self.traceback = tblib.Traceback.from_string(saved_state[self.TRACEBACK], strict=False)

    def get_exc_info(self) -> tuple[type[BaseException] | None, BaseException | None, TracebackType | None]:
        """Get the exception as `sys.exc_info` does."""
        return (type(self.exception) if self.exception else None, self.exception, self.traceback)


@auto_persist("result", "successful")
class Finished(State):
    """The end as it was meant, or at least foreseen.

    Args:
        process: the process.
        result: the result.
        successful: whether it is a success.
    """

    LABEL = ProcessState.FINISHED
    state = lifecycle.State.FINISHED

    def __init__(self, process: "Process", result: Any, successful: bool) -> None:
        super().__init__(process)
        self.result = result
        self.successful = successful


@auto_persist("msg")
class Killed(State):
    """The end because somebody said so.

    Args:
        process: the process.
        msg: the message by which it was killed.
    """

    LABEL = ProcessState.KILLED
    state = lifecycle.State.KILLED

    def __init__(self, process: "Process", msg: MessageType | None) -> None:
        super().__init__(process)
        self.msg = msg
