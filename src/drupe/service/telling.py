"""Telling owners and workers that there is something to do, and everybody what was done here.

Nothing depends on it: what gets lost is found by looking.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from drupe.core import announcement
from drupe.core.lifecycle import TERMINAL
from drupe.core.message import ContinueRequest, LookRequest, request_body
from drupe.core.record import Change, Record
from drupe.errors import CommunicationError
from drupe.interfaces.communicator import DEFAULT_QUEUE, Communicator
from drupe.service.summons import Summons

_LOG: Final = logging.getLogger("drupe.service")

_TASKS: Final = 8
"""So many processes at most are told of to workers at the same time."""
_FAREWELL: Final = 1.0
"""Seconds that hints which are on their way have in the end."""


class Telling:
    """Sends hints in the background of one loop.

    Args:
        communicator: how; open. None sends none.
        told: called with the pid of a process when its owner has looked, or cannot be told.
    """

    def __init__(self, communicator: Communicator | None, told: Callable[[str], None]) -> None:
        self._communicator = communicator
        self._told = told
        self._summons = Summons(communicator)
        self._tasks: set[asyncio.Task[None]] = set()
        self._going_on = 0
        """How many are telling workers to go on."""
        self._left_over: dict[str, str] = {}
        """Of each queue the last process of those that came meanwhile: the next ones to tell of."""

    async def close(self) -> None:
        """Let what is on its way arrive, if it does so soon."""
        await self._summons.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_FAREWELL)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def look(self, rows: Sequence[Record]) -> None:
        """Tell the owners of processes to look: for one of them, or for all that they hold."""
        by_owner: dict[str, list[str]] = {}
        for row in rows:
            if row.owner is not None:
                by_owner.setdefault(row.owner, []).append(row.pid)
        if self._communicator is not None:
            for owner, pids in by_owner.items():
                self._send(self._look(self._communicator, owner, pids))

    def go_on(self, rows: Sequence[Record]) -> None:
        """Have workers go on with what nobody holds.

        A worker that is told of one looks for the others itself. So of many that come together only a few are told of, and
        of those that come meanwhile the last: each takes a task that is kept, taken and settled.
        """
        for row in rows:
            if self._communicator is None or row.owner is not None or row.state in TERMINAL:
                continue
            if self._going_on < _TASKS:
                self._going_on += 1
                self._send(self._go_on(self._communicator, row.queue or DEFAULT_QUEUE, row.pid))
            else:
                self._left_over[row.queue or DEFAULT_QUEUE] = row.pid

    def changed(self, change: Change, kind: str) -> None:
        """Tell everybody of a change that was made here to a process of the class ``kind``; an end may have woken its parent."""
        if change.terminal:
            self._summons.send()
        if self._communicator is not None:
            self._send(self._changed(self._communicator, change, kind))

    def _send(self, hint: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(hint)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look(self, communicator: Communicator, owner: str, pids: list[str]) -> None:
        request = LookRequest(pid=pids[0] if len(pids) == 1 else None)
        try:
            await communicator.rpc_send(owner, request_body(request))
        except CommunicationError as error:
            _LOG.debug("%s was not told to look: %s", owner, error)
        finally:
            for pid in pids:
                self._told(pid)

    async def _go_on(self, communicator: Communicator, queue: str, pid: str) -> None:
        going: tuple[str, str] | None = queue, pid
        try:
            while going is not None:
                queue, pid = going
                try:
                    await communicator.task_send(request_body(ContinueRequest(pid=pid)), queue=queue, no_reply=True)
                except CommunicationError as error:
                    _LOG.debug("no worker was told to go on with process %s: %s", pid, error)
                going = self._left_over.popitem() if self._left_over else None
        finally:
            self._going_on -= 1

    async def _changed(self, communicator: Communicator, change: Change, kind: str) -> None:
        subject = announcement.subject(change.was, change.state)
        body = announcement.of_change(change, kind).as_body()
        try:
            await communicator.broadcast_send(body, sender=change.pid, subject=subject)
        except CommunicationError as error:
            _LOG.debug("nobody was told of process %s: %s", change.pid, error)
