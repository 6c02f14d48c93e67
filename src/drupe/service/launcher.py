"""The worker's side of launching: what comes as a task becomes a process here, once.

A task is acknowledged when the process it asks for is in the store and owned here: from then on the store keeps what
the message was for. One that comes again finds its process and makes no other. A class is looked up among those that
are registered here. Nothing is imported because a message says so.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from drupe.core.attributes import AttributeMap
from drupe.core.codec import CODEC
from drupe.core.lifecycle import TERMINAL
from drupe.core.message import ContinueRequest, ExecuteRequest, LaunchRequest, Request, read_request
from drupe.core.record import Latest
from drupe.engine.registry import kind_of
from drupe.errors import (
    CommunicationError,
    CorruptedError,
    DefinitionError,
    DuplicateProcessError,
    FencedError,
    MessageError,
    OwnedError,
    SnapshotError,
    StoreUnavailableError,
    TaskRejectedError,
    UnknownClassError,
    UnknownProcessError,
)
from drupe.interfaces.communicator import IncomingTask
from drupe.interfaces.registry import Registry
from drupe.service.queueing import withdraw
from drupe.service.runner import Runner
from drupe.service.slots import Slots

_LOG: Final = logging.getLogger("drupe.service")

_UNFIT: Final = (CorruptedError, DefinitionError, SnapshotError, UnknownClassError)
"""What keeps a process from being run here, whoever asks for it and however often."""
_PATIENCE: Final = 5.0
"""Seconds that an acknowledgement may take, before its process is run without."""


class Launcher:
    """A subscriber to a queue of tasks, on the loop of a runner.

    What it is asked for and cannot do is an error of whoever asked: of a class that is not registered, inputs that do
    not fit, a pid that another process has, a process that is not there.

    Args:
        runner: runs what is launched.
        registry: the classes that may be.
        slots: how many at a time; each call lasts as long as its process takes one.
        more: called when it is asked to go on with a process: there may be others that nobody told of.
    """

    def __init__(
        self, runner: Runner, registry: Registry, slots: Slots, *, more: Callable[[], None] = lambda: None
    ) -> None:
        self._runner = runner
        self._more = more
        self._registry = registry
        self._slots = slots

    async def __call__(self, task: IncomingTask) -> None:
        """Do what a task asks for, and reply with the pid and the state of its process.

        Raises:
            TaskRejectedError: others shall have it; nothing was done.
            DrupeError: it cannot be done, and nothing was.
        """
        request = read_request(task.body)
        async with self._slots.reserved():
            try:
                pid, process = await self._bring(request, task.id)
            except (StoreUnavailableError, FencedError) as error:
                raise TaskRejectedError(f"it cannot be done here now: {error}") from error
            try:
                await self._answer(task, pid, process)
            finally:  # it is held here, so nobody else will run it
                await self._start(process)
        if process is not None:
            await self._slots.given_up(process)

    async def _bring(self, request: Request, id: str) -> tuple[str, Any]:
        """Get the pid, and the process if it is owned here now."""
        match request:
            case LaunchRequest() | ExecuteRequest():
                pid = request.pid or id  # the same when the task comes again
                return pid, await self._created(pid, request.kind, request.inputs)
            case ContinueRequest(pid=pid):
                self._more()
                return pid, await self._taken_over(pid)
            case _:
                raise MessageError(f"{type(request).__name__}: that is asked of a process, not of a queue")

    async def _created(self, pid: str, kind: str, inputs: Mapping[str, Any]) -> Any:
        try:
            process_class = self._registry.find(kind)
            latest = await self._found(pid, process_class, inputs)
            if latest is None:
                try:
                    return await self._runner.create(process_class, inputs, pid=pid)
                except DuplicateProcessError:  # it came into being meanwhile
                    if (latest := await self._found(pid, process_class, inputs)) is None:
                        raise
            return await self._taken_over(pid, latest)
        except _UNFIT:
            await self._withdraw(pid, kind)
            raise

    async def _found(self, pid: str, process_class: Any, inputs: Mapping[str, Any]) -> Latest | None:
        """Get what was asked for, if it is there.

        Raises:
            DuplicateProcessError: another process has the pid.
        """
        try:
            latest = await self._runner.store.latest(pid)
        except UnknownProcessError:
            return None
        if latest.record.kind == kind_of(process_class) and _agree(
            inputs, process_class.spec().restore_inputs(CODEC.decode(latest.inputs))
        ):
            return latest
        given = f"class {latest.record.kind}" if latest.record.kind != kind_of(process_class) else "other inputs"
        raise DuplicateProcessError(f"there is another process {pid} already, of {given}")

    async def _withdraw(self, pid: str, kind: str) -> None:
        """Delete what cannot be run here and was never run: nothing was created, as whoever asked is told."""
        with contextlib.suppress(UnknownProcessError):
            if (await self._runner.store.record(pid)).kind == kind:
                await withdraw(self._runner.store, pid)

    async def _taken_over(self, pid: str, latest: Latest | None = None) -> Any:
        try:
            return await self._runner.take_over(pid, latest=latest)
        except OwnedError as error:  # it goes on where it is
            _LOG.debug("%s", error)
            return None

    async def _answer(self, task: IncomingTask, pid: str, process: Any) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):  # a broker that is being restarted may never say
                state = (await self._runner.store.record(pid) if process is None else process).state
                await task.reply({"pid": pid, "state": state.value})
        except (CommunicationError, TimeoutError) as error:  # whoever gets the task next finds the process
            _LOG.info("the task for process %s was done and could not be acknowledged: %s", pid, error)

    async def _start(self, process: Any) -> None:
        if process is None or process.state in TERMINAL:
            return
        if process._life.tenure.epoch > 1 or process._life.generation:
            await self._runner.resume(process.pid)  # with what came from it before
        else:
            self._runner.start(process)


def _agree(given: Mapping[str, Any], stored: Mapping[str, Any]) -> bool:
    """Tell whether inputs that were given are among the stored ones, which are complete with defaults.

    A default may be another one each time it is computed, so it must not be compared.
    """
    return all(name in stored and _same(value, stored[name]) for name, value in given.items())


def _same(given: Any, stored: Any) -> bool:
    if isinstance(stored, AttributeMap) and isinstance(given, Mapping):  # a namespace
        return _agree(given, stored)
    return CODEC.encode(given) == CODEC.encode(stored)
