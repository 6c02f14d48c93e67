"""What is asked of a communicator: the three kinds of message, sent and received.

A **task** is taken by one of those who listen to a queue, an **RPC** is answered by one address, a **broadcast** is heard
by everybody whose filter lets it pass. A communicator belongs to the loop it was opened on; a blocking form for other
threads is made of any of them in one place. No call hangs: each ends by its deadline, or at once when nobody can
answer any more. The suite that holds a transport to this is `drupe.testing.communicator_contract`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias, TypeVar

T = TypeVar("T")

DEFAULT_QUEUE: Final = "tasks"
"""The queue of those who name none."""
DEADLINE: Final = 60.0
"""Seconds that a caller waits for an answer, unless it says otherwise."""


@dataclass(frozen=True, slots=True)
class IncomingBroadcast:
    """A broadcast as a subscriber gets it."""

    body: Any = None
    sender: str | None = None
    subject: str | None = None
    correlation_id: str | None = None
    missed: int = 0
    """So many broadcasts were dropped right before this one, because this subscriber was too slow for them."""


class IncomingTask(Protocol):
    """A task that was taken and is held until it is acknowledged or goes back.

    As a context manager it is acknowledged at the end of the block: with no exception it is replied to with None, unless a
    reply was given; `TaskRejectedError` puts it back; any other exception is the reply, and is raised here too;
    a cancellation puts it back.
    """

    @property
    def id(self) -> str:
        """The task's identifier: the same when it is delivered again."""
        ...

    @property
    def queue(self) -> str:
        """The queue it was sent to."""
        ...

    @property
    def body(self) -> Any:
        """What its sender gave."""
        ...

    @property
    def no_reply(self) -> bool:
        """Whether its sender waits for no reply; one that is given is dropped."""
        ...

    @property
    def attempt(self) -> int:
        """How often it was taken, this time included; a broker also counts what it brought and nobody began."""
        ...

    async def accept(self) -> None:
        """Acknowledge it now: it will not be delivered again, whatever happens. A reply may follow. Twice does nothing.

        Raises:
            TaskLostError: it is not the caller's any more.
        """
        ...

    async def reply(self, result: Any = None) -> None:
        """Acknowledge it, then tell its sender the result.

        Raises:
            TaskLostError: it is not the caller's any more, or was replied to; its sender hears nothing.
            UnsavableError: the result cannot be sent; the task is as it was.
        """
        ...

    async def fail(self, error: BaseException) -> None:
        """Acknowledge it, then have its sender's `TaskReceipt.result` raise a `RemoteError` that says what ``error`` says.

        Raises:
            TaskLostError: as in `reply`.
        """
        ...

    async def reject(self) -> None:
        """Put it back into its queue, for whoever comes; from the second attempt on after a while, which grows each time.

        Raises:
            TaskLostError: it is not the caller's any more, or was accepted.
        """
        ...

    async def __aenter__(self) -> "IncomingTask": ...

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any, /) -> bool: ...


class TaskReceipt(Protocol):
    """Proof that a task is in its queue."""

    @property
    def id(self) -> str:
        """The task's identifier."""
        ...

    async def result(self, *, deadline: float | None = DEADLINE) -> Any:
        """Wait for the reply and get the result; None at once if the task was sent with ``no_reply``.

        Args:
            deadline: seconds to wait; None: until the communicator is closed.

        Raises:
            RemoteError: whoever took it raised an exception.
            DeadlineError: no reply came in time; asking again is allowed.
            CommunicatorClosedError: the communicator was closed before.
        """
        ...


class Subscription(Protocol):
    """Handle of something that was subscribed to."""

    @property
    def identifier(self) -> str:
        """The name under which RPCs reach it; for tasks and broadcasts a name of its own."""
        ...

    async def unsubscribe(self) -> None:
        """Get nothing more. What was begun goes on; what was not begun goes to others. Twice does nothing."""
        ...


RpcCallback: TypeAlias = Callable[[Any], Any | Awaitable[Any]]
"""Gets the body; what it returns (or what that gives, awaited) is the answer."""
TaskCallback: TypeAlias = Callable[[IncomingTask], Any | Awaitable[Any]]
"""Gets the task; what it returns (or what that gives, awaited) is the reply, unless the task was settled meanwhile."""
BroadcastCallback: TypeAlias = Callable[[IncomingBroadcast], object | Awaitable[object]]
"""Gets the broadcast; an awaitable that it returns is awaited before it gets the next one."""
CloseCallback: TypeAlias = Callable[[BaseException | None], object]
"""Gets the failure that closed the communicator, or None."""
Admits: TypeAlias = Callable[[str | None, str | None], bool]
"""Gets sender and subject of a broadcast and says whether it is wanted."""


class Communicator(Protocol):
    """Sends and receives tasks, RPCs and broadcasts.

    A body or an answer is whatever the codec can save. Every method but `open`, `close` and `is_closed` raises
    `CommunicatorClosedError` unless it is open; those that send raise `MessageError` for a body that is too large or nested
    too deeply, and `UnsavableError` for one that cannot be read again, before anything is sent.
    """

    async def open(self) -> None:
        """Make it ready: from here on it hears every broadcast of those that are open, and they hear its own.

        Raises:
            CommunicationError: it was open before: a communicator is used once.
        """
        ...

    async def close(self) -> None:
        """End every subscription, cancel the callbacks that run, give held tasks back, and fail whoever waits for an answer.

        Twice does nothing.
        """
        ...

    def is_closed(self) -> bool:
        """Tell whether it is closed, by `close` or because its connection failed for good."""
        ...

    def add_close_callback(self, callback: CloseCallback) -> None:
        """Have ``callback`` called once when the communicator is closed, with the failure that closed it, or None.

        One that raises is logged, and the others are called nevertheless.
        """
        ...

    # --- tasks -------------------------------------------------------------------------------------------

    async def task_send(self, body: Any = None, *, queue: str = DEFAULT_QUEUE, no_reply: bool = False) -> TaskReceipt:
        """Put a task into a queue; when this returns, the queue has it, whether or not anybody listens."""
        ...

    async def subscribe_task(
        self, callback: TaskCallback, *, queue: str = DEFAULT_QUEUE, prefetch: int = 1
    ) -> Subscription:
        """Take tasks from a queue, at most ``prefetch`` at a time, each by one subscriber only, oldest first.

        A task is acknowledged when its callback ends, or before, by the task's own methods. An exception is the
        reply; `TaskRejectedError` puts the task back; so does the end of the communicator, and of its interpreter.

        Raises:
            ValueError: ``prefetch`` is below 1.
        """
        ...

    def pull(self, queue: str = DEFAULT_QUEUE) -> AbstractAsyncContextManager[AsyncIterator[IncomingTask]]:
        """Get, for the time of a block, the tasks that are in a queue now, one by one; the iteration ends with them.

        Those that were not acknowledged go back to the queue at the end of the block.
        """
        ...

    # --- RPC ---------------------------------------------------------------------------------------------

    async def rpc_send(self, recipient: str, body: Any = None, *, deadline: float | None = DEADLINE) -> Any:
        """Call whoever subscribed as ``recipient``, and get the answer.

        Args:
            recipient: the identifier.
            body: what it gets.
            deadline: seconds to wait; None: for as long as the other side lives.

        Raises:
            UnroutableError: nobody is subscribed so, which is found out at once.
            RemoteError: the callback raised an exception, or its answer cannot be sent.
            DeadlineError: there was no answer in time.
            PeerLostError: the other side went away meanwhile, which is noticed at once.
            OverloadedError: too much is waiting for the other side already.
        """
        ...

    async def subscribe_rpc(self, callback: RpcCallback, identifier: str | None = None) -> Subscription:
        """Answer the RPCs to ``identifier``, by default to a new name, which the subscription has.

        Calls are answered side by side: one that awaits does not hold up the next.

        Raises:
            DuplicateSubscriberError: somebody that is alive answers to this name.
        """
        ...

    # --- broadcasts --------------------------------------------------------------------------------------

    async def broadcast_send(
        self,
        body: Any = None,
        *,
        sender: str | None = None,
        subject: str | None = None,
        correlation_id: str | None = None,
    ) -> None:
        """Tell everybody who wants to hear it, the sender's own subscribers too. Never waits for any of them."""
        ...

    async def subscribe_broadcast(self, callback: BroadcastCallback, admits: Admits | None = None) -> Subscription:
        """Hear the broadcasts that ``admits`` lets pass, by default all; those of one sender in their order.

        A subscriber that is too slow misses the oldest ones, and is told how many; others do not notice. An
        exception of the callback or of ``admits`` is logged, and the next broadcast comes.
        """
        ...


class FarCommunicator(Communicator, Protocol):
    """A communicator whose connection lives on a thread of its own, and goes on whatever its user's loop does.

    Callbacks run on the loop that opened it, unless they are subscribed by `call`.
    """

    def call(self, work: Callable[[Communicator], Coroutine[Any, Any, T]]) -> Future[T]:
        """Have ``work(communicator)`` run on the communicator's own thread, at once, and get a future of its result.

        May be asked from any thread but that. What ``work`` subscribes is called there too, and must not block.

        Raises:
            CommunicatorClosedError: it is not open.
            LoopError: this is the communicator's own thread.
        """
        ...
