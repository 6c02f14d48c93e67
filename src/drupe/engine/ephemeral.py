"""The host that keeps nothing: a process lives as long as its interpreter, and costs microseconds."""

from collections.abc import Awaitable
from typing import Any, Final

from drupe.engine import drive
from drupe.engine.behaviour import Waiting
from drupe.errors import InvalidStateError
from drupe.interfaces.ambient import Clock, Ids
from drupe.interfaces.host import Signal, Standing
from drupe.runtime.clock import SystemClock
from drupe.runtime.ids import RandomIds


class EphemeralHost:
    """Runs processes without a store. Everything is committed the moment it is asked for."""

    durable = False
    dialect: str | None = None

    def __init__(self, ids: Ids | None = None, clock: Clock | None = None) -> None:
        self._ids = ids or RandomIds()
        self.now = (clock or SystemClock()).now

    def new_pid(self, parent: Any, key: str | None) -> str:
        """Get a new pid."""
        return self._ids.pid()

    def step_key(self, process: Any) -> str:
        """Get a name that this step alone has: none runs again."""
        life = process._life
        if not life.ordinal:  # set back with each step; pids need no ordinal here
            life.ordinal, life.key = 1, self._ids.pid()
        key: str = life.key
        return key

    def fencing_token(self, process: Any) -> int:
        """Get 0: nobody else can own it."""
        return 0

    def create(self, process: Any) -> None:
        """Nothing to keep."""

    def commit(self, process: Any, stage: Any, standing: Standing, event: str) -> None:
        """Nothing to keep."""

    def reload(self, process: Any) -> None:
        """Nothing was kept."""

    def start(self, process: Any) -> None:
        """Run the process in a task of the running loop."""
        drive.start(process._life, process)

    def signal(self, process: Any, name: str, payload: Any) -> None:
        """Keep a signal in memory."""
        life = process._life
        life.signals = [*life.signals, Signal(name, payload)]
        if isinstance(life.stage, Waiting):
            self.listen(process, life.stage)

    def listen(self, process: Any, stage: Any) -> None:
        """Have the stage take the oldest signal it waits for, if there is one."""
        life = process._life
        for place, signal in enumerate(life.signals):
            if signal.name == stage.listening:
                stage.take(signal)
                life.signals = [*life.signals[:place], *life.signals[place + 1 :]]
                return

    def outcome(self, pid: str, process: Any | None) -> Awaitable[Any]:
        """Get the outputs of a process that is at hand."""
        if process is None:
            raise InvalidStateError(f"child {pid} was loaded without a store, which alone could tell what became of it")
        return drive.wait(process._life, process)

    def forget(self, process: Any) -> None:
        """Nothing was kept."""


EPHEMERAL: Final = EphemeralHost()
"""The host of processes that are made without one."""
