"""The caller's side of launching: a task for whichever worker takes it, and a handle of what becomes of it.

The pid is chosen here. So what was asked for is known before anybody has answered, asking twice makes one process, and
no half of it can be lost: once the queue has the task, a worker will do all of it. Where the class is at hand, the process
is in the store before its task is in the queue, so that it can be looked at, paused and killed while it waits there.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from drupe import errors
from drupe.core.lifecycle import TERMINAL, State
from drupe.core.message import ContinueRequest, ExecuteRequest, LaunchRequest, request_body
from drupe.core.record import Record
from drupe.engine.process import Process
from drupe.engine.registry import kind_of
from drupe.errors import (
    CommunicationError,
    DrupeError,
    RemoteError,
    UnknownClassError,
    UnknownProcessError,
)
from drupe.interfaces.ambient import Ids
from drupe.interfaces.communicator import DEADLINE, DEFAULT_QUEUE, Communicator, TaskReceipt
from drupe.interfaces.registry import Registry
from drupe.interfaces.store import Store
from drupe.service.deadline import within
from drupe.service.news import News
from drupe.service.queueing import Queueing, withdraw

_REFUSALS: Final = (
    errors.ClassPathError,
    errors.CorruptedError,
    errors.DefinitionError,
    errors.DuplicateProcessError,
    errors.InputError,
    errors.NewerVersionError,
    errors.SnapshotError,
    errors.TooLargeError,
    errors.UnknownClassError,
    errors.UnknownProcessError,
    errors.UpcastError,
)
"""What a worker may say to a request, and what its caller gets to see as the same error."""


class Launch:
    """Something that a worker was asked to run.

    Attributes:
        pid: the process.
    """

    def __init__(
        self,
        pid: str,
        receipt: TaskReceipt,
        *,
        store: Store,
        news: News,
        done: Callable[[Record], bool],
        wait: Callable[[str], Awaitable[Any]],
    ) -> None:
        self.pid = pid
        self._receipt = receipt
        self._store = store
        self._news = news
        self._done = done
        self._wait = wait

    async def taken(self, *, deadline: float | None = DEADLINE) -> None:
        """Wait until a worker runs it, which the reply of that worker says as well as the store.

        Raises:
            InputError: the inputs do not fit; nothing was created.
            UnknownClassError: the worker has no such class.
            DuplicateProcessError: another process has the pid.
            UnknownProcessError: there is no process to go on with.
            RemoteError: the worker failed in another way.
            DeadlineError: nobody has taken it so far. It stays in the queue, and waiting again is allowed.
        """
        async with within(deadline, f"no worker has taken process {self.pid}"):
            loop = asyncio.get_running_loop()
            reply, seen = loop.create_task(self._receipt.result(deadline=None)), loop.create_task(self._seen())
            try:
                await asyncio.wait([reply, seen], return_when=asyncio.FIRST_COMPLETED)
                (reply if reply.done() else seen).result()
            except RemoteError as error:
                raise _told(error) from error
            finally:
                reply.cancel()
                seen.cancel()
                await asyncio.gather(reply, seen, return_exceptions=True)

    async def result(self, *, deadline: float | None = DEADLINE) -> Any:
        """Wait for the outputs.

        Raises:
            KilledError: it was killed.
            ExceptedError: it ended by an exception.
            DrupeError: as in `taken`.
        """
        async with within(deadline, f"process {self.pid} has not ended"):
            await self.taken(deadline=None)
            return await self._wait(self.pid)

    async def _seen(self) -> None:
        """Return when the store says it: no reply comes from where no message does, and one may be lost."""
        # By both: it may be gone on with without anybody's having been asked.
        await self._news.until(self._receipt.id, self._is_done, also=(self.pid,), answered=True)

    async def _is_done(self) -> bool | None:
        try:
            record = await self._store.record(self.pid)
        except UnknownProcessError:
            return None
        return self._done(record) or None


class Launching:
    """Asks workers to run processes.

    Args:
        communicator: where they listen; open. None: nobody can be asked.
        store: where they keep their processes; open.
        registry: the classes that are at hand here.
        ids: makes pids.
        queueing: puts a process in the store for whoever takes its task.
        news: tells when there is something new about a process, or a task.
        wait: waits for the outputs of a process.
    """

    def __init__(  # noqa: PLR0913 (each is a part of its own)
        self,
        communicator: Communicator | None,
        store: Store,
        *,
        registry: Registry,
        ids: Ids,
        queueing: Queueing,
        news: News,
        wait: Callable[[str], Awaitable[Any]],
    ) -> None:
        self._communicator = communicator
        self._store = store
        self._news = news
        self._queueing = queueing
        self._registry = registry
        self._ids = ids
        self._wait = wait

    async def launch(
        self,
        process_class: type[Process] | str,
        inputs: Mapping[str, Any] | None = None,
        *,
        pid: str | None = None,
        queue: str = DEFAULT_QUEUE,
    ) -> Launch:
        """Have a worker run a new process; returns when the queue has the task.

        Args:
            process_class: the class, or its identifier ``module:QualName``, which need not be at hand here. If it is, the process
                is created here, and can be looked at, paused, played and killed before a worker has it; else by the worker.
            inputs: its inputs; checked where it is created, with the same error.
            pid: the pid it is to have, by default a new one. Asking again with the same class, inputs and pid is asking once.
            queue: whose workers.

        Raises:
            InputError: the inputs do not fit; nothing was created, nor asked for; likewise with the following.
            MessageError: class or pid are not what a worker would take, or the inputs are too large for a message.
            UnsavableError: an input could not be read again; names the path.
            Exception: what `on_create` of the class raised.
            CommunicationError: there is no way to a worker.
            StoreError: it could not be written.
        """
        pid = pid or self._ids.pid()
        request = LaunchRequest(kind=_kind(process_class), inputs=dict(inputs or {}), pid=pid)
        return await self._queued(request, pid, process_class, queue)

    async def execute(
        self,
        process_class: type[Process] | str,
        inputs: Mapping[str, Any] | None = None,
        *,
        pid: str | None = None,
        queue: str = DEFAULT_QUEUE,
        deadline: float | None = DEADLINE,
    ) -> Any:
        """Have a worker run a new process, and get its outputs.

        Whatever becomes of the caller once the queue has the task, it is run.

        Raises:
            DeadlineError: it has not ended so far; it goes on, and its pid is in the text.
            DrupeError: as in `launch`, `Launch.taken` and `Launch.result`.
        """
        pid = pid or self._ids.pid()
        request = ExecuteRequest(kind=_kind(process_class), inputs=dict(inputs or {}), pid=pid)
        launch = await self._queued(request, pid, process_class, queue)
        return await launch.result(deadline=deadline)

    async def continue_(self, pid: str, *, queue: str = DEFAULT_QUEUE) -> Launch:
        """Have a worker go on with a process, if nobody runs it; one that has ended stays as it is."""
        return await self._sent(
            request_body(ContinueRequest(pid=pid)),
            pid,
            queue,
            lambda row: row.owner is not None or row.state in TERMINAL,
        )

    async def _queued(
        self, request: LaunchRequest | ExecuteRequest, pid: str, process_class: type[Process] | str, queue: str
    ) -> Launch:
        known = self._class(process_class) if isinstance(process_class, str) else process_class
        if known is not None:
            known.spec().prepare_inputs(request.inputs)  # what does not fit says so, before whether it can be sent
        body = request_body(request)
        self._reach()
        new = known is not None and await self._queueing.put(known, request.inputs, pid=pid, queue=queue)
        try:
            return await self._sent(body, pid, queue, _is_taken)
        except DrupeError:
            if new:
                await withdraw(self._store, pid)
            raise

    def _class(self, kind: str) -> type[Process] | None:
        try:
            return self._registry.find(kind)
        except UnknownClassError:
            return None

    def _reach(self) -> Communicator:
        if self._communicator is None:
            raise CommunicationError("workers are asked through a communicator, and this controller was given none")
        return self._communicator

    async def _sent(self, body: dict[str, Any], pid: str, queue: str, done: Callable[[Record], bool]) -> Launch:
        receipt = await self._reach().task_send(body, queue=queue)
        return Launch(pid, receipt, store=self._store, news=self._news, done=done, wait=self._wait)


def _kind(process_class: type[Process] | str) -> str:
    return process_class if isinstance(process_class, str) else kind_of(process_class)


def _is_taken(row: Record) -> bool:
    """Whether somebody has a process that was launched, or it was begun, or ended without."""
    return row.owner is not None or row.state is not State.CREATED


def _told(error: RemoteError) -> DrupeError:
    """Get what a worker said as the error that it said."""
    for kind in _REFUSALS:
        if error.kind == f"{kind.__module__}.{kind.__qualname__}":
            return kind(error.message)
    return error
