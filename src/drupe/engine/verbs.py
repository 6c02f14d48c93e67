"""Pause, play, kill and fail, as they act on one process.

What a verb means in which posture is the table of `core.control`; here is how its effects are carried
out. An ephemeral process is changed on the spot. A durable one is changed only with the commit, so
each effect is a small task, one after the other, and whoever asked gets an action to wait for.
"""

import asyncio
from typing import Any, cast

from drupe.core.command import Kill
from drupe.core.control import DEAD, RULES, Answer, Effect, Posture, Verb
from drupe.core.failure import legible
from drupe.core.lifecycle import State, Trigger
from drupe.engine.action import ControlAction, settled
from drupe.engine.life import Life
from drupe.errors import InvalidStateError, StoreError
from drupe.interfaces.host import Standing
from drupe.runtime.bridge import current_loop


def ask(life: Life, process: Any, verb: Verb, reason: str | None = None) -> bool | ControlAction:
    """Ask for a verb.

    Returns:
        In an ephemeral process True or False when it is decided at once, else an action. In a durable one
        always an action.
    """
    check_created(life)
    reason = reason and legible(reason)  # what somebody says from outside must not be what a process ends by
    if life.settling is not None:
        return _ask_after(life.settling, life, process, verb, reason)
    rule = RULES[life.posture][verb]
    if rule.effect is not Effect.NOTHING:
        life.reason = reason
        if not life.host.durable:
            _finish_now(_carry_out(life, process, rule.effect, rule.posture))
            return life.state is not State.EXCEPTED  # a hook may have refused
        action = _begin(life, process, rule.effect, rule.posture)
        life.latest = verb, action
        return action
    if rule.posture is not life.posture:
        life.settle_action(happened=False, why=_OVERTAKEN.get(verb))
        life.posture = rule.posture
    if rule.answer is Answer.LATER:
        life.reason = reason
        life.stage.interrupt(verb)
        if life.action is None:
            life.action = _action(life, process)
        return life.action
    happened = rule.answer is Answer.YES
    if not life.host.durable:
        return happened
    return settled(loop_of(life), happened=happened, why=None if happened else _refusal(life))


_OVERTAKEN = {Verb.PLAY: "a play took it back", Verb.KILL: "a kill overtook it"}


def _refusal(life: Life) -> str:
    return f"the process is {life.state}" if life.posture in DEAD else "the process is about to be killed"


def fail(life: Life, process: Any, error: BaseException) -> None:
    """End the process as EXCEPTED by ``error``: at once, or when the running step ends."""
    if life.posture in DEAD:
        return
    check_created(life)
    life.failing = error
    if life.posture in (Posture.FREE, Posture.HELD) and life.settling is None:
        if life.host.durable:
            life.posture = Posture.BUSY
            _in_background(life, settle(life, process))
        else:
            _finish_now(settle(life, process))


def check_created(life: Life) -> None:
    """Refuse to steer a process that is not there yet.

    Raises:
        InvalidStateError: the step that makes it has not ended.
    """
    if not life.born:
        raise InvalidStateError(f"process {life.pid} is not created yet: it will be with the step that makes it")


async def settle(life: Life, process: Any) -> None:
    """Carry out what was asked for while the process was busy; what is asked for meanwhile comes after."""
    if life.host.durable and life.settling is None and (life.failing is not None or life.posture in _PENDING):
        # In a task of its own: cancelling the one that takes the steps must not tear a commit that is on its way.
        await asyncio.shield(_in_background(life, _settle(life, process)))
    else:
        await _settle(life, process)


async def _settle(life: Life, process: Any) -> None:
    while life.posture not in DEAD and (life.failing is not None or life.posture in _PENDING):
        if life.failing is not None:
            error, life.failing = life.failing, None
            life.posture = Posture.BUSY
            await life.move(process, Trigger.FAIL, error)
        else:
            rule = RULES[life.posture][Verb.END]
            life.posture = Posture.BUSY
            await _carry_out(life, process, rule.effect, rule.posture)
    if life.posture is Posture.BUSY:
        life.posture = Posture.FREE
    life.nudge()


_PENDING = (Posture.PAUSING, Posture.KILLING)


async def _carry_out(life: Life, process: Any, effect: Effect, posture: Posture) -> None:
    match effect:
        case Effect.HOLD:
            await _hold(life, process, posture)
        case Effect.RELEASE:
            await _release(life, process, posture)
        case Effect.KILL:
            await life.move(process, Trigger.KILL, Kill(life.reason))
        case Effect.NOTHING:
            life.posture = posture
    life.nudge()


async def _hold(life: Life, process: Any, posture: Posture) -> None:
    shown, reason = life.standing.status, life.reason
    standing = Standing(paused=True, status=shown if reason is None else reason, before=shown)
    if await _stand(life, process, standing, "paused", posture):
        life.after_hook(process, process.on_paused, reason)
        life.tell(process, "on_process_paused")


async def _release(life: Life, process: Any, posture: Posture) -> None:
    if await _stand(life, process, Standing(status=life.standing.before), "played", posture):
        life.after_hook(process, process.on_playing)
        life.tell(process, "on_process_played")


async def _stand(life: Life, process: Any, standing: Standing, event: str, posture: Posture) -> bool:
    """Commit that the process stands so; False if that failed and ended it."""
    try:
        if standing.paused:
            process.on_pausing(life.reason)
        pending = life.host.commit(process, life.stage, standing, event)
        if pending is not None:
            await pending
    except Exception as error:  # noqa: BLE001 (sorted out there)
        await life.fail(process, error)
        return False
    life.standing, life.posture = standing, posture
    life.settle_action(happened=True)
    return True


# --- actions -----------------------------------------------------------------------------------------------


def loop_of(life: Life) -> asyncio.AbstractEventLoop:
    """Get the loop on which a process is steered."""
    return life.loop or current_loop() or asyncio.get_running_loop()


def _action(life: Life, process: Any) -> ControlAction:
    def take_back(action: ControlAction) -> bool:
        if life.action is not action:
            return False
        rule = RULES[life.posture][Verb.CANCEL]
        if rule.answer is not Answer.YES:
            return False
        life.posture, life.action = rule.posture, None
        return True

    return ControlAction(loop_of(life), take_back)


# --- durable effects ---------------------------------------------------------------------------------------


def _begin(life: Life, process: Any, effect: Effect, posture: Posture) -> ControlAction:
    """Start the commit of an effect on a process that is not busy; the action is settled with it."""
    action = life.action = _action(life, process)
    _before, life.posture = life.posture, Posture.BUSY

    async def carry_out_and_settle() -> None:
        try:
            await life.mend(process)  # what the commit keeps is not what a step left behind half-done
            await _carry_out(life, process, effect, posture)
            await settle(life, process)
        except StoreError:
            if life.posture not in DEAD:
                life.posture = _before
            raise

    _in_background(life, carry_out_and_settle())
    return action


def _in_background(life: Life, coro: Any) -> "asyncio.Task[None]":
    task: asyncio.Task[None] = loop_of(life).create_task(coro)
    life.settling, life.latest = task, None

    def over(task: "asyncio.Task[None]") -> None:
        life.settling = None
        if not task.cancelled() and task.exception() is not None:
            life.abandon(task.exception())  # type: ignore[arg-type]  # it is not None
        life.nudge()

    task.add_done_callback(over)
    return task


def _ask_after(
    settling: "asyncio.Future[None]", life: Life, process: Any, verb: Verb, reason: str | None
) -> ControlAction:
    """Ask once a durable effect that is on its way is committed: one comes after the other, and asking twice is asking once."""
    if life.latest is not None and life.latest[0] is verb and not life.latest[1].done():
        return life.latest[1]
    action = ControlAction(loop_of(life), lambda _: True)

    def go_on(_: object) -> None:
        if not action.done():
            action.follow(cast("ControlAction", ask(life, process, verb, reason)))  # this process is durable

    settling.add_done_callback(go_on)
    life.latest = verb, action
    return action


def _finish_now(coro: Any) -> None:
    """Run a coroutine that never has to wait, since its host is done at once."""
    try:
        coro.send(None)
    except StopIteration:
        return
    coro.close()
    raise AssertionError("an ephemeral host made a verb wait")
