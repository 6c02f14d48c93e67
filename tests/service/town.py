"""Runners and controllers of one store, which find each other by messages, by looking, or by both."""

import asyncio
import contextlib

from drupe.engine.listener import ProcessListener
from drupe.errors import CommunicatorClosedError
from drupe.messaging.memory import MemoryCommunicator, MemoryHub
from drupe.service.controller import Controller
from drupe.service.desk import Desk
from drupe.service.runner import Runner
from drupe.storage.memory import MemoryStore
from drupe.storage.memory_state import MemoryState
from drupe.storage.sqlite import SqliteStore
from drupe.testing.clock import ManualClock

QUICKLY = 0.005


class Telling(ProcessListener):
    """Broadcasts that a process has changed, as a worker does."""

    def __init__(self, communicator):
        self._communicator = communicator
        self._tasks = set()

    def _tell(self, process, *_):
        task = asyncio.get_running_loop().create_task(self._send(process.pid))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, pid):
        with contextlib.suppress(CommunicatorClosedError):
            await self._communicator.broadcast_send(sender=pid, subject="state_changed.x.y")

    on_process_paused = on_process_finished = on_process_killed = on_process_excepted = on_process_waiting = _tell


class Town:
    """Runners and controllers of one store, with or without messages between them."""

    def __init__(self, place, *, messages, polls):
        self.place = place
        self.poll = QUICKLY if polls else None
        self.messages = messages
        self.clock = ManualClock()
        self.stack = contextlib.AsyncExitStack()
        self.hub = None

    async def store(self):
        store = self.place(clock=self.clock)
        await store.open()
        self.stack.push_async_callback(store.close)
        return store

    async def communicator(self):
        if not self.messages:
            return None
        if self.hub is None:
            self.hub = MemoryHub((await self.store()).tasks)
        communicator = MemoryCommunicator(self.hub)
        await communicator.open()
        self.stack.push_async_callback(communicator.close)
        return communicator

    async def runner(self, **given):
        runner = Runner(self.place(clock=self.clock), poll=self.poll, clock=self.clock, **given)
        await self.stack.enter_async_context(runner)
        communicator = await self.communicator()
        if communicator is not None:
            await communicator.subscribe_rpc(Desk(runner.attend, runner.account), runner.owner)
            runner.add_listener(Telling(communicator))
        return runner

    async def controller(self, **given):
        controller = Controller(
            await self.store(), await self.communicator(), poll=self.poll, clock=self.clock, **given
        )
        return await self.stack.enter_async_context(controller)


def a_place(kind, folder):
    """Get what makes stores on the same data."""
    state = MemoryState()
    if kind == "memory":
        return lambda **given: MemoryStore(state, **given)
    return lambda **given: SqliteStore(folder / "store.db", durability="process", **given)
