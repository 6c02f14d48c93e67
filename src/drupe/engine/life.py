"""The run-time side of one process: where it is, how it gets from there to the next state, who waits for it.

`Process` is what users see and override; its `Life` is what the engine keeps and does. Two rules:

1. A transition is always *hooks before, commit, then memory, hooks after* (`before`, `Host.commit`,
   `after`); nobody outside learns of it earlier. The lifecycle table alone says which state follows.
2. A life holds no reference to its process, so that dropping the process frees both at once.
"""

import asyncio
import functools
import logging
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Final

from drupe.core.attributes import FrozenAttributes, freeze
from drupe.core.control import DEAD, Posture, Verb
from drupe.core.lifecycle import NEXT, TERMINAL, State, Trigger
from drupe.engine.action import ControlAction
from drupe.engine.behaviour import Behaviour, Created, Excepted, Finished, Killed, error_of
from drupe.engine.future import ProcessFuture
from drupe.errors import (
    ChildMismatchError,
    ClosedError,
    NotFinishedError,
    OutputError,
    StatementError,
    StoreError,
    TooLargeError,
)
from drupe.interfaces.host import Host, Signal, Standing

Loop = asyncio.AbstractEventLoop
_LOG: Final = logging.getLogger("drupe.engine")
_USERS_FAULT: Final = (ChildMismatchError, StatementError, TooLargeError)
"""What a store refuses because of what the process asked for: it ends the process, unlike a store that fails."""

# A member is looked up slowly, a global is not.
_CREATED, _FINISHED, _KILLED, _DEAD, _OVER = State.CREATED, State.FINISHED, State.KILLED, Posture.KILLED, Posture.OVER


class Halted(BaseException):
    """Goes through a step that waits for a nested process which takes no more steps; nothing is written."""


class Life:
    """Where a process is, what it holds, and who waits for it."""

    # What most processes never have is a class attribute until it is set: creating is cheaper by half, and
    # fewer containers mean less work for the garbage collector.
    state: State = State.CREATED
    posture: Posture = Posture.FREE
    standing: Standing = Standing()
    stage: Behaviour = Created(None)
    behaviours: Mapping[State, Any] | None = None
    """What is done in each state, where that is not what the process says."""
    turn: Any = None
    """The slice of time after which its steps give the loop back, where that is not the one that all of the loop share."""
    created: float = 0.0
    generation: int = 0
    cursor: int = 0
    """Where in its outline a work chain is."""
    ordinal: int = 0
    """How many children this step has made."""
    key: str = ""
    """The name of this step, once somebody asked for it and where no store gives it one."""
    born: bool = False
    """Whether its creation is committed."""
    birth: "asyncio.Task[None] | None" = None
    """The creation that is on its way because somebody awaits the process inside its parent's step."""
    announced: bool = False
    """Whether listeners were told of its creation."""
    closed: bool = False
    halted: bool = False
    torn: bool = False
    """Whether a step was given up midway: what it left behind in memory is not what the last checkpoint says."""
    loop: Loop | None = None
    future: ProcessFuture | None = None
    action: ControlAction | None = None
    latest: "tuple[Verb, ControlAction] | None" = None
    """What was asked for last, while a commit is on its way."""
    settling: "asyncio.Future[None] | None" = None
    """A durable pause, play or kill whose commit is on its way."""
    driver: "asyncio.Task[Any] | None" = None
    """The task that takes steps now."""
    task: "asyncio.Task[Any] | None" = None
    """The task that was started for it in the background."""
    thread: Future[Any] | None = None
    """The end of the step that was last run in a thread of its own."""
    waiting_for_child: int = 0
    failing: BaseException | None = None
    """What a callback raised while a step ran."""
    lost: BaseException | None = None
    """Why the engine gave the process up without an outcome: its store failed, or somebody else owns it."""
    evicted: bool = False
    """Whether its driver was cancelled by `evict`: that is not a cancellation of whoever awaits the driver."""
    hook_error: BaseException | None = None
    reason: str | None = None
    """What was said with the pause or kill that is on its way."""
    inputs: Any = None
    outputs: Mapping[str, Any] = freeze({})
    ctx: Any = None
    listeners: Sequence[Any] = ()
    unborn: Sequence[Any] = ()
    """Children that the running step submitted and nobody awaited yet."""
    statements: Sequence[Any] = ()
    """What the running step writes of its own with its checkpoint."""
    awaited: Mapping[str, Any] = freeze({})
    """What the running step handed to `to_context`."""
    signals: Sequence[Signal] = ()
    """What was sent to it and not taken yet, oldest first, where no store keeps it."""
    callbacks: frozenset[Any] = frozenset()
    """Tasks of `call_soon`, kept from the garbage collector."""
    _nudged: asyncio.Future[None] | None = None
    inputs_raw: Any = None
    """The inputs as bytes, once they were needed."""
    tenure: Any = None
    """What the host keeps about it."""

    def __init__(self, host: Host, pid: str | None, parent: str | None, loop: Loop | None) -> None:
        self.host = host
        if pid is not None:
            self.pid = pid
        self.parent = parent
        if loop is not None:
            self.loop = loop

    @functools.cached_property
    def pid(self) -> str:
        """The process id; a process that is not stored gets one only when it is asked for."""
        return self.host.new_pid(None, None)

    # --- birth -------------------------------------------------------------------------------------------

    async def get_ready(self, process: Any) -> None:
        """Have the process where its last checkpoint says, before it takes a step."""
        if not self.born:
            await self.be_born(process)
        else:
            await self.mend(process)

    async def mend(self, process: Any) -> None:
        """Have it in memory as its last checkpoint says, if a step was given up midway."""
        if self.thread is not None and not self.thread.done():
            await asyncio.wait([asyncio.wrap_future(self.thread)])  # it still works on what is in memory
        if self.torn:
            self.torn = False
            self.host.reload(process)

    async def be_born(self, process: Any) -> None:
        """Commit the creation, or come back to where an earlier run got."""
        pending = self.host.create(process)
        if pending is not None:
            await pending
        self.born = True
        self.announce(process)

    def announce(self, process: Any) -> None:
        """Tell that the process was created, after the commit; once, and not of one that an earlier run has begun."""
        if self.announced or self.state is not _CREATED:
            return
        self.announced = True
        try:
            process.on_entered(None)
            for listener in self.listeners:
                listener.on_process_created(process)
        except Exception as error:  # noqa: BLE001 (a hook after the commit changes no state)
            self._hook_failed(process, error)

    def stop_short(self, *, done: bool = False) -> None:
        """The step that runs is given up, by default without an outcome: then it will be taken again."""
        if self.posture not in DEAD:
            self.torn = not done and self.posture is not Posture.FREE
            self.posture = Posture.FREE
        self.unborn, self.statements, self.awaited = (), (), {}
        self.settle_action(happened=False)

    # --- transitions -------------------------------------------------------------------------------------

    async def move(self, process: Any, trigger: Trigger, command: Any) -> None:
        """Make one transition that is not the outcome of a step."""
        was = self.state
        try:
            new = process.behaviours[NEXT[was][trigger]](command)
            self.before(process, new)
            pending = self.host.commit(process, new, self.standing, new.state)
            if pending is not None:
                await pending
        except Exception as error:  # noqa: BLE001 (sorted out there)
            await self.fail(process, error, command)
        else:
            self.after(process, new, was)

    def before(self, process: Any, new: Behaviour) -> None:
        process.on_exiting()
        process.on_entering(new.state)
        if new.state is _FINISHED:
            self._check_outputs(process, new)
        new.before(process)

    async def fail(self, process: Any, error: Exception, outcome: Any = None) -> None:
        """End as EXCEPTED, unless it is the store that failed: then nothing was written, and nothing is decided.

        Args:
            process: whose life this is.
            error: why the transition that was tried did not come about.
            outcome: what it was tried with. An exception there means that the process was ending as EXCEPTED already.
        """
        if isinstance(error, StoreError) and not isinstance(error, _USERS_FAULT):
            self.abandon(error)
            self.stop_short()
            raise error
        was = self.state
        new: Behaviour = process.behaviours[State.EXCEPTED](error)
        self.unborn = self.statements = ()
        if isinstance(outcome, BaseException):  # a failing on_except is the last word, its context tells the first
            if error is not outcome and error.__context__ is None:
                error.__context__ = outcome
        else:
            try:
                process.on_entering(State.EXCEPTED)
                new.before(process)
            except Exception as worse:  # noqa: BLE001 (as above)
                new = process.behaviours[State.EXCEPTED](worse)
        pending = self.host.commit(process, new, self.standing, State.EXCEPTED)
        if pending is not None:
            await pending
        self.after(process, new, was)

    def _check_outputs(self, process: Any, new: Behaviour) -> None:
        """Finishing well with outputs that do not fit the spec is finishing badly, and the status says why."""
        spec = process.spec()
        if isinstance(new, Finished) and new.successful and (self.outputs or spec.wants_outputs):
            try:
                spec.validate_outputs(self.outputs)
            except OutputError as error:
                new.successful = False
                self.standing = self.standing._replace(status=str(error))

    def after(self, process: Any, new: Behaviour, was: State) -> None:
        old, self.state, self.stage = self.stage, new.state, new
        if old.idle:
            old.interrupt("it is over")  # a driver that still waits there looks again
        try:
            process.on_entered(was)
            new.after(process)
        except Exception as error:  # noqa: BLE001 (a hook after the commit changes no state)
            self._hook_failed(process, error)
        if new.state in TERMINAL:
            self._end(process)
        elif self.listeners:
            self.tell(process, f"on_process_{new.state}")
        if self.unborn:
            # One that a callback submitted while the commit was on its way comes with the next.
            children = [child for child in self.unborn if child._life.born or not self.host.durable]
            self.unborn = [child for child in self.unborn if child not in children]
            for child in children:
                child._life.announce(child)
                self.host.start(child)

    def after_hook(self, process: Any, hook: Callable[..., None], *details: Any) -> None:
        """Call a hook that comes after the commit."""
        try:
            hook(*details)
        except Exception as error:  # noqa: BLE001 (a hook after the commit changes no state)
            self._hook_failed(process, error)

    def run_ended(self, task: "asyncio.Task[Any]") -> None:
        """Forget the background task; its error, if any, is with whoever waits, or is logged."""
        self.task = None
        if not task.cancelled() and (error := task.exception()) is not None and self.lost is not error:
            self.abandon(error)
            _LOG.error("process %s was given up", self.pid, exc_info=error)

    def tell(self, process: Any, event: str, *details: Any) -> None:
        """Call the listeners; what one raises is logged and given to whoever waits."""
        for listener in tuple(self.listeners):
            try:
                getattr(listener, event)(process, *details)
            except Exception as error:  # noqa: BLE001 (a listener changes no state)
                self._hook_failed(process, error)

    def _end(self, process: Any) -> None:
        killed = self.state is _KILLED
        self.posture = _DEAD if killed else _OVER
        self.after_hook(process, process.on_terminated)
        self.close(process)
        if self.listeners:
            self._tell_the_end(process)
        if self.action is not None:
            self.settle_action(happened=killed, why=None if killed else f"the process is {self.state}")
        if self.future is not None:
            self._resolve(self.future)
        if self._nudged is not None:
            self.nudge()

    def settle_action(self, *, happened: bool, why: str | None = None) -> None:
        """Say how the pause or kill that is asked for ended, if there is one."""
        if self.action is not None:
            self.action.settle(happened=happened, why=why)
            self.action = None

    def _tell_the_end(self, process: Any) -> None:
        stage = self.stage
        if isinstance(stage, Excepted):
            self.tell(process, "on_process_excepted", str(stage.error))
        elif isinstance(stage, Killed):
            self.tell(process, "on_process_killed", stage.msg)
        else:
            self.tell(process, "on_process_finished", freeze(self.outputs))

    def _hook_failed(self, process: Any, error: Exception) -> None:
        _LOG.error(
            "a hook or listener of %s %s failed after the commit", type(process).__name__, self.pid, exc_info=error
        )
        self.hook_error = self.hook_error or error

    def close(self, process: Any) -> None:
        """Let go of it; `Process.on_close` is called once."""
        if self.closed:
            return
        self.closed = True
        if self.state not in TERMINAL:
            self.abandon(ClosedError(f"process {self.pid} was closed and takes no more steps"))
            self.nudge()
        self.after_hook(process, process.on_close)
        self.host.forget(process)

    def abandon(self, error: BaseException) -> None:
        """Give the process up without an outcome: it takes no more steps, and whoever waits is told."""
        self.lost, self.halted = self.lost or error, True  # what came first says why; what follows from it does not
        if self.future is not None and not self.future.done():
            self.future.set_exception(self.lost)
            self.future.exception()  # who waits is told; that nobody waits is no error
        if self.action is not None and not self.action.done():
            self.action.set_exception(self.lost)

    def evict(self, error: BaseException) -> None:
        """Give the process up, and cancel what its step awaits: somebody else has decided what becomes of it."""
        self.abandon(error)
        if self.driver is not None and not self.evicted:
            self.evicted = True
            self.driver.cancel()
        self.nudge()

    # --- waiting -----------------------------------------------------------------------------------------

    async def nudged(self) -> None:
        self._nudged = asyncio.get_running_loop().create_future()
        await self._nudged

    def nudge(self) -> None:
        """Make the driver look again: the process was played, killed, or told to halt."""
        if self._nudged is not None and not self._nudged.done():
            self._nudged.set_result(None)
        if self.stage.idle:
            self.stage.interrupt("look again")

    def future_of(self, process: Any) -> ProcessFuture:
        """Get the future of the process, made on its loop when it is first asked for."""
        if self.future is None or (self.future.get_loop().is_closed() and not self.future.done()):
            loop = self.loop or asyncio.get_running_loop()
            self.future = ProcessFuture(loop=loop)
            reference = weakref.ref(process)

            def kill() -> object:
                found = reference()
                return None if found is None else found.kill("its future was cancelled")

            self.future.on_cancel = kill
            if self.state in TERMINAL:
                self._resolve(self.future)
            elif self.lost is not None:
                self.future.set_exception(self.lost)
        return self.future

    def _resolve(self, future: ProcessFuture) -> None:
        if future.done():
            return
        error = error_of(self.stage) or self.hook_error
        if error is None:
            future.set_result(freeze(self.outputs))
        else:
            future.set_exception(error)
            future.exception()  # the process keeps it: nothing is lost when nobody asks the future

    def outcome(self) -> FrozenAttributes:
        """Get the outputs, or raise why there are none.

        Raises:
            NotFinishedError: the process lives.
        """
        error = error_of(self.stage) or self.hook_error
        if error is not None:
            raise error
        if self.state is not _FINISHED:
            raise NotFinishedError(f"process {self.pid} is {self.state} and has no result yet")
        return freeze(self.outputs)
