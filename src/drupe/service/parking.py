"""Parking: what waits, or is paused, is given back to the store after a short while, where it costs nobody anything.

It is for workers, who hold no process that somebody else has in his hands. A parent is parked before its children: as long as
it is here, it may be waiting for the object of a child. Nothing is written of the process but that nobody holds it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from drupe.core.control import Posture
from drupe.core.lifecycle import TERMINAL
from drupe.core.record import Fence, Rest
from drupe.engine.behaviour import Behaviour, Created
from drupe.errors import ClosedError, FencedError, StoreError
from drupe.runtime.clock import tick
from drupe.service.recovery import StoredRecovery
from drupe.service.stored import StoredHost, Tenure

_LOG: Final = logging.getLogger("drupe.service")

AFTER: Final = 1.0
"""Seconds that a process waits, or is paused, before it is parked."""
_TOGETHER: Final = 256
"""So many are parked at the same time: they share commits."""


_WANTED: Final = 0.05
"""Seconds that one is let be at least that could not be parked, since it is wanted; twice as long each time. It has to get to
look why, which takes a read of the store: one that is taken away again and again before would wait for ever."""


class _Seen(NamedTuple):
    seq: int
    stage: Behaviour
    since: float
    after: float


class Parking:
    """Parks the processes of one host.

    Args:
        host: who holds them.
        recovery: brings them back.
        after: seconds that one waits first.
        timed: is called when one was parked for a time.
    """

    def __init__(
        self,
        host: StoredHost,
        recovery: StoredRecovery,
        *,
        after: float = AFTER,
        timed: Callable[[], None] = lambda: None,
    ) -> None:
        self._host = host
        self._recovery = recovery
        self._after = after
        self._timed = timed
        self._seen: dict[str, _Seen] = {}

    async def look(self) -> int:
        """Park what has waited long enough; get how many those were."""
        number = 0
        while ripe := self._ripe():
            parked = 0
            for first in range(0, len(ripe), _TOGETHER):
                parked += sum(await asyncio.gather(*map(self._park, ripe[first : first + _TOGETHER])))
            number += parked
            if not parked:
                break
        return number

    def _ripe(self) -> list[Any]:
        """Get those that are to be parked now; of a family those that are above."""
        now, host = tick(), self._host
        idle = {} if host.stopping else {pid: process for pid, process in host.live.items() if is_idle(process)}
        # One that was idle and is not at this moment may have been begun again because it is wanted: that is not forgotten.
        seen = self._seen = {
            pid: self._since(process, now) for pid, process in host.live.items() if pid in idle or pid in self._seen
        }
        return [
            process
            for pid, process in idle.items()
            if now - seen[pid].since >= seen[pid].after and host.at_hand(process.parent) is None
        ]

    def _since(self, process: Any, now: float) -> _Seen:
        seq, stage = process._life.tenure.seq, process.stage
        seen = self._seen.get(process.pid)
        return seen if seen is not None and seen[:2] == (seq, stage) else _Seen(seq, stage, now, self._after)

    def _let_be(self, pid: str) -> None:
        if (seen := self._seen.get(pid)) is not None:
            self._seen[pid] = seen._replace(since=tick(), after=max(2 * seen.after, _WANTED))

    async def _park(self, process: Any) -> bool:
        pid, life, host = process.pid, process._life, self._host
        async with self._recovery.taking(pid):
            if host.at_hand(pid) is not process or not is_idle(process):
                return False
            rest, tenure = rest_of(process), life.tenure
            del host.live[pid]  # from now on nobody here changes it
            if life.task is not None:
                await _cancelled(life.task)
            try:
                parked = await self._given_back(process, tenure, rest)
            except FencedError:
                life.abandon(await host.loss(process))
                return True
            except StoreError as error:
                _LOG.warning("process %s could not be parked: %s", pid, error)
                parked = False
            if parked:
                life.abandon(ClosedError(f"process {pid} is parked: it goes on where it is woken"))
                life.stage = Created(None)  # a step that it names leads back here: what is parked is freed at once
                if rest.wake_at is not None:
                    self._timed()
            else:
                self._let_be(pid)
                host.live[pid] = process
                host.start(process)
            return parked

    async def _given_back(self, process: Any, tenure: Tenure, rest: Rest) -> bool:
        fence = Fence(process.pid, tenure.epoch)
        if process._life.posture is not Posture.HELD:
            return await self._host.store.park(fence, rest)
        await self._host.store.release(fence)  # whoever plays it has it looked at
        return True


async def _cancelled(task: "asyncio.Task[Any]") -> None:
    """Cancel a task, and have it let go of its cancellation, which leads back to it: what is parked is freed at once."""
    task.cancel()
    await asyncio.wait([task])
    with contextlib.suppress(asyncio.CancelledError):
        task.exception()


def is_idle(process: Any) -> bool:
    """Tell whether all that a process does is to wait for what its store will know of, or to be played."""
    life = process._life
    if life.lost is not None or process.state in TERMINAL or not life.born or life.halted:
        return False
    if life.callbacks or life.action is not None or life.settling is not None:
        return False
    if any(not pursuit.answered for pursuit in life.tenure.orders.values()):
        return False
    stage = life.stage
    if stage.volatile:
        return False
    if life.driver is None or life.driver is not life.task:  # somebody else has it in his hands
        return False
    return life.posture is Posture.HELD or (life.posture is Posture.FREE and stage.idle and not stage.over)


def rest_of(process: Any) -> Rest:
    """Get what wakes a process that waits."""
    stage = process.stage
    return Rest(signal=stage.listening, children=tuple(sorted(stage.unseen)), wake_at=stage.wake_at)
