"""What can be asked of a process, alive or ended: plain reading, which changes nothing and waits for nothing."""

import asyncio
import logging
from typing import Any, ClassVar

from drupe.core.attributes import FrozenAttributes, freeze
from drupe.core.control import Posture
from drupe.core.lifecycle import TERMINAL, State
from drupe.engine.behaviour import Behaviour, Excepted, Finished, Killed
from drupe.engine.life import Life
from drupe.errors import InvalidStateError, NotFinishedError


class View:
    """The readable side of a process."""

    __slots__ = ("_life",)

    _life: Life
    _kind: ClassVar[str] = ""

    @property
    def pid(self) -> str:
        """The process id."""
        return self._life.pid

    @property
    def kind(self) -> str:
        """Identifier of the class, ``module:QualName``."""
        return self._kind

    @property
    def parent(self) -> str | None:
        """The pid of the process whose step made this one."""
        return self._life.parent

    @property
    def state(self) -> State:
        """Where the process is in its life."""
        return self._life.state

    @property
    def stage(self) -> Behaviour:
        """What the process does in its state now."""
        return self._life.stage

    @property
    def paused(self) -> bool:
        """Whether it takes no step until it is played."""
        return self._life.posture is Posture.HELD

    @property
    def inputs(self) -> Any:
        """The inputs: read-only, by attribute or item, defaults filled in."""
        return self._life.inputs

    @property
    def outputs(self) -> FrozenAttributes:
        """The outputs emitted so far."""
        return freeze(self._life.outputs)

    @property
    def created(self) -> float:
        """When it was created, seconds since 1970 (UTC)."""
        return self._life.created

    @property
    def status(self) -> str | None:
        """What the process says of itself to people."""
        return self._life.standing.status

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop the process runs on: the one it was given, else the one that runs here."""
        return self._life.loop or asyncio.get_running_loop()

    @property
    def logger(self) -> logging.Logger:
        """The logger of the class."""
        return logging.getLogger(f"{type(self).__module__}.{type(self).__qualname__}")

    @property
    def step_key(self) -> str:
        """A name for the running step, to give along with what it does outside: another for each step, the same when it is repeated.

        Whoever keeps the names he was given can tell a repeated request from a new one. A step that does several things
        adds a word of its own for each. Under a store it is made of the pid, the place in the process's life, and how
        often the process was begun anew.
        """
        return self._life.host.step_key(self)

    @property
    def fencing_token(self) -> int:
        """A number that is higher for each owner of the process than for the one before; 0 without a store.

        Whoever keeps the highest one he has seen can refuse a worker that was frozen and does not know that it lost
        the process.
        """
        return self._life.host.fencing_token(self)

    def has_terminated(self) -> bool:
        """Tell whether it is FINISHED, EXCEPTED or KILLED."""
        return self._life.state in TERMINAL

    def is_successful(self) -> bool:
        """Tell whether it finished and reached its aim."""
        stage = self._life.stage
        return isinstance(stage, Finished) and stage.successful

    def result(self) -> Any:
        """Get what the last step returned.

        Raises:
            NotFinishedError: it has not finished (yet).
            KilledError: it was killed.
        """
        stage = self._life.stage
        if isinstance(stage, Finished):
            return stage.result
        self._life.outcome()
        raise NotFinishedError(f"process {self.pid} is {self.state}")

    def exception(self) -> BaseException | None:
        """Get the exception it ended by; after a load an `ExceptedError` with the original's text."""
        stage = self._life.stage
        return stage.error if isinstance(stage, Excepted) else None

    def traceback_text(self) -> str | None:
        """Get the traceback of the exception it ended by; it survives saving and loading."""
        stage = self._life.stage
        return stage.failure.traceback if isinstance(stage, Excepted) else None

    def killed(self) -> bool:
        """Tell whether it was killed."""
        return self._life.state is State.KILLED

    def killed_msg(self) -> str | None:
        """Get the reason it was killed for.

        Raises:
            InvalidStateError: it was not killed.
        """
        stage = self._life.stage
        if isinstance(stage, Killed):
            return stage.msg
        raise InvalidStateError(f"process {self.pid} is {self.state}, not killed")
