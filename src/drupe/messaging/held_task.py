"""A task that was taken from a queue: how it is acknowledged, replied to, or put back."""

from enum import Enum, auto
from typing import Any, Final, Protocol, Self

from drupe.core import entitlement
from drupe.core.message import Reply, encode_message
from drupe.errors import NotEntitledError, TaskLostError, TaskRejectedError
from drupe.interfaces.task_queue import Taken, TaskQueue
from drupe.messaging.calls import reply_of, reply_refused
from drupe.messaging.origin import Origin

_FIRST_DELAY: Final = 0.1
_MAX_DELAY: Final = 30.0


def delay_after(attempt: int) -> float:
    """Get how long a task waits after its ``attempt``-th rejection: not at all, then ever longer, so that it never spins."""
    return 0.0 if attempt < 2 else min(_FIRST_DELAY * 2.0 ** min(attempt - 2, 30), _MAX_DELAY)


class Surroundings(Protocol):
    """What a held task needs of the participant that holds it."""

    @property
    def tasks(self) -> TaskQueue:
        """The queues."""
        ...

    def answer(self, origin: Origin, data: bytes, *, answers: str) -> None:
        """Send an encoded reply to what has the id ``answers``, if somebody is there."""
        ...

    def announce(self, queue: str, delay: float = 0.0) -> None:
        """Tell everybody that there is a task in ``queue``, after ``delay`` seconds."""
        ...


class _Stage(Enum):
    HELD = auto()
    ACCEPTED = auto()
    ENDED = auto()


class HeldTask:
    """A task that is held; see `drupe.interfaces.communicator.IncomingTask`."""

    def __init__(self, taken: Taken, surroundings: Surroundings) -> None:
        self._taken = taken
        self._origin = Origin(taken.task.reply_to or "", taken.key)
        self._surroundings = surroundings
        self._stage = _Stage.HELD
        self.told = False
        """Whether its sender was told of a failure."""

    @property
    def id(self) -> str:
        """The task's identifier."""
        return self._taken.task.id

    @property
    def queue(self) -> str:
        """The queue it was sent to."""
        return self._taken.task.queue

    @property
    def body(self) -> Any:
        """What its sender gave."""
        return self._taken.task.body

    @property
    def no_reply(self) -> bool:
        """Whether its sender waits for no reply."""
        return self._taken.task.no_reply

    @property
    def attempt(self) -> int:
        """How often it was taken."""
        return self._taken.attempt

    @property
    def is_held(self) -> bool:
        """Whether it can still be put back."""
        return self._stage is _Stage.HELD

    @property
    def is_ended(self) -> bool:
        """Whether nothing more can be done with it."""
        return self._stage is _Stage.ENDED

    async def admitted(self) -> bool:
        """Tell whether its sender may have it done; if not, that was said, and the task is over."""
        try:
            entitlement.check(self._taken.task, self._origin.role)
        except NotEntitledError as error:
            await self._end(reply_refused(self.id, error))
            return False
        return True

    async def accept(self) -> None:
        """Acknowledge it now."""
        if self._stage is not _Stage.ACCEPTED:
            await self._acknowledge(_Stage.ACCEPTED)

    async def reply(self, result: Any = None) -> None:
        """Acknowledge it, then tell its sender the result."""
        await self._end(Reply(id=self.id, result=None if self.no_reply else result))

    async def fail(self, error: BaseException) -> None:
        """Acknowledge it, then tell its sender the error."""
        await self._end(reply_of(self.id, error))
        self.told = not self.no_reply

    async def reject(self) -> None:
        """Put it back, due after a while."""
        await self.put_back(delay_after(self.attempt))

    async def put_back(self, delay: float = 0.0) -> None:
        """Put it back, due after ``delay`` seconds.

        Raises:
            TaskLostError: it is not held any more.
        """
        if self._stage is not _Stage.HELD:
            raise self._lost("was acknowledged before")
        self._stage = _Stage.ENDED
        if not await self._surroundings.tasks.release(self._taken, delay=delay):
            raise self._lost("went back to its queue before")
        self._surroundings.announce(self.queue, delay)

    async def _end(self, reply: Reply) -> None:
        data = encode_message(reply)  # first of all: what cannot be sent must not be acknowledged
        if self._stage is _Stage.ACCEPTED:
            self._stage = _Stage.ENDED
        else:
            await self._acknowledge(_Stage.ENDED)
        if self._taken.task.reply_to is not None:
            self._surroundings.answer(self._origin, data, answers=self.id)

    async def _acknowledge(self, stage: _Stage) -> None:
        if self._stage is not _Stage.HELD:
            raise self._lost("was acknowledged before")
        self._stage = stage
        if not await self._surroundings.tasks.settle(self._taken):
            self._stage = _Stage.ENDED
            raise self._lost("went back to its queue before")

    def _lost(self, why: str) -> TaskLostError:
        return TaskLostError(f"task {self.id} is not held here any more: it {why}")

    # --- as a context manager ----------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any, /) -> bool:
        if self._stage is _Stage.ENDED:
            return isinstance(error, TaskRejectedError)
        if error is None:
            await self.reply()
        elif isinstance(error, TaskRejectedError) and self._stage is _Stage.HELD:
            await self.reject()
            return True
        elif isinstance(error, Exception):
            await self.fail(error)
        elif self._stage is _Stage.HELD:  # cancelled, or the interpreter is to end: it is somebody else's turn
            await self.put_back()
        return False
