"""A state machine whose states are objects: each is entered, executed and left, and names the next.

It knows nothing of processes. A machine is made by calling its class, which enters the first state.
"""

import enum
import functools
import inspect
import logging
import os
import sys
from collections.abc import Callable, Hashable, Iterable, Sequence
from types import TracebackType
from typing import Any, ClassVar

from drupe.core import lifecycle
from drupe.engine.behaviour import Stage
from plumpy.base.utils import call_with_super_check, super_check
from plumpy.futures import Future

__all__ = ["StateMachine", "StateMachineMeta", "TransitionFailed", "event"]

_LOGGER = logging.getLogger(__name__)

LABEL_TYPE = None | enum.Enum | str
EVENT_CALLBACK_TYPE = Callable[["StateMachine", Hashable, "State | None"], None]


class StateMachineError(Exception):
    """Something is wrong with a state machine."""


class StateEntryFailed(Exception):
    """Raised while a state is entered, to enter another one instead.

    Args:
        state: the state to enter.
        args: kept as they are.
        kwargs: kept as they are.
    """

    def __init__(self, state: "State", *args: Any, **kwargs: Any) -> None:
        super().__init__("failed to enter state")
        self.state = state
        self.args = args
        self.kwargs = kwargs


class InvalidStateError(Exception):
    """The state does not allow this."""


class EventError(StateMachineError):
    """A method that is an event was called in a state, or led to one, that it is not declared for.

    Args:
        evt: the name of the method.
        msg: what is wrong.
    """

    def __init__(self, evt: str, msg: str) -> None:
        super().__init__(msg)
        self.event = evt


class TransitionFailed(Exception):
    """The way from one state to another did not succeed.

    Args:
        initial_state: where it began.
        final_state: where it was to end, if that is known.
        traceback_str: where it failed.
    """

    def __init__(
        self, initial_state: "State", final_state: "State | None" = None, traceback_str: str | None = None
    ) -> None:
        self.initial_state = initial_state
        self.final_state = final_state
        self.traceback_str = traceback_str
        super().__init__(self._format_msg())

    def _format_msg(self) -> str:
        head = f"{self.initial_state} -> {self.final_state}"
        return head if self.traceback_str is None else f"{head}\n{self.traceback_str}"


def event(
    from_states: "str | type[State] | Iterable[type[State]] | Callable[..., Any]" = "*",
    to_states: "str | type[State] | Iterable[type[State]]" = "*",
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a method as an event: in which states it may be called, and in which the machine is afterwards.

    A method that returns False or a future has not happened yet, and is not held to ``to_states``.

    Args:
        from_states: one or more state classes, or ``"*"`` for any.
        to_states: one or more state classes, or ``"*"`` for any.

    Raises:
        TypeError: something else is given than state classes.
        EventError: raised by the method, when it is called in another state or leads to another one.
    """
    if inspect.isfunction(from_states):  # used without parentheses
        return _as_event(from_states, None, None)
    before, after = _classes("from_states", from_states), _classes("to_states", to_states)
    return lambda wrapped: _as_event(wrapped, before, after)


def _classes(title: str, states: Any) -> "tuple[type[State], ...] | None":
    if states == "*":
        return None
    found = (states,) if inspect.isclass(states) else tuple(states)
    if not all(issubclass(each, State) for each in found):
        raise TypeError(f"{title}: {found}")
    return found


def _as_event(
    wrapped: Callable[..., Any], before: "tuple[type[State], ...] | None", after: "tuple[type[State], ...] | None"
) -> Callable[..., Any]:
    name = wrapped.__name__

    @functools.wraps(wrapped)
    def transition(self: Any, *args: Any, **kwargs: Any) -> Any:
        initial = self._state
        if before is not None and not isinstance(initial, before):
            raise EventError(name, f"Event {name} invalid in state {initial.LABEL}")
        result = wrapped(self, *args, **kwargs)
        if after is None or result is False or isinstance(result, Future) or isinstance(self._state, after):
            return result
        if self._state == initial:
            raise EventError(name, "Machine did not transition")
        raise EventError(name, f"Event produced invalid state transition from {initial.LABEL} to {self._state.LABEL}")

    return transition


class Given(Stage):
    """What a state gave and is none: nothing, to stay, or a mistake.

    Args:
        given: what it gave.
    """

    state = lifecycle.State.EXCEPTED

    def __init__(self, given: Any) -> None:
        self.given = given

    def next_state(self, machine: Any) -> Any:
        """Get what the machine is to make of it."""
        return self.given


class State(Stage):
    """One state of a machine.

    Args:
        state_machine: the machine.
    """

    LABEL: ClassVar[Any] = None
    ALLOWED: ClassVar[set[Any]] = set()
    """The labels of the states that may follow; a state without any is terminal."""

    state = lifecycle.State.RUNNING
    """What this is to drupe's engine."""
    TRIGGERS: ClassVar[dict[Any, lifecycle.Trigger]] = {}
    """What it is to drupe's engine that a state with this label follows."""

    @classmethod
    def is_terminal(cls) -> bool:
        """Whether no other state can follow."""
        return not cls.ALLOWED

    def __init__(self, state_machine: "StateMachine", *args: Any, **kwargs: Any) -> None:
        self.state_machine: Any = state_machine
        self.in_state: bool = False

    def __str__(self) -> str:
        return str(self.LABEL)

    @property
    def label(self) -> Any:
        """The label of the state."""
        return self.LABEL

    @super_check
    def enter(self) -> None:
        """Called when the state is entered."""

    def execute(self) -> Any:
        """Do what is done in this state and get the next one, or None when there is none."""

    def run(self, process: Any) -> Any:
        """Have the machine do what is done in this state."""
        return process._run_state()

    def verdict(self, outcome: Any) -> tuple[lifecycle.Trigger, Any]:
        """Say what it is that a state follows; one that may not, and what is none, is refused by the machine."""
        if isinstance(outcome, State):
            return self.TRIGGERS.get(outcome.LABEL, _FAIL), outcome
        return _FAIL, Given(outcome)

    def interrupt(self, reason: Any) -> None:
        """Somebody wants ``reason`` to be raised out of `execute`, if that is possible."""

    @super_check
    def exit(self) -> None:
        """Called when the state is left."""
        if self.is_terminal():
            raise InvalidStateError(f"Cannot exit a terminal state {self.LABEL}")

    def create_state(self, state_label: Hashable, *args: Any, **kwargs: Any) -> Any:
        """Get a new state of the machine by its label."""
        return self.state_machine.create_state(state_label, *args, **kwargs)

    def do_enter(self) -> None:
        """Enter the state."""
        enter = self.enter
        if getattr(enter, "__func__", None) is not _ENTER:
            call_with_super_check(enter)
        self.in_state = True

    def do_exit(self) -> None:
        """Leave the state."""
        leave = self.exit
        if getattr(leave, "__func__", None) is not _EXIT or not self.ALLOWED:
            call_with_super_check(leave)
        self.in_state = False


_ENTER, _EXIT, _FAIL = State.enter, State.exit, lifecycle.Trigger.FAIL


class StateEventHook(enum.Enum):
    """When callbacks are called, and with which state."""

    __hash__ = object.__hash__  # an enum's own is a Python function, and hooks are looked up at every step

    ENTERING_STATE = 0
    """Before a state is entered; with it."""
    ENTERED_STATE = 1
    """After a state was entered; with the one before, None if there was none."""
    EXITING_STATE = 2
    """Before a state is left; with the one that follows."""


# A member is looked up slowly, a global is not.
ENTERING, ENTERED, EXITING = StateEventHook


class StateMachineMeta(type):
    """Makes a machine ready when its class is called: its first state is entered, then `StateMachine.init` is called."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        machine = super().__call__(*args, **kwargs)
        machine.transition_to(machine.create_initial_state())
        call_with_super_check(machine.init)
        return machine


class StateMachine(metaclass=StateMachineMeta):
    """A machine with the states that `STATES` or `get_states` name; the first one is where it begins."""

    STATES: Sequence[type[State]] | None = None
    _STATES_MAP: dict[Hashable, type[State]] | None = None
    _transitioning = False
    _transition_failing = False
    _debug: bool | None = None

    @classmethod
    def get_states_map(cls) -> dict[Hashable, type[State]]:
        """Get the state classes by label."""
        if not cls.__dict__.get("sealed", False):
            cls.__ensure_built()
        assert cls._STATES_MAP is not None
        return cls._STATES_MAP

    @classmethod
    def get_states(cls) -> Sequence[type[State]]:
        """Get the state classes, the first one being where the machine begins; raises `RuntimeError` when there are none."""
        if cls.STATES is None:
            raise RuntimeError("States not defined")
        return cls.STATES

    @classmethod
    def initial_state_label(cls) -> Any:
        """Get the label of the state where the machine begins."""
        cls.__ensure_built()
        assert cls.STATES is not None
        return cls.STATES[0].LABEL

    @classmethod
    def get_state_class(cls, label: LABEL_TYPE) -> type[State]:
        """Get a state class by its label; raises `KeyError` for an unknown one."""
        return cls.get_states_map()[label]

    @classmethod
    def __ensure_built(cls) -> None:
        if cls.__dict__.get("sealed", False):
            return
        states = cls.STATES = cls.get_states()
        assert isinstance(states, Iterable)
        found: dict[Hashable, type[State]] = {}
        for state in states:
            assert issubclass(state, State)
            assert state.LABEL not in found, f"Duplicate label '{state.LABEL}'"
            found[state.LABEL] = state
        cls._STATES_MAP = found
        cls.sealed = True  # type: ignore[attr-defined]  # only where the states are known

    def __init__(self) -> None:
        super().__init__()
        self.__ensure_built()
        self._state: Any = None
        self._exception_handler = None
        self._transitioning = False
        self._event_callbacks: dict[Hashable, list[EVENT_CALLBACK_TYPE]] = {}

    @super_check
    def init(self) -> None:
        """Called once the first state was entered."""

    def __str__(self) -> str:
        return f"<{self.__class__.__name__}> ({self.state})"

    def create_initial_state(self) -> Any:
        """Get a new state to begin with."""
        return self.get_state_class(self.initial_state_label())(self)

    @property
    def state(self) -> Any:
        """The label of the current state, None before the first one."""
        return None if self._state is None else self._state.LABEL

    def add_state_event_callback(self, hook: Hashable, callback: EVENT_CALLBACK_TYPE) -> None:
        """Have ``callback(machine, hook, state)`` called at each such event."""
        self._event_callbacks.setdefault(hook, []).append(callback)

    def remove_state_event_callback(self, hook: Hashable, callback: EVENT_CALLBACK_TYPE) -> None:
        """Take a callback away; raises `ValueError` when there is no such one. A closed machine has none left."""
        if getattr(self, "_closed", False):
            return
        try:
            self._event_callbacks[hook].remove(callback)
        except (KeyError, ValueError):
            raise ValueError(f"Callback not set for hook '{hook}'") from None

    def _fire_state_event(self, hook: Hashable, state: State | None) -> None:
        for callback in self._event_callbacks.get(hook, ()):
            callback(self, hook, state)

    @super_check
    def on_terminated(self) -> None:
        """Called when a terminal state was entered."""

    def transition_to(self, new_state: State | None, **kwargs: Any) -> None:
        """Leave the current state and enter a new one; None does nothing.

        A failure on the way is handed to `transition_failed`, and raised when it happens once more there.

        Raises:
            AssertionError: a transition is under way.
        """
        assert not self._transitioning, "Cannot call transition_to when already transitioning state"
        if new_state is None:
            return
        initial = None if self._state is None else self._state.LABEL
        target = None
        try:
            self._transitioning = True
            target = new_state.LABEL
            if not self._transition_failing:  # the state was left already when this is the second attempt
                self._exit_current_state(new_state)
            try:
                self._enter_next_state(new_state)
            except StateEntryFailed as instead:
                new_state = instead.state
                target = new_state.LABEL
                self._exit_current_state(new_state)
                self._enter_next_state(new_state)
            if self._state is not None and self._state.is_terminal():
                call_with_super_check(self.on_terminated)
        except Exception as error:
            self._transitioning = False
            if self._transition_failing:
                raise
            self._transition_failing = True
            self.transition_failed(initial, target, error, error.__traceback__)
        finally:
            self._transition_failing = False
            self._transitioning = False

    def transition_failed(
        self, initial_state: Hashable, final_state: Hashable, exception: Exception, trace: TracebackType | None
    ) -> None:
        """Called when a transition failed; raises what made it fail, unless it is overridden."""
        raise exception.with_traceback(trace)

    def get_debug(self) -> bool:
        """Whether the machine is being debugged: as was said, else as PYTHONSMDEBUG says."""
        if self._debug is None:
            return not sys.flags.ignore_environment and bool(os.environ.get("PYTHONSMDEBUG"))
        return self._debug

    def set_debug(self, enabled: bool) -> None:
        """Say whether the machine is being debugged."""
        self._debug = enabled

    def create_state(self, state_label: Hashable, *args: Any, **kwargs: Any) -> Any:
        """Get a new state by its label; raises `ValueError` for an unknown one."""
        try:
            return (self._STATES_MAP or self.get_states_map())[state_label](self, *args, **kwargs)
        except KeyError:
            raise ValueError(f"{state_label} is not a valid state") from None

    def _create_state_instance(self, state_cls: Hashable, **kwargs: Any) -> Any:
        if state_cls not in self.get_states_map():
            raise ValueError(f"{state_cls} is not a valid state")
        return self.get_states_map()[state_cls](self, **kwargs)

    def _exit_current_state(self, next_state: State) -> None:
        current = self._state
        if current is None:
            if next_state.label != self.initial_state_label():
                raise RuntimeError(f"Cannot enter state '{next_state}' as the initial state")
            return
        if next_state.LABEL not in current.ALLOWED:
            raise RuntimeError(f"Cannot transition from {current.LABEL} to {next_state.label}")
        self._fire_state_event(EXITING, next_state)
        current.do_exit()

    def _enter_next_state(self, next_state: State) -> None:
        last_state = self._state
        self._fire_state_event(ENTERING, next_state)
        next_state.do_enter()
        self._state = next_state
        self._fire_state_event(ENTERED, last_state)
