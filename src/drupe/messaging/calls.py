"""Who waits for an answer, and how an answer, or its absence, becomes a result or an error."""

import asyncio
from typing import Any, Final, TypeAlias, get_args
from weakref import WeakValueDictionary

from drupe.core import failure
from drupe.core.message import Failure, Reply, unpack
from drupe.core.role import Role
from drupe.errors import (
    CommunicationError,
    DeadlineError,
    DrupeError,
    NotEntitledError,
    OverloadedError,
    PeerLostError,
    RemoteError,
    UnroutableError,
)
from drupe.messaging.origin import Origin

_Refusal: TypeAlias = NotEntitledError | OverloadedError | PeerLostError | UnroutableError
_REFUSALS: Final = {f"drupe:{kind.code}": kind for kind in get_args(_Refusal)}
"""What stands in the place of a type's name, where no name of a type can be: nobody answers, for this reason."""


def reply_of(id: str, error: BaseException) -> Reply:
    """Get the reply that says what ``error`` says."""
    text = failure.Failure.of(error)
    code = error.code if isinstance(error, DrupeError) else None
    return Reply(id=id, failure=Failure(type=text.kind, message=text.message, traceback=text.traceback, code=code))


def reply_refused(id: str, error: _Refusal) -> Reply:
    """Get the reply to something that nobody answers; it is raised over there as what it is."""
    return Reply(id=id, failure=Failure(type=f"drupe:{error.code}", message=str(error), code=error.code))


def result_of(reply: Reply) -> Any:
    """Get the result of a reply.

    Raises:
        RemoteError: it is a failure.
        CommunicationError: nobody was asked.
        MessageError: it cannot be read here.
    """
    if reply.failure is None:
        return unpack(reply.result)
    if (refusal := _REFUSALS.get(reply.failure.type)) is not None:
        raise refusal(reply.failure.message)
    raise RemoteError(reply.failure.type, reply.failure.message, reply.failure.traceback)


class Call:
    """One answer that is expected; whoever drops it expects it no more."""

    __slots__ = ("__weakref__", "address", "future", "id", "role")

    def __init__(self, id: str, role: Role) -> None:
        self.id = id
        """The id of the message that is to be answered."""
        self.role = role
        """What it takes to ask for this, and so what it takes to answer."""
        self.address: str | None = None
        """Who alone may answer; None: anybody."""
        # Its result is the reply, or the error in its place: an error that nobody asks for is not logged.
        self.future: asyncio.Future[Reply | CommunicationError] = asyncio.get_running_loop().create_future()

    def end(self, outcome: Reply | CommunicationError) -> None:
        """Give the answer; only the first one counts."""
        if not self.future.done():
            self.future.set_result(outcome)


class Calls:
    """All the answers that one participant expects."""

    def __init__(self) -> None:
        self._expected: WeakValueDictionary[str, Call] = WeakValueDictionary()
        self._awaited: set[Call] = set()

    def expect(self, id: str, role: Role) -> Call:
        """Expect an answer to the message ``id``, from somebody with a role."""
        self._expected[id] = call = Call(id, role)
        return call

    async def wait(self, call: Call, deadline: float | None, what: str) -> Any:
        """Wait for an answer and get its result.

        Raises:
            DeadlineError: it did not come in time; ``what`` it was is said.
            CommunicationError: it will not come, or is a failure.
        """
        self._awaited.add(call)  # without this, a waiting task that nobody refers to could be collected with its call
        try:
            async with asyncio.timeout(deadline):
                outcome = await asyncio.shield(call.future)
        except TimeoutError:
            raise DeadlineError(f"no answer to {what} within {deadline} s") from None
        finally:
            self._awaited.discard(call)
        if isinstance(outcome, CommunicationError):
            raise outcome.with_traceback(None)
        return result_of(outcome)

    def answer(self, origin: Origin, reply: Reply) -> None:
        """Take an answer; one that nobody expects, or not from there, is dropped."""
        call = self._expected.get(reply.id)
        if call is not None and call.address in {None, origin.address} and origin.role >= call.role:
            call.end(reply)

    def lose(self, address: str) -> None:
        """Fail what only the participant at ``address`` could answer."""
        for call in list(self._expected.values()):
            if call.address == address:
                call.end(PeerLostError("whoever was to answer is gone; how far it came is not known"))

    def close(self, error: CommunicationError) -> None:
        """Fail all that is expected."""
        for call in list(self._expected.values()):
            call.end(error)
