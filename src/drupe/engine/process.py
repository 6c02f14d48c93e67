"""`Process`: typed inputs and outputs, a body made of steps, and verbs to steer it.

This is the class users derive from. It has no duties: every hook is empty, so none needs a call of
``super()`` (but `Process.define`, where the base's declarations come from). What the engine keeps of a
process is in its `Life`; an instance's own attributes are the user's, declared by `field`.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator, Mapping
from typing import Any, ClassVar, TypeVar, cast

from drupe.core.attributes import Attributes, FrozenAttributes
from drupe.core.control import Verb
from drupe.core.failure import legible
from drupe.core.lifecycle import TERMINAL, State
from drupe.core.spec import ProcessSpec
from drupe.engine import child, drive, saving, signal, stack, verbs
from drupe.engine.action import ControlAction
from drupe.engine.behaviour import BEHAVIOURS, Waiting
from drupe.engine.child import Child, Origin
from drupe.engine.ephemeral import EPHEMERAL
from drupe.engine.future import ProcessFuture
from drupe.engine.hooks import Hooks
from drupe.engine.life import Halted, Life
from drupe.engine.listener import ProcessListener
from drupe.engine.registry import kind_of
from drupe.engine.transaction import Transaction
from drupe.engine.view import View
from drupe.errors import DefinitionError, InvalidStateError
from drupe.runtime import bridge

P = TypeVar("P", bound="Process")


class Process(View, Hooks):
    """One run of a piece of work.

    Args:
        inputs: values for the input ports; checked and completed with defaults here.
        pid: the process id; a new one by default.
        loop: the loop to run on; it is used and never closed. By default the loop that runs when the
            process does.
        origin: set by whoever makes the process on behalf of a host or loads it; not for users.

    Raises:
        InputError: the inputs do not fit the ports; nothing was created.
        DefinitionError: the class is not usable, because `define` did not reach `Process.define`.
    """

    __slots__ = ("__dict__", "__weakref__")

    version: ClassVar[int] = 1
    """Version of the class; raise it when old checkpoints need an upcast."""
    spec_type: ClassVar[type[ProcessSpec]] = ProcessSpec
    behaviours: ClassVar[Mapping[State, Any]] = BEHAVIOURS
    """What the process does in each state: ``{**Process.behaviours, State.WAITING: MyWaiting}`` replaces one."""
    outline_digest: ClassVar[str] = ""
    """What tells one outline from another; empty where there is none."""

    def __init__(
        self,
        inputs: Mapping[str, Any] | None = None,
        *,
        pid: str | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
        origin: Origin | None = None,
    ) -> None:
        spec = self.spec()
        parent = stack.current() if origin is None else origin.parent
        host = origin.host if origin is not None else EPHEMERAL if parent is None else parent._life.host
        if origin is not None and origin.snapshot is not None:
            self._life = Life(host, origin.snapshot.pid, origin.snapshot.parent, loop)
            saving.restore(self, self._life, origin.snapshot)
            return
        given = spec.prepare_inputs({} if inputs is None else inputs)
        if pid is None and host.durable:
            pid = host.new_pid(parent, None if origin is None else origin.key)
        life = self._life = Life(host, pid, None if parent is None else parent.pid, loop)
        life.inputs = given
        life.created = host.now()
        self._set_up()
        stage = life.stage
        self.on_entering(stage.state)
        stage.before(self)
        if not host.durable:
            life.born = True
            life.announce(self)

    def _set_up(self) -> None:
        """Set up what a kind of process needs before its first step; not for users."""

    # --- declaring -----------------------------------------------------------------------------------------

    @classmethod
    def define(cls, spec: Any) -> None:
        """Declare ports (and, in a work chain, the outline). Call ``super().define(spec)`` first."""
        spec.defined = True

    @classmethod
    def spec(cls) -> Any:
        """Get the specification of the class, made once and sealed.

        Raises:
            DefinitionError: `define` did not reach `Process.define`.
        """
        spec = cls.__dict__.get("_spec")
        if spec is None:
            spec = cls.spec_type(owner=cls)
            cls.define(spec)
            if not spec.defined:
                raise DefinitionError(f"{cls.__qualname__}.define does not call super().define(spec)")
            spec.seal()
            cls._spec, cls._kind = spec, kind_of(cls)
        return spec

    _spec: ClassVar[Any] = None

    @classmethod
    def get_description(cls) -> dict[str, Any]:
        """Get what the class is for people and tools: its name, its documentation, its ports, its outline."""
        return {"class": kind_of(cls), "doc": (cls.__doc__ or "").strip(), **cls.spec().get_description()}

    @staticmethod
    def current() -> "Process | None":
        """Get the process whose step is running here, or None."""
        return stack.current()

    def future(self) -> ProcessFuture:
        """Get the future of the outputs. Cancelling it, and only that, kills the process."""
        return self._life.future_of(self)

    # --- running -------------------------------------------------------------------------------------------

    def execute(self) -> FrozenAttributes:
        """Run to the end, from plain code anywhere: a script, inside a step or coroutine, a notebook cell, a thread.

        Returns:
            The outputs.

        Raises:
            KilledError: it was killed.
            ClosedError: it was closed before it ended.
            Exception: the one it ended by.
        """
        life = self._life
        if life.state not in TERMINAL:
            with child.Suspended(stack.current()):
                bridge.run(drive.run(life, self), loop=life.loop)
            if life.halted and life.state not in TERMINAL:
                raise life.lost or Halted
        return life.outcome()

    async def step(self) -> None:
        """Take one step. Does nothing once the process has ended; waits while it is paused."""
        await drive.run(self._life, self, steps=1)

    def step_until_terminated(self) -> Coroutine[Any, Any, None]:
        """Take steps until the end, in the task that awaits this: cancelling it stops the stepping and writes nothing."""
        return drive.run(self._life, self)

    async def wait(self) -> FrozenAttributes:
        """Wait for the outputs, running the process if nobody does; cancelling the wait leaves the process as it is."""
        return await drive.wait(self._life, self)

    def __await__(self) -> Generator[Any, Any, FrozenAttributes]:
        return self.wait().__await__()

    def call_soon(self, callback: Callable[..., Any], *args: Any) -> "asyncio.Task[None]":
        """Call ``callback`` (it may be a coroutine function) in the next turn of the loop, as part of the process.

        An exception ends the process as EXCEPTED. Nothing of it is durable.
        """
        return drive.call_soon(self._life, self, callback, args)

    # --- steering ------------------------------------------------------------------------------------------

    def pause(self, msg: str | None = None) -> bool | ControlAction:
        """Take no more steps until played.

        Returns:
            True or False when that is decided at once, else an action: see `engine.verbs.ask`.
        """
        return verbs.ask(self._life, self, Verb.PAUSE, msg)

    def play(self) -> bool | ControlAction:
        """Go on after a pause; take back one that has not happened yet."""
        return verbs.ask(self._life, self, Verb.PLAY)

    def kill(self, msg: str | None = None) -> bool | ControlAction:
        """End as KILLED: at once between two steps and while waiting, else at the end of the running step."""
        return verbs.ask(self._life, self, Verb.KILL, msg)

    def fail(self, error: BaseException) -> None:
        """End as EXCEPTED by ``error``: at once, or at the end of the running step."""
        verbs.fail(self._life, self, error)

    def resume(self, *values: Any) -> None:
        """End a wait, also one for a signal: the step that `Wait` named gets ``values``.

        Raises:
            InvalidStateError: the process is not waiting.
        """
        stage = self._life.stage
        if not isinstance(stage, Waiting):
            raise InvalidStateError(f"process {self.pid} is {self.state}, only a waiting one can be resumed")
        stage.wake(*values)

    def signal(self, name: str, payload: Any = None) -> bool | ControlAction:
        """Send a signal. A `Wait` for this name takes it, now or later; each is taken once, the oldest first.

        Returns:
            In an ephemeral process True, or False when it has ended. In a stored one an action that comes to that once
            it is in the store, from where nothing but its process takes it; it cannot be taken back.

        Raises:
            InvalidStateError: the process is not created yet.
            UnsavableError: the store could not give the payload back; nothing was sent.
        """
        return signal.send(self._life, self, name, payload)

    def set_status(self, status: str | None) -> None:
        """Say what the process is doing, to people; durable with the next checkpoint. Text of more than a page is cut."""
        self._life.standing = self._life.standing._replace(status=None if status is None else legible(status))

    def close(self) -> None:
        """Let go of the process: it takes no more steps here. What is stored stays. Closing twice does nothing."""
        self._life.close(self)

    def add_process_listener(self, listener: ProcessListener) -> None:
        """Have ``listener`` called at each event, in memory; adding it twice adds it once."""
        if listener not in self._life.listeners:
            self._life.listeners = (*self._life.listeners, listener)

    def remove_process_listener(self, listener: ProcessListener) -> None:
        """Stop calling ``listener``; one that was not added is no error."""
        self._life.listeners = tuple(other for other in self._life.listeners if other is not listener)

    # --- inside a step -------------------------------------------------------------------------------------

    def out(self, name: str, value: Any) -> None:
        """Emit an output; a dotted name puts it into a namespace. Durable with the step's checkpoint.

        Raises:
            OutputError: there is no such output port, or the value does not fit it.
        """
        dynamic = self.spec().validate_output(name, value)
        self.on_output_emitting(name, value)
        *path, last = name.split(".")
        life = self._life
        place: dict[str, Any] = life.outputs if life.outputs else {}  # type: ignore[assignment]
        life.outputs = place
        for part in path:  # a namespace is told from a dictionary that somebody emits by its type
            place = place.setdefault(part, Attributes())
        place[last] = value
        self.on_output_emitted(name, value, dynamic)
        if self._life.listeners:
            self._life.tell(self, "on_output_emitted", name, value, dynamic)

    def transaction(self) -> Transaction:
        """Write something of one's own with the step's checkpoint, where the store is a database that can be shared.

        It is written exactly once, however often the step is repeated: ``async with self.transaction() as transaction``
        (or ``with``), and in it `Transaction.execute`.

        Raises:
            InvalidStateError: no step of the process runs.
            StatementError: the process is kept in no database.
        """
        return Transaction(self._life)

    def submit(
        self,
        process_class: "type[Process]",
        inputs: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        **named: Any,
    ) -> Child:
        """Start a child process.

        It is created with this step's checkpoint, or at once when it is awaited inside the step; a step that
        runs again finds it and makes no second one.

        Args:
            process_class: what to run.
            inputs: its inputs, as a mapping; ``named`` ones are added.
            key: names the child among those of this step, so that it keeps its identity when their order changes.
            named: inputs by name.

        Raises:
            InputError: the inputs do not fit; nothing was created.
        """
        return child.submit(self, process_class, {**(inputs or {}), **named}, key)

    def launch(self, process_class: type[P], inputs: Mapping[str, Any] | None = None, **named: Any) -> P:
        """Start a child in this interpreter and get the process itself; otherwise like `submit`."""
        return cast("P", self.submit(process_class, inputs, **named).process)

    def exposed_inputs(
        self, process_class: "type[Process]", namespace: str | None = None, *, agglomerate: bool = True
    ) -> FrozenAttributes:
        """Get the inputs that were exposed from another class, to hand them to it."""
        found = self.spec().exposed_inputs(process_class, self.inputs, namespace, agglomerate=agglomerate)
        return cast("FrozenAttributes", found)

    def exposed_outputs(
        self,
        outputs: Mapping[str, Any],
        process_class: "type[Process]",
        namespace: str | None = None,
        *,
        agglomerate: bool = True,
    ) -> FrozenAttributes:
        """Get those of a child's outputs that were exposed from its class, to emit them."""
        found = self.spec().exposed_outputs(process_class, outputs, namespace, agglomerate=agglomerate)
        return cast("FrozenAttributes", found)

    def out_many(self, outputs: Mapping[str, Any]) -> None:
        """Emit several outputs.

        Raises:
            OutputError: as in `out`.
        """
        for name, value in outputs.items():
            self.out(name, value)

    def run(self) -> Any:
        """Do the work: override it, as ``def`` or ``async def``. It may return a command, or the final result."""
        raise NotImplementedError(f"{type(self).__qualname__} has no run()")

    def __repr__(self) -> str:
        return f"<{type(self).__qualname__} {self.pid} {self.state}{' paused' if self.paused else ''}>"
