"""`Process`: a state machine that runs steps on a loop, is saved as a bundle, and listens to messages."""

import abc
import asyncio
import contextlib
import functools
import inspect
import logging
from collections.abc import Callable, Generator, Hashable, Sequence
from types import TracebackType
from typing import Any, TypeVar

import kiwipy
import yaml
from aio_pika.exceptions import ChannelInvalidStateError as ChannelInvalidStateError
from aio_pika.exceptions import ConnectionClosed as ConnectionClosed  # programs find it here

from drupe.core.control import RULES, Answer, Effect, Posture, Verb
from plumpy import copies, events, exceptions, futures, persistence, ports, process_states, stepping, utils
from plumpy import process_comms as process_comms
from plumpy.base import state_machine
from plumpy.base.state_machine import StateEntryFailed as StateEntryFailed  # this and the next ones are found here too
from plumpy.base.state_machine import StateMachine as StateMachine
from plumpy.base.state_machine import TransitionFailed, event
from plumpy.base.utils import call_with_super_check, is_own
from plumpy.base.utils import super_check as super_check
from plumpy.event_helper import EventHelper
from plumpy.greenback_bridge import run_until_complete, run_with_portal
from plumpy.process_comms import FORCE_KILL_KEY as FORCE_KILL_KEY
from plumpy.process_comms import MESSAGE_TEXT_KEY, MessageBuilder, MessageType
from plumpy.process_hooks import ProcessHooks
from plumpy.process_listener import ProcessListener
from plumpy.process_spec import ProcessSpec
from plumpy.process_states import ProcessState
from plumpy.stepping import PROCESS_STACK, Escaped, Stepping
from plumpy.utils import PID_TYPE, SAVED_STATE_TYPE, protected

__all__ = ["BundleKeys", "Process", "ProcessSpec", "TransitionFailed"]

T = TypeVar("T")

_LOGGER = logging.getLogger(__name__)


class BundleKeys:
    """Under which keys a process saves what is not a member."""

    INPUTS_RAW = "INPUTS_RAW"
    INPUTS_PARSED = "INPUTS_PARSED"
    OUTPUTS = "OUTPUTS"


class ProcessStateMachineMeta(abc.ABCMeta, state_machine.StateMachineMeta):
    """The class of process classes."""


# So that a process class, too, can be written as YAML: by its name.
yaml.representer.Representer.add_representer(
    ProcessStateMachineMeta,
    yaml.representer.Representer.represent_name,  # type: ignore[arg-type]  # it looks at the name alone
)


def ensure_not_closed(func: Callable[..., Any]) -> Callable[..., Any]:
    """Get a method that raises `ClosedError` when the process is closed."""

    @functools.wraps(func)
    def guarded(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self._closed:
            raise exceptions.ClosedError("Process is closed")
        return func(self, *args, **kwargs)

    return guarded


@persistence.auto_persist(
    "_pid", "_creation_time", "_future", "_paused", "_status", "_pre_paused_status", "_event_helper"
)
class Process(ProcessHooks, persistence.Savable, metaclass=ProcessStateMachineMeta):
    """One run of a piece of work.

    Its states are those of `ProcessState`, its steps are methods, the first of which is `run`. The hooks that are
    called on the way must call those of their base class.

    Args:
        inputs: values for the input ports.
        pid: the process id; a new UUID by default.
        logger: where it logs; the module's logger by default.
        loop: the loop to run on; `get_or_create_event_loop` by default.
        communicator: where it listens for messages and gives news of itself.

    Raises:
        ValueError: the inputs do not fit.
    """

    _spec_class: type[Any] = ProcessSpec
    _life: Stepping | None = None
    """What drupe's engine keeps of it, while it takes steps of it."""
    _interrupt_action: futures.CancellableAction | None = None

    __called: bool = False

    # --- the class ------------------------------------------------------------------------------------------------

    @classmethod
    def current(cls) -> "Process | None":
        """Get the process whose code runs here, or None."""
        stack = PROCESS_STACK.get()
        return stack[-1] if stack else None

    @classmethod
    def get_states(cls) -> Sequence[type[Any]]:
        """Get the state classes, the one to begin with first."""
        found = dict(cls.get_state_classes())
        created = found.pop(ProcessState.CREATED)
        return (created, *found.values())

    @classmethod
    def get_state_classes(cls) -> dict[Hashable, type[Any]]:
        """Get the state classes by label; override it to replace one."""
        return {
            ProcessState.CREATED: process_states.Created,
            ProcessState.RUNNING: process_states.Running,
            ProcessState.WAITING: process_states.Waiting,
            ProcessState.FINISHED: process_states.Finished,
            ProcessState.EXCEPTED: process_states.Excepted,
            ProcessState.KILLED: process_states.Killed,
        }

    @classmethod
    def spec(cls) -> Any:
        """Get what the class declares; `define` is called for it once.

        Raises:
            AssertionError: `define` did not call that of its base class.
        """
        found = cls.__dict__.get("_spec")
        if found is not None:
            return found
        spec = cls._spec = cls._spec_class()  # type: ignore[attr-defined]
        try:
            cls.__called = False
            cls.define(spec)
            assert cls.__called, (
                f"Process.define() was not called by {cls}\nHint: Did you forget to call the superclass method in "
                "your define? Try: super().define(spec)"
            )
        except Exception:
            del cls._spec  # type: ignore[attr-defined]
            cls.__called = False
            raise
        return spec

    @classmethod
    def get_name(cls) -> str:
        """Get the name of the class."""
        return cls.__name__

    @classmethod
    def define(cls, _spec: Any) -> None:
        """Declare ports; override it, and call ``super().define(spec)``."""
        cls.__called = True

    @classmethod
    def get_description(cls) -> dict[str, Any]:
        """Get what the class is for and what it declares."""
        description: dict[str, Any] = {}
        if cls.__doc__:
            description["description"] = cls.__doc__.strip()
        spec = cls.spec().get_description()
        if spec:
            description["spec"] = spec
        return description

    @classmethod
    def recreate_from(
        cls, saved_state: SAVED_STATE_TYPE, load_context: persistence.LoadSaveContext | None = None
    ) -> Any:
        """Make a process again from what was saved of it, without calling the constructor."""
        process = super().recreate_from(saved_state, load_context)
        call_with_super_check(process.init)
        return process

    def __init__(
        self,
        inputs: dict[str, Any] | None = None,
        pid: PID_TYPE | None = None,
        logger: logging.Logger | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
        communicator: kiwipy.Communicator | None = None,
    ) -> None:
        super().__init__()
        self.spec().seal()
        self._loop = loop if loop is not None else events.get_or_create_event_loop()
        self._status = None
        self._pre_paused_status: str | None = None
        self._paused = None
        self._raw_inputs = None if inputs is None else utils.AttributesFrozendict(inputs)
        self._pid = pid
        self._parsed_inputs = None
        self._outputs = {}
        self._uuid = None
        self._creation_time = None
        self._future = persistence.SavableFuture(loop=self._loop)
        self._event_helper = EventHelper(ProcessListener)
        self._logger = logger
        self._communicator = communicator

    @super_check
    def init(self) -> None:
        """Get ready: called when the process was created, and when it was loaded."""
        self._cleanups = []
        if self._communicator is not None:
            self._subscribe(self._communicator)
        if not self._future.done():
            self._future.add_done_callback(self._kill_if_cancelled)

    def _kill_if_cancelled(self, future: "futures.Future[Any]") -> None:
        if future.cancelled() and not self.kill("Killed by future being cancelled"):
            self.logger.warning("Process<%s>: Failed to kill process on future cancel", self.pid)

    def _fire_state_event(self, hook: Hashable, state: Any) -> None:
        if not self._closed:
            if hook is state_machine.ENTERED:
                self.on_entered(state)
            elif hook is state_machine.ENTERING:
                self.on_entering(state)
            else:
                self.on_exiting()
        if self._event_callbacks:
            super()._fire_state_event(hook, state)

    # --- the loop -------------------------------------------------------------------------------------------------

    @ensure_not_closed
    def launch(
        self,
        process_class: "type[Process]",
        inputs: dict[str, Any] | None = None,
        pid: PID_TYPE | None = None,
        logger: logging.Logger | None = None,
    ) -> "Process":
        """Make another process and start it on the same loop."""
        process: Process = process_class(
            inputs=inputs, pid=pid, logger=logger, loop=self.loop, communicator=self._communicator
        )
        self.loop.create_task(process.step_until_terminated())
        return process

    def call_soon(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> events.ProcessCallback:
        """Have ``callback``, plain or a coroutine function, called as part of the process: what it raises ends it."""
        handle = events.ProcessCallback(self, self._run_task, (callback, *args), kwargs)
        self.loop.create_task(handle.run())
        return handle

    def callback_excepted(
        self, _callback: Callable[..., Any], exception: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Called when a callback raised an exception."""
        if self.state != ProcessState.EXCEPTED:
            self.fail(exception, trace)

    @contextlib.contextmanager
    def _process_scope(self) -> Generator[None, None, None]:
        """Let this be the current process meanwhile."""
        PROCESS_STACK.set([*PROCESS_STACK.get(), self])
        try:
            yield
        finally:
            stack = PROCESS_STACK.get()
            assert Process.current() is self, (
                "Somehow, the process at the top of the stack is not me, but another process! "
                f"({self} != {Process.current()})"
            )
            PROCESS_STACK.set(stack[:-1])

    async def _run_task(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call ``callback``, plain or a coroutine function, as the current process."""
        with self._process_scope():
            if inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(callback.__call__):  # type: ignore[operator]
                return await callback(*args, **kwargs)
            return await run_with_portal(callback, *args, **kwargs)

    async def _run_state(self) -> Any:
        """Do as `_run_task` would with what is done in the current state: this is paid at every step."""
        state = self._state
        execute = state.execute
        below = PROCESS_STACK.get()
        PROCESS_STACK.set([*below, self])
        try:
            if getattr(execute, "__func__", None) is _EXECUTE:
                return await state._execute()  # steps are taken in a portal
            if _is_async(execute.__func__ if inspect.ismethod(execute) else execute):
                return await execute()
            return await run_with_portal(execute)
        except process_states.Interruption as reason:
            # Who asked for it left an action; one that the step raised by itself has none yet.
            if self._interrupt_action is None or self._interrupt_action.cookie is not reason:
                try:
                    self._set_interrupt_action_from_exception(reason)
                except Exception as error:
                    raise Escaped(error) from None
        except asyncio.CancelledError as error:
            raise Escaped(error) from None
        finally:
            PROCESS_STACK.set(below)
        return None

    # --- saving ---------------------------------------------------------------------------------------------------

    def save_instance_state(
        self, out_state: SAVED_STATE_TYPE, save_context: persistence.LoadSaveContext | None
    ) -> None:
        """Save the state, the inputs and the outputs besides the members."""
        super().save_instance_state(out_state, save_context)
        out_state["_state"] = self._state.save()
        encode = self._sharing(self.encode_input_args, _ENCODE)
        if self.raw_inputs is not None:
            out_state[BundleKeys.INPUTS_RAW] = encode(self.raw_inputs)
        if self.inputs is not None:
            out_state[BundleKeys.INPUTS_PARSED] = encode(self.inputs)
        if self.outputs:
            out_state[BundleKeys.OUTPUTS] = encode(self.outputs)

    @protected
    def load_instance_state(self, saved_state: SAVED_STATE_TYPE, load_context: persistence.LoadSaveContext) -> None:
        """Become the process that was saved; the context may name a loop, a communicator and a logger."""
        super().__init__()  # only the machine's: constructors of processes are not called
        self._future = persistence.SavableFuture()
        self._event_helper = EventHelper(ProcessListener)
        self._logger = None
        self._communicator = None
        self._uuid = None
        self._loop = load_context.loop if "loop" in load_context else events.get_or_create_event_loop()
        self._state = self.recreate_state(saved_state["_state"])
        if "communicator" in load_context:
            self._communicator = load_context.communicator
        if "logger" in load_context:
            self._logger = load_context.logger
        super().load_instance_state(saved_state, load_context)
        decode = self._sharing(self.decode_input_args, _DECODE)
        raw, parsed, outputs = map(
            saved_state.get, (BundleKeys.INPUTS_RAW, BundleKeys.INPUTS_PARSED, BundleKeys.OUTPUTS)
        )
        self._raw_inputs = None if raw is None else utils.AttributesFrozendict(decode(raw))
        self._parsed_inputs = None if parsed is None else utils.AttributesFrozendict(decode(parsed))
        self._outputs = {} if outputs is None else decode(outputs)

    @staticmethod
    def _sharing(way: Callable[[Any], Any], own: Any) -> Callable[[Any], Any]:
        """Get a way to copy values, which copies what the inputs and the outputs have in common once: most of it."""
        memo: dict[int, Any] = {}
        return (lambda values: copies.deepcopy(values, memo)) if is_own(way, own) else way

    @protected
    def encode_input_args(self, inputs: Any) -> Any:
        """Get values as they are to be saved: by default a deep copy."""
        return copies.deepcopy(inputs)

    @protected
    def decode_input_args(self, encoded: Any) -> Any:
        """Get values from what was saved of them: by default a deep copy."""
        return copies.deepcopy(encoded)

    def recreate_state(self, saved_state: persistence.Bundle) -> Any:
        """Make a state again from what was saved of it."""
        return persistence.Savable.load(saved_state, persistence.LoadSaveContext(process=self))

    # --- who listens, and what is logged ----------------------------------------------------------------------------

    def add_process_listener(self, listener: Any) -> None:
        """Tell ``listener`` what happens."""
        assert listener != self, "Cannot listen to yourself!"
        self._event_helper.add_listener(listener)

    def remove_process_listener(self, listener: ProcessListener) -> None:
        """Tell ``listener`` no more."""
        self._event_helper.remove_listener(listener)

    @protected
    def set_logger(self, logger: logging.Logger) -> None:
        """Say where it logs."""
        self._logger = logger

    @protected
    def log_with_pid(self, level: int, msg: str) -> None:
        """Log a message, with the process id before it."""
        self.logger.log(level, "%s: %s", self.pid, msg)

    # --- steering -------------------------------------------------------------------------------------------------

    def transition_failed(
        self, initial_state: Hashable, final_state: Hashable, exception: Exception, trace: TracebackType | None
    ) -> None:
        """End as EXCEPTED; what fails while it is created is raised."""
        if final_state == ProcessState.CREATED:
            raise exception.with_traceback(trace)
        self._end_excepted(exception, trace)

    def _end_excepted(self, exception: BaseException | None, trace: TracebackType | None) -> None:
        self.transition_to(self._create_state_instance(ProcessState.EXCEPTED, exception=exception, trace_back=trace))

    def _end_killed(self, msg: MessageType) -> None:
        self.transition_to(self._create_state_instance(ProcessState.KILLED, msg=msg))

    def pause(self, msg_text: str | None = None) -> Any:
        """Take no more steps until played.

        Args:
            msg_text: why; the status meanwhile.

        Returns:
            True when it is paused, False when it has ended or is about to be killed, else an action that can be awaited
            and cancelled: it happens when the step ends.
        """
        rule = RULES[self._posture()][Verb.PAUSE]
        if rule.effect is Effect.HOLD:
            return self._do_pause(MessageBuilder.pause(msg_text))
        if rule.answer is not Answer.LATER:
            return rule.answer is Answer.YES
        if self._pausing is not None:
            return self._pausing
        reason = process_states.PauseInterruption(msg_text)
        self._set_interrupt_action_from_exception(reason)
        self._pausing = action = self._interrupt_action
        self._state.interrupt(reason)
        return action

    def _posture(self) -> Posture:
        """Get what it does, as far as pause and kill are concerned: what they come to is drupe's table."""
        if self.has_terminated():
            return Posture.KILLED if self.killed() else Posture.OVER
        if self.paused:
            return Posture.HELD
        if self._killing is not None and not self._killing.done():
            return Posture.KILLING
        if self._pausing is not None:
            return Posture.PAUSING
        return Posture.BUSY if self._stepping else Posture.FREE

    @property
    def _stepping(self) -> bool:
        return self._life is not None and self._life.posture is Posture.BUSY

    def _do_pause(self, state_msg: MessageType | None, next_state: Any = None) -> bool:
        """Pause, in the state that follows if there is one."""
        try:
            if next_state is not None:
                self.transition_to(next_state)
            text = "" if state_msg is None else state_msg[MESSAGE_TEXT_KEY]
            call_with_super_check(self.on_pausing, text)
            call_with_super_check(self.on_paused, text)
        finally:
            self._pausing = None
        return True

    def _do_kill(self, msg: MessageType, _next_state: Any) -> bool:
        try:
            self._end_killed(msg)
        finally:
            self._killing = None
        return True

    def _create_interrupt_action(self, exception: process_states.Interruption) -> futures.CancellableAction:
        """Get what is to be done because of an interruption."""
        if isinstance(exception, process_states.PauseInterruption):
            return futures.CancellableAction(functools.partial(self._do_pause, exception.msg), cookie=exception)
        if isinstance(exception, process_states.KillInterruption):
            return futures.CancellableAction(functools.partial(self._do_kill, exception.msg), cookie=exception)
        raise ValueError(f"Got unknown interruption type '{type(exception)}'")

    def _set_interrupt_action(self, new_action: futures.CancellableAction | None) -> None:
        """Say what is to be done when the step ends; what was to be done before is cancelled."""
        if self._interrupt_action is not None:
            self._interrupt_action.cancel()
        self._interrupt_action = new_action

    def _set_interrupt_action_from_exception(self, interrupt_exception: process_states.Interruption) -> None:
        self._set_interrupt_action(self._create_interrupt_action(interrupt_exception))

    def play(self) -> bool:
        """Go on after a pause; take back one that has not happened yet."""
        if self.paused:
            call_with_super_check(self.on_playing)
        elif self._pausing is not None:
            if self._interrupt_action is self._pausing:  # else a kill came after it, and stays
                self._set_interrupt_action(None)
            self._pausing.cancel()
            self._pausing = None
        return True

    @event(from_states=process_states.Waiting)
    def resume(self, *args: Any) -> None:
        """End a wait, with a value for the step that follows, if any; raises `EventError` when it is not waiting."""
        return self._state.resume(*args)  # type: ignore[no-any-return]

    @event(to_states=process_states.Excepted)
    def fail(self, exception: BaseException | None, trace_back: TracebackType | None) -> None:
        """End as EXCEPTED."""
        self._end_excepted(exception, trace_back)

    def kill(self, msg_text: str | None = None, force_kill: bool = False) -> Any:
        """End as KILLED.

        Args:
            msg_text: why.
            force_kill: at once, also while a step runs.

        Returns:
            True when it is killed, False when it has ended otherwise, else an action that can be awaited and cancelled:
            it happens when the step ends.
        """
        rule = RULES[self._posture()][Verb.KILL]
        if rule.effect is Effect.NOTHING and rule.answer is not Answer.LATER:
            return rule.answer is Answer.YES
        if self._killing:
            self._killing.cancel()
        if force_kill or not self._stepping:
            self._end_killed(MessageBuilder.kill(text=msg_text, force_kill=force_kill))
            return True
        reason = process_states.KillInterruption(msg_text, force_kill)
        self._set_interrupt_action_from_exception(reason)
        self._killing = action = self._interrupt_action
        self._state.interrupt(reason)
        return action

    @property
    def is_killing(self) -> bool:
        """Whether it is about to be killed."""
        return self._killing is not None

    def create_initial_state(self) -> Any:
        """Get a new state to begin with."""
        return self.get_state_class(ProcessState.CREATED)(self, self.run)

    # --- running --------------------------------------------------------------------------------------------------

    async def run(self) -> Any:
        """Do the work: override it, plain or as a coroutine function. It may answer a command, or the result."""

    @ensure_not_closed
    def execute(self) -> Any:
        """Run to the end, from plain code, and get the outputs; raises what the process ended by.

        Raises:
            ClosedError: it is closed.
            RuntimeError: the loop runs already, and this is not called from the code of a process.
        """
        if not self.has_terminated():
            run_until_complete(self.loop, self.step_until_terminated())
        return self.future().result()

    @ensure_not_closed
    async def step(self) -> None:
        """Take one step, once the process is not paused. What it raises ends the process as EXCEPTED."""
        assert not self.has_terminated(), "Cannot step, already terminated"
        await stepping.take(self, 1)

    async def step_until_terminated(self) -> None:
        """Take steps until the end."""
        while not self.has_terminated():
            if is_own(self.step, _STEP):
                await stepping.take(self)
            else:
                await self.step()

    # --- outputs --------------------------------------------------------------------------------------------------

    @ensure_not_closed
    @protected
    def out(self, output_port: str, value: Any) -> None:
        """Give an output. The declaration, which all processes of the class share, is never changed by it.

        Args:
            output_port: the dotted name of the port.
            value: the value.

        Raises:
            ValueError: there is no such port, or the value does not fit it.
        """
        self.on_output_emitting(output_port, value)
        spec = self.spec()
        *namespaces, last = output_port.split(spec.namespace_separator)
        namespace, rest = _declared_namespace(spec.outputs, namespaces)
        key = spec.namespace_separator.join([*rest, last])
        dynamic = key not in namespace
        error = namespace.validate_dynamic_ports({key: value}) if dynamic else namespace[key].validate(value)
        if error:
            raise ValueError(f"Error validating output '{value}' for port '{error.port}': {error.message}")
        place = self._outputs
        for name in namespaces:
            place = place.setdefault(name, {})
        place[last] = value
        self.on_output_emitted(output_port, value, dynamic)


_ENCODE, _DECODE = Process.encode_input_args, Process.decode_input_args
_is_async = functools.lru_cache(maxsize=256)(inspect.iscoroutinefunction)
_EXECUTE, _STEP = process_states.Running.execute, Process.step


def _declared_namespace(namespace: ports.PortNamespace, names: list[str]) -> tuple[ports.PortNamespace, list[str]]:
    """Get the innermost namespace on the way that is declared, and the names on the way that are left."""
    for depth, name in enumerate(names):
        if name not in namespace:
            if not namespace.dynamic:
                raise ValueError(f"port '{name}' does not exist in port namespace '{namespace.name}'")
            return namespace, names[depth:]
        port = namespace[name]
        if not isinstance(port, ports.PortNamespace):
            raise ValueError(f"port '{name}' in port namespace '{namespace.name}' is not a namespace")
        namespace = port
    return namespace, []
