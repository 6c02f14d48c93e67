"""What a process does in each of its states.

A behaviour runs user code and answers with a command; which state follows is decided by the
lifecycle table alone. A process class may replace the behaviour of a state by its own
(`Process.behaviours`). A behaviour is made anew each time its state is entered, and holds what
belongs to that stay: the step to run, what is waited for, the result, the error.
"""

import asyncio
from typing import Any, ClassVar, Final

from drupe.core.command import Command, Continue, Kill, Stop, Wait
from drupe.core.failure import Failure
from drupe.core.lifecycle import State, Trigger
from drupe.errors import InvalidStateError, KilledError, SnapshotError, UnsavableError
from drupe.interfaces.host import Signal


class Stage:
    """What it takes for the engine to take a step: something to run, and what is to follow from what comes of it."""

    __slots__ = ()

    state: ClassVar[State]
    continues: ClassVar[Trigger] = Trigger.STEP
    """What a `Continue` that `run` answers means in this state."""
    idle: ClassVar[bool] = False
    """True when no user code runs in this state: pause and kill act at once instead of at the end of `run`."""

    def run(self, process: Any) -> Any:
        """Do what is to be done and answer with a command, with this stage itself (once more), or a final result.

        It may be a coroutine function. One that is `idle` answers None when it was interrupted.
        """
        raise InvalidStateError(f"a process that is {self.state} takes no step")

    def verdict(self, outcome: Any) -> tuple[Trigger, Any]:
        """Say what follows from an outcome of `run`, and by what that is entered. A plain `Continue` is not asked about."""
        if isinstance(outcome, Command):
            for kind, trigger in _COMMANDS.items():
                if isinstance(outcome, kind):
                    return trigger, outcome
            if isinstance(outcome, Continue):
                return self.continues, outcome
        return Trigger.FINISH, Stop(outcome)

    def interrupt(self, reason: str) -> None:
        """Somebody paused or killed the process while `run` was being awaited: come back soon, if that is possible."""


_COMMANDS: Final = {Wait: Trigger.WAIT, Stop: Trigger.FINISH, Kill: Trigger.KILL}


class Behaviour(Stage):
    """Base of what a process does in a state."""

    __slots__ = ()

    # --- what whoever keeps the process may ask of a stay ---------------------------------------------------

    @property
    def volatile(self) -> bool:
        """Whether it waits for something that cannot be saved: on disk the process stays at the step before."""
        return False

    @property
    def over(self) -> bool:
        """Whether what ends the wait is there already."""
        return False

    @property
    def listening(self) -> str | None:
        """The name of the signals that would end the wait now."""
        return None

    @property
    def unseen(self) -> frozenset[str]:
        """The pids of the children whose end it has not seen, while it waits."""
        return frozenset()

    @property
    def wake_at(self) -> float | None:
        """When it wants to be looked at again at the latest, seconds since 1970 (UTC)."""
        return None

    def __init__(self, command: Any) -> None:
        """Enter the state because of ``command``."""

    def before(self, process: Any) -> None:
        """Call the state's hook, before the commit."""

    def after(self, process: Any) -> None:
        """Call the state's hook, after the commit."""

    def label(self) -> str | None:
        """Get a few words for people about this stay."""
        return None

    def dump(self, process: Any) -> dict[str, Any]:
        """Get the saved form."""
        return {}

    @classmethod
    def load(cls, process: Any, saved: dict[str, Any]) -> "Behaviour":
        """Make it again from its saved form.

        Raises:
            SnapshotError: the saved form does not fit the class as it is now.
        """
        return cls(None)


class Created(Behaviour):
    """Nothing has happened yet; the first step is `Process.run`."""

    __slots__ = ()
    state = State.CREATED
    continues = Trigger.START

    def run(self, process: Any) -> Command:
        return Continue(process.run)

    def before(self, process: Any) -> None:
        process.on_create()


class Running(Behaviour):
    """One step: a call of a method of the process."""

    __slots__ = ("command",)
    state = State.RUNNING
    continues = Trigger.STEP

    def __init__(self, command: Continue) -> None:
        self.command = command

    def run(self, process: Any) -> Any:
        command = self.command
        return command.fn(*command.args, **command.kwargs)

    def before(self, process: Any) -> None:
        process.on_run()

    def after(self, process: Any) -> None:
        process.on_running()

    def label(self) -> str | None:
        return getattr(self.command.fn, "__name__", None)

    def dump(self, process: Any) -> dict[str, Any]:
        command = self.command
        saved: dict[str, Any] = {"fn": method_name(process, command.fn)}
        if command.args:
            saved["args"] = list(command.args)
        if command.kwargs:
            saved["kwargs"] = command.kwargs
        return saved

    @classmethod
    def load(cls, process: Any, saved: dict[str, Any]) -> "Running":
        return cls(Continue(method_of(process, saved["fn"]), *saved.get("args", ()), **saved.get("kwargs", {})))


class Waiting(Behaviour):
    """Waits until `Process.resume`, or until the signal that it listens for comes."""

    __slots__ = ("_future", "_values", "command", "taken")
    state = State.WAITING
    continues = Trigger.WAKE
    idle = True

    def __init__(self, command: Wait) -> None:
        self.command = command
        self.taken: Signal | None = None
        """The signal that ended the wait. It counts as taken once what follows is committed."""
        self._values: tuple[Any, ...] | None = None
        self._future: asyncio.Future[None] | None = None

    @property
    def listening(self) -> str | None:
        return self.command.signal if self._values is None else None

    @property
    def over(self) -> bool:
        return self._values is not None

    async def run(self, process: Any) -> Command | None:
        if self.listening is not None:
            process._life.host.listen(process, self)
        if self._values is None:
            self._future = asyncio.get_running_loop().create_future()
            await self._future
        if self._values is None:
            return None
        fn = self.command.fn
        return Stop(next(iter(self._values), None)) if fn is None else Continue(fn, *self._values)

    def wake(self, *values: Any) -> None:
        """End the wait; a second call changes nothing."""
        if self._values is None:
            self._values = values
        self.interrupt("resumed")

    def take(self, signal: Signal) -> None:
        """End the wait by a signal; a wait that is over takes none."""
        if self._values is None:
            self.taken = signal
            self.wake(signal.payload)

    def interrupt(self, reason: str) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    def before(self, process: Any) -> None:
        process.on_wait(self.command.data)

    def after(self, process: Any) -> None:
        process.on_waiting()

    def label(self) -> str | None:
        return self.command.msg

    def dump(self, process: Any) -> dict[str, Any]:
        command = self.command
        fn = None if command.fn is None else method_name(process, command.fn)
        saved = {"fn": fn, "msg": command.msg, "data": command.data}
        return saved if command.signal is None else {**saved, "signal": command.signal}

    @classmethod
    def load(cls, process: Any, saved: dict[str, Any]) -> "Waiting":
        fn = None if saved["fn"] is None else method_of(process, saved["fn"])
        return cls(Wait(fn, saved["msg"], saved["data"], saved.get("signal")))


class Finished(Behaviour):
    """The end as it was meant, or at least foreseen."""

    __slots__ = ("result", "successful")
    state = State.FINISHED

    def __init__(self, command: Stop) -> None:
        self.result = command.result
        self.successful = command.successful

    def before(self, process: Any) -> None:
        process.on_finish(self.result, self.successful)

    def after(self, process: Any) -> None:
        process.on_finished()

    def label(self) -> str | None:
        return None if self.successful else "not successful"

    def dump(self, process: Any) -> dict[str, Any]:
        return {"result": self.result, "successful": self.successful}

    @classmethod
    def load(cls, process: Any, saved: dict[str, Any]) -> "Finished":
        return cls(Stop(saved["result"], saved["successful"]))


class Excepted(Behaviour):
    """The end by an exception."""

    __slots__ = ("error",)
    state = State.EXCEPTED

    def __init__(self, command: BaseException) -> None:
        self.error = command

    @property
    def failure(self) -> Failure:
        """The exception as data, its traceback formatted."""
        return Failure.of(self.error)

    def before(self, process: Any) -> None:
        process.on_except((type(self.error), self.error, self.error.__traceback__))

    def after(self, process: Any) -> None:
        process.on_excepted()

    def label(self) -> str | None:
        return str(self.failure)

    def dump(self, process: Any) -> dict[str, Any]:
        return {"failure": self.failure.as_dict()}

    @classmethod
    def load(cls, process: Any, saved: dict[str, Any]) -> "Excepted":
        return cls(Failure(**saved["failure"]).error(process.pid))

    def raised(self) -> BaseException:
        """Get the exception to raise at whoever waits."""
        return self.error


class Killed(Behaviour):
    """The end because somebody said so."""

    __slots__ = ("msg",)
    state = State.KILLED

    def __init__(self, command: Kill) -> None:
        self.msg = command.msg

    def before(self, process: Any) -> None:
        process.on_kill(self.msg)

    def after(self, process: Any) -> None:
        process.on_killed()

    def label(self) -> str | None:
        return self.msg

    def dump(self, process: Any) -> dict[str, Any]:
        return {"msg": self.msg}

    @classmethod
    def load(cls, process: Any, saved: dict[str, Any]) -> "Killed":
        return cls(Kill(saved["msg"]))

    def raised(self) -> BaseException:
        """Get the exception to raise at whoever waits."""
        return KilledError(self.msg or "the process was killed")


BEHAVIOURS: dict[State, type[Behaviour]] = {
    kind.state: kind for kind in (Created, Running, Waiting, Finished, Excepted, Killed)
}


def method_name(process: Any, fn: Any) -> str:
    """Get the name by which ``fn``, a method of ``process``, is saved.

    Raises:
        UnsavableError: it is something else, which could not be found again.
    """
    name = getattr(fn, "__name__", None)
    if name is not None and getattr(process, name, None) == fn:
        return str(name)
    raise UnsavableError(
        f"stage.fn: {fn!r} is not a method of {type(process).__name__} and could not be found again; "
        "continue with a method of the process and hand the rest over as arguments",
        path="stage.fn",
    )


def method_of(process: Any, name: str) -> Any:
    """Get the method that was saved as ``name``.

    Raises:
        SnapshotError: the class has no such method (any more).
    """
    # Only a plain function of the class may be called because saved data says so.
    if callable(getattr(type(process), name, None)):
        return getattr(process, name)
    raise SnapshotError(
        f"the checkpoint of {process.pid} goes on with {type(process).__name__}.{name}, "
        "which the class does not have; was it renamed? bring it back, or raise `version` and add an upcast"
    )


_FAILED = (Excepted, Killed)


def error_of(stage: Behaviour) -> BaseException | None:
    """Get what is raised at whoever waits for a process that ended in ``stage``; None if it finished."""
    if isinstance(stage, _FAILED):
        return stage.raised()
    return None
