"""Steering processes by messages: their forms, who sends them, and who makes processes out of tasks."""

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import kiwipy

from drupe.runtime import bridge
from plumpy import communications, futures, loaders, persistence
from plumpy.utils import PID_TYPE

if TYPE_CHECKING:
    from plumpy.processes import Process

__all__ = [
    "MessageBuilder",
    "ProcessLauncher",
    "RemoteProcessController",
    "RemoteProcessThreadController",
    "create_continue_body",
    "create_launch_body",
]

ProcessResult = Any
ProcessStatus = Any
MessageType = dict[str, Any]

INTENT_KEY = "intent"
MESSAGE_TEXT_KEY = "message"
FORCE_KILL_KEY = "force_kill"

TASK_KEY = "task"
TASK_ARGS = "args"
PERSIST_KEY = "persist"
PROCESS_CLASS_KEY = "process_class"
ARGS_KEY = "init_args"
KWARGS_KEY = "init_kwargs"
NOWAIT_KEY = "nowait"
PID_KEY = "pid"
TAG_KEY = "tag"
LAUNCH_TASK = "launch"
CONTINUE_TASK = "continue"
CREATE_TASK = "create"

LOGGER = logging.getLogger(__name__)


class Intent:
    """What a message to a process asks for; of one to all processes it is the subject."""

    PLAY: str = "play"
    PAUSE: str = "pause"
    KILL: str = "kill"
    STATUS: str = "status"


class MessageBuilder:
    """Makes the messages to a process."""

    @classmethod
    def play(cls, text: str | None = None) -> MessageType:
        """Get the message that has a process go on."""
        return {INTENT_KEY: Intent.PLAY, MESSAGE_TEXT_KEY: text}

    @classmethod
    def pause(cls, text: str | None = None) -> MessageType:
        """Get the message that pauses a process."""
        return {INTENT_KEY: Intent.PAUSE, MESSAGE_TEXT_KEY: text}

    @classmethod
    def kill(cls, text: str | None = None, force_kill: bool = False) -> MessageType:
        """Get the message that kills a process."""
        return {INTENT_KEY: Intent.KILL, MESSAGE_TEXT_KEY: text, FORCE_KILL_KEY: force_kill}

    @classmethod
    def status(cls, text: str | None = None) -> MessageType:
        """Get the message that asks a process what it does."""
        return {INTENT_KEY: Intent.STATUS, MESSAGE_TEXT_KEY: text}


def create_launch_body(
    process_class: Any,
    init_args: Sequence[Any] | None = None,
    init_kwargs: dict[str, Any] | None = None,
    persist: bool = False,
    loader: loaders.ObjectLoader | None = None,
    nowait: bool = True,
) -> dict[str, Any]:
    """Get the task that makes a process and runs it.

    Args:
        process_class: the class.
        init_args: arguments of its constructor.
        init_kwargs: named arguments of its constructor.
        persist: save it before it is run.
        loader: identifies the class.
        nowait: the answer is the process id, and does not wait for the outputs.
    """
    body = create_create_body(process_class, init_args, init_kwargs, persist, loader)
    body[TASK_KEY] = LAUNCH_TASK
    body[TASK_ARGS][NOWAIT_KEY] = nowait
    return body


def create_continue_body(pid: PID_TYPE, tag: str | None = None, nowait: bool = False) -> dict[str, Any]:
    """Get the task that loads a process and runs it.

    Args:
        pid: its id.
        tag: the tag of the checkpoint.
        nowait: the answer is the process id, and does not wait for the outputs.
    """
    return {TASK_KEY: CONTINUE_TASK, TASK_ARGS: {PID_KEY: pid, NOWAIT_KEY: nowait, TAG_KEY: tag}}


def create_create_body(
    process_class: Any,
    init_args: Sequence[Any] | None = None,
    init_kwargs: dict[str, Any] | None = None,
    persist: bool = False,
    loader: loaders.ObjectLoader | None = None,
) -> dict[str, Any]:
    """Get the task that makes a process; the arguments are those of `create_launch_body`."""
    if loader is None:
        loader = loaders.get_object_loader()
    return {
        TASK_KEY: CREATE_TASK,
        TASK_ARGS: {
            PROCESS_CLASS_KEY: loader.identify_object(process_class),
            PERSIST_KEY: persist,
            ARGS_KEY: init_args,
            KWARGS_KEY: init_kwargs,
        },
    }


class RemoteProcessController:
    """Steers processes by messages, from a loop.

    Args:
        communicator: sends them.
    """

    def __init__(self, communicator: kiwipy.Communicator) -> None:
        self._communicator: Any = communicator

    async def get_status(self, pid: PID_TYPE) -> ProcessStatus:
        """Ask a process what it does."""
        return await asyncio.wrap_future(self._communicator.rpc_send(pid, MessageBuilder.status()))

    async def pause_process(self, pid: PID_TYPE, msg_text: str | None = None) -> ProcessResult:
        """Pause a process; True when it is paused."""
        return await self._ask(pid, MessageBuilder.pause(text=msg_text))

    async def play_process(self, pid: PID_TYPE) -> ProcessResult:
        """Have a process go on; True when it does."""
        return await self._ask(pid, MessageBuilder.play())

    async def kill_process(self, pid: PID_TYPE, msg_text: str | None = None, force_kill: bool = False) -> ProcessResult:
        """Kill a process; True when it is killed."""
        return await self._ask(pid, MessageBuilder.kill(text=msg_text, force_kill=force_kill))

    async def continue_process(
        self, pid: PID_TYPE, tag: str | None = None, nowait: bool = False, no_reply: bool = False
    ) -> ProcessResult | None:
        """Have a process loaded and run; gets its outputs, its id if ``nowait``, or None if ``no_reply``."""
        return await self._have_done(create_continue_body(pid=pid, tag=tag, nowait=nowait), no_reply=no_reply)

    async def launch_process(
        self,
        process_class: Any,
        init_args: Sequence[Any] | None = None,
        init_kwargs: dict[str, Any] | None = None,
        persist: bool = False,
        loader: loaders.ObjectLoader | None = None,
        nowait: bool = False,
        no_reply: bool = False,
    ) -> ProcessResult:
        """Have a process made and run; gets its outputs, its id if ``nowait``, or None if ``no_reply``.

        The other arguments are those of `create_launch_body`.
        """
        body = create_launch_body(process_class, init_args, init_kwargs, persist, loader, nowait)
        return await self._have_done(body, no_reply=no_reply)

    async def execute_process(
        self,
        process_class: Any,
        init_args: Sequence[Any] | None = None,
        init_kwargs: dict[str, Any] | None = None,
        loader: loaders.ObjectLoader | None = None,
        nowait: bool = False,
        no_reply: bool = False,
    ) -> ProcessResult:
        """Have a process made and saved, then loaded and run: by whoever is there, so it outlives this program.

        The arguments are those of `launch_process`.
        """
        body = create_create_body(process_class, init_args, init_kwargs, persist=True, loader=loader)
        pid = await self._have_done(body)
        return await self._have_done(create_continue_body(pid, nowait=nowait), no_reply=no_reply)

    async def _ask(self, pid: PID_TYPE, msg: MessageType) -> ProcessResult:
        received = await asyncio.wrap_future(self._communicator.rpc_send(pid, msg))
        return await asyncio.wrap_future(received)  # what a verb answers is known when it has happened

    async def _have_done(self, body: dict[str, Any], *, no_reply: bool = False) -> ProcessResult:
        sending = self._communicator.task_send(body, no_reply=no_reply)
        if no_reply:
            return None
        return await asyncio.wrap_future(await asyncio.wrap_future(sending))


class RemoteProcessThreadController:
    """Steers processes by messages, from plain code. What it answers are futures between threads.

    Args:
        communicator: sends them.
    """

    def __init__(self, communicator: kiwipy.Communicator) -> None:
        self._communicator: Any = communicator

    def get_status(self, pid: PID_TYPE) -> Any:
        """Ask a process what it does."""
        return self._communicator.rpc_send(pid, MessageBuilder.status())

    def pause_process(self, pid: PID_TYPE, msg_text: str | None = None) -> Any:
        """Pause a process."""
        return self._communicator.rpc_send(pid, MessageBuilder.pause(text=msg_text))

    def pause_all(self, msg_text: str | None) -> None:
        """Pause all processes that listen to the communicator."""
        self._communicator.broadcast_send(MessageBuilder.pause(text=msg_text), subject=Intent.PAUSE)

    def play_process(self, pid: PID_TYPE) -> Any:
        """Have a process go on."""
        return self._communicator.rpc_send(pid, MessageBuilder.play())

    def play_all(self) -> None:
        """Have all processes go on that listen to the communicator."""
        self._communicator.broadcast_send(None, subject=Intent.PLAY)

    def kill_process(self, pid: PID_TYPE, msg_text: str | None = None, force_kill: bool = False) -> Any:
        """Kill a process."""
        return self._communicator.rpc_send(pid, MessageBuilder.kill(text=msg_text, force_kill=force_kill))

    def kill_all(self, msg_text: str | None) -> None:
        """Kill all processes that listen to the communicator."""
        self._communicator.broadcast_send(MessageBuilder.kill(msg_text), subject=Intent.KILL)

    def continue_process(
        self, pid: PID_TYPE, tag: str | None = None, nowait: bool = False, no_reply: bool = False
    ) -> Any:
        """Have a process loaded and run; the arguments are those of `RemoteProcessController.continue_process`."""
        return self.task_send(create_continue_body(pid=pid, tag=tag, nowait=nowait), no_reply=no_reply)

    def launch_process(
        self,
        process_class: Any,
        init_args: Sequence[Any] | None = None,
        init_kwargs: dict[str, Any] | None = None,
        persist: bool = False,
        loader: loaders.ObjectLoader | None = None,
        nowait: bool = False,
        no_reply: bool = False,
    ) -> Any:
        """Have a process made and run; the arguments are those of `RemoteProcessController.launch_process`."""
        body = create_launch_body(process_class, init_args, init_kwargs, persist, loader, nowait)
        return self.task_send(body, no_reply=no_reply)

    def execute_process(
        self,
        process_class: Any,
        init_args: Sequence[Any] | None = None,
        init_kwargs: dict[str, Any] | None = None,
        loader: loaders.ObjectLoader | None = None,
        nowait: bool = False,
        no_reply: bool = False,
    ) -> Any:
        """Have a process made and saved, then loaded and run; the arguments are those of `RemoteProcessController.execute_process`."""
        body = create_create_body(process_class, init_args, init_kwargs, persist=True, loader=loader)
        created = futures.unwrap_kiwi_future(self._communicator.task_send(body))
        executed: kiwipy.Future[Any] = kiwipy.Future()

        def go_on() -> None:
            with kiwipy.capture_exceptions(executed):
                continued = self.continue_process(created.result(), nowait=nowait, no_reply=no_reply)
                if no_reply:
                    executed.set_result(None)
                else:
                    kiwipy.chain(continued, executed)

        # The answer comes in the communicator's thread, where nothing can be sent and waited for.
        created.add_done_callback(lambda _: bridge.in_thread(go_on, name="plumpy-execute-process"))
        return executed

    def task_send(self, message: Any, no_reply: bool = False) -> Any:
        """Send a task; gets a future of its result, or None."""
        return self._communicator.task_send(message, no_reply=no_reply)


class ProcessLauncher:
    """A task subscriber that makes and runs processes: for the tasks that `create_launch_body` and the like describe.

    Args:
        loop: kept, and of no effect: processes run on the loop that calls the launcher.
        persister: saves and loads processes; without one nothing can be saved or continued.
        load_context: what loading is told besides, such as a communicator.
        loader: finds classes.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop | None = None,
        persister: persistence.Persister | None = None,
        load_context: persistence.LoadSaveContext | None = None,
        loader: loaders.ObjectLoader | None = None,
    ) -> None:
        self._loop = loop
        self._persister = persister
        self._load_context = persistence.LoadSaveContext() if load_context is None else load_context
        self._loader = loaders.get_object_loader() if loader is None else loader
        if loader is not None:
            self._load_context = self._load_context.copyextend(loader=loader)
        self._running: set[asyncio.Future[Any]] = set()

    async def __call__(self, communicator: kiwipy.Communicator, task: dict[str, Any]) -> PID_TYPE | ProcessResult:
        """Do what a task asks for.

        Raises:
            TaskRejected: it is no task of this kind, or needs a persister and there is none.
        """
        kind, args = task[TASK_KEY], task.get(TASK_ARGS, {})
        if kind == LAUNCH_TASK:
            return await self._launch(communicator, **args)
        if kind == CONTINUE_TASK:
            return await self._continue(communicator, **args)
        if kind == CREATE_TASK:
            return await self._create(communicator, **args)
        raise communications.TaskRejected

    async def _launch(
        self,
        _communicator: kiwipy.Communicator,
        process_class: str,
        persist: bool,
        nowait: bool,
        init_args: Sequence[Any] | None = None,
        init_kwargs: dict[str, Any] | None = None,
    ) -> PID_TYPE | ProcessResult:
        """Make a process and run it."""
        return await self._run(self._made(process_class, persist, init_args, init_kwargs), nowait)

    async def _continue(
        self, _communicator: kiwipy.Communicator, pid: PID_TYPE, nowait: bool, tag: str | None = None
    ) -> PID_TYPE | ProcessResult:
        """Load a process and run it."""
        if not self._persister:
            LOGGER.warning("rejecting task: cannot continue process<%s> because no persister is available", pid)
            raise communications.TaskRejected("Cannot continue process, no persister")
        saved = self._persister.load_checkpoint(pid, tag)
        return await self._run(saved.unbundle(self._load_context), nowait)

    async def _create(
        self,
        _communicator: kiwipy.Communicator,
        process_class: str,
        persist: bool,
        init_args: Sequence[Any] | None = None,
        init_kwargs: dict[str, Any] | None = None,
    ) -> PID_TYPE:
        """Make a process."""
        pid: PID_TYPE = self._made(process_class, persist, init_args, init_kwargs).pid
        return pid

    def _made(
        self, process_class: str, persist: bool, args: Sequence[Any] | None, kwargs: dict[str, Any] | None
    ) -> "Process":
        if persist and not self._persister:
            raise communications.TaskRejected("Cannot persist process, no persister")
        process: Process = self._loader.load_object(process_class)(*(args or ()), **(kwargs or {}))
        if persist and self._persister is not None:
            self._persister.save_checkpoint(process)
        return process

    async def _run(self, process: "Process", nowait: bool) -> PID_TYPE | ProcessResult:
        if not nowait:
            await process.step_until_terminated()
            return process.future().result()
        running = asyncio.ensure_future(process.step_until_terminated())
        self._running.add(running)  # the loop itself would let it be collected
        running.add_done_callback(self._running.discard)
        return process.pid
