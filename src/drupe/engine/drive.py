"""Taking the steps of a process: the loop around user code.

This is the one hot path of drupe. What a step costs here is paid millions of times, so the loop is
written out flat; everything rare is in `engine.life` (transitions) and `engine.verbs` (pause, play, kill).
"""

import asyncio
import types
import weakref
from collections.abc import Callable
from typing import Any, Final, cast

from drupe.core.attributes import FrozenAttributes
from drupe.core.command import Continue, Kill
from drupe.core.control import DEAD, Posture
from drupe.core.lifecycle import NEXT, TERMINAL, Trigger
from drupe.engine import stack, verbs
from drupe.engine.action import ControlAction
from drupe.engine.life import Halted, Life
from drupe.engine.turn import turn_of
from drupe.errors import ClosedError, FencedError, StoreError, StoreUnavailableError
from drupe.runtime import portal
from drupe.runtime.bridge import current_loop

# A member is looked up slowly, a global is not.
_FREE, _BUSY = Posture.FREE, Posture.BUSY
_START = Trigger.START


async def run(  # noqa: C901, PLR0912 (guards, one a line)
    life: Life, process: Any, *, steps: int | None = None, bare: bool = False
) -> None:
    """Take steps until the end (or ``steps`` of them), or until told to halt.

    Cancelling the task that does this writes nothing; the step that was interrupted is taken again
    by whoever runs the process next.

    Args:
        life: the life of the process.
        process: the process.
        steps: how many at most.
        bare: only the steps: a portal, and which process is the current one, are seen to by whoever calls.
    """
    if life.state in TERMINAL:
        return
    if life.closed:
        raise ClosedError(f"process {life.pid} was closed and takes no more steps")
    if life.lost is not None:
        raise life.lost
    if life.driver is not None:
        await _followed(life, process)
        return
    life.driver = task = cast("asyncio.Task[Any]", asyncio.current_task())
    token = None if bare else stack.push(weakref.ref(process))
    try:
        if not life.born or life.torn:
            await life.get_ready(process)
        if life.state not in TERMINAL:
            driving = _drive(life, process, task, steps)
            await (driving if bare else portal.enter(driving, task))
    except (StoreError, asyncio.CancelledError) as error:
        _given_up(life, task, error)
        raise
    except Halted:
        if not life.halted:
            raise
    finally:
        life.driver = None
        if token is not None:
            stack.restore(token)


def _given_up(life: Life, task: "asyncio.Task[Any]", error: BaseException) -> None:
    """Raise why no more steps are taken, unless ``error`` says it: it is a cancellation of ``task``, or the store's."""
    evicted = life.evicted and not task.uncancel()  # by `Life.evict` and by nobody else: the task itself may go on
    if isinstance(error, StoreError):
        life.abandon(error)
    elif not evicted:
        return
    if life.lost is not None and life.lost is not error:
        raise life.lost from (error if isinstance(error, StoreError) else None)


async def _drive(  # noqa: C901, PLR0912, PLR0915 (flat on purpose: a call more is paid at every step)
    life: Life, process: Any, task: "asyncio.Task[Any]", steps: int | None
) -> None:
    turn = life.turn or turn_of(asyncio.get_running_loop())
    host, behaviours = life.host, life.behaviours or process.behaviours
    commit = host.commit
    while True:
        if life.halted:
            return
        if life.posture is not _FREE:
            if life.state in TERMINAL:
                return
            await life.nudged()
            continue
        stage = life.stage
        trigger: Trigger
        outcome: Any
        try:
            if stage.idle:
                outcome = await stage.run(process)
                if outcome is None or life.stage is not stage or life.posture is not _FREE or life.halted:
                    continue
                life.posture = _BUSY
            else:
                life.posture = _BUSY
                life.ordinal = 0
                outcome = stage.run(process)
                kind = type(outcome)
                if kind is types.CoroutineType or (kind is not Continue and hasattr(kind, "__await__")):
                    outcome = await outcome
            if outcome is stage or type(outcome) is Continue:
                trigger = stage.continues
            else:
                trigger, outcome = stage.verdict(outcome)
        except asyncio.CancelledError as error:
            if task.cancelling():
                life.stop_short()
                raise
            trigger, outcome = _failed(life, error)  # something the step awaited was cancelled, not we
        except (FencedError, StoreUnavailableError) as error:
            if host.durable:  # what the step waited for was given up, not decided upon; so is the step
                life.stop_short()
                raise
            trigger, outcome = _failed(life, error)
        except Exception as error:  # noqa: BLE001 (whatever a step raises ends its process)
            trigger, outcome = _failed(life, error)
        except BaseException:
            life.stop_short()
            raise
        if life.posture is not _BUSY or life.failing is not None:
            trigger, outcome = _overtake(life, trigger, outcome)
        was = life.state
        pending: Any = None
        new: Any
        try:
            state = NEXT[was][trigger]
            new = stage if outcome is stage else behaviours[state](outcome)
            life.before(process, new)
            pending = commit(process, new, life.standing, new.state)
            if pending is not None:
                await pending
        except Exception as error:  # noqa: BLE001 (sorted out there)
            await life.fail(process, error, outcome)
        except asyncio.CancelledError:
            if pending is not None:  # what is on its way to the store cannot be taken back: the host has seen to it
                life.after(process, new, was)
            life.stop_short(done=pending is not None)
            raise
        except BaseException:
            life.stop_short()
            raise
        else:
            life.after(process, new, was)
        if life.posture is _BUSY and life.failing is None:
            life.posture = _FREE
        elif life.posture in DEAD:
            return
        else:
            await verbs.settle(life, process)
        if steps is not None:
            steps -= 1
            if not steps:
                return
        # A commit that had to be waited for has given the loop back already.
        if pending is None and trigger is not _START and turn.over():
            await asyncio.sleep(0)


DRIVING: Final = _drive.__code__
"""What is on the stack of a thread that is in a step, with the process in its variable of this name."""


def _failed(life: Life, error: BaseException) -> tuple[Trigger, BaseException]:
    """A step failed: the children it asked for are not made, and what it writes of its own is not written."""
    life.unborn = life.statements = ()
    return Trigger.FAIL, error


def _overtake(life: Life, trigger: Trigger, outcome: Any) -> tuple[Trigger, Any]:
    """What was asked for while the step ran comes first: a failed callback, then a kill."""
    if trigger is Trigger.FAIL:
        return trigger, outcome
    if life.failing is not None:
        return _failed(life, life.failing)
    if life.posture is Posture.KILLING:
        return Trigger.KILL, Kill(life.reason)
    return trigger, outcome


def start(life: Life, process: Any) -> None:
    """Run ``process`` in a task of its own on the running loop; does nothing if it is being run already."""
    if life.driver is None and life.task is None:
        life.task = asyncio.get_running_loop().create_task(run(life, process))
        life.task.add_done_callback(life.run_ended)


async def wait(life: Life, process: Any) -> FrozenAttributes:
    """Wait for the outcome, running the process if nobody does. Cancelling the waiter leaves the process as it is."""
    if life.state not in TERMINAL:
        start(life, process)
        await _followed(life, process)
    return life.outcome()


async def _followed(life: Life, process: Any) -> None:
    """Wait for the end; if it comes by cancelling the future, that is not the waiter's cancellation."""
    future = life.future_of(process)
    try:
        await asyncio.shield(future)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if not future.cancelled() or (task is not None and task.cancelling()):
            raise
        if isinstance(future.killing, ControlAction):
            await asyncio.shield(future.killing)


def call_soon(life: Life, process: Any, callback: Callable[..., Any], args: tuple[Any, ...]) -> "asyncio.Task[None]":
    """Call ``callback`` in a task that is part of the process; its exception ends the process."""

    async def call() -> None:
        token = stack.push(weakref.ref(process))
        try:
            found = callback(*args)
            if hasattr(type(found), "__await__"):
                await found
        except Exception as error:  # noqa: BLE001 (it is the process's own)
            verbs.fail(life, process, error)
        finally:
            stack.restore(token)
            life.callbacks -= {task}

    loop = life.loop or current_loop() or asyncio.get_running_loop()
    task = loop.create_task(portal.enter(call()))
    life.callbacks |= {task}
    return task
