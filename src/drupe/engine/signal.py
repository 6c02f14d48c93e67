"""Sending a signal to a process that is at hand.

What becomes of it is the host's: one that keeps nothing holds it in memory until it is taken, one that keeps
everything has it in the store, where whoever runs the process next finds it too.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any

from drupe.core.lifecycle import TERMINAL
from drupe.engine.action import ControlAction, settled
from drupe.engine.life import Life
from drupe.engine.verbs import check_created, loop_of


def send(life: Life, process: Any, name: str, payload: Any) -> bool | ControlAction:
    """Send a signal; see `Process.signal`."""
    check_created(life)
    if life.state in TERMINAL:
        return settled(loop_of(life), happened=False) if life.host.durable else False
    kept = life.host.signal(process, name, payload)
    if kept is None:
        return True
    action = ControlAction(loop_of(life), lambda _: False)
    action.echo(_sending(life, kept))
    return action


def _sending(life: Life, kept: Awaitable[bool]) -> asyncio.Task[bool]:
    async def send() -> bool:
        try:
            return await kept
        finally:
            life.callbacks -= {task}

    task = loop_of(life).create_task(send())
    life.callbacks |= {task}
    return task
