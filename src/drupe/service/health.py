"""Whether a runner does what others rely on, whatever its steps do: asked from any thread, at any time.

A step that blocks the loop of the processes is no ailment: lease and answers go on meanwhile. One that keeps Python's
global lock is, because then they do not.
"""

from typing import TYPE_CHECKING, Final

from drupe.errors import CommunicationError
from drupe.interfaces.communicator import Communicator, FarCommunicator
from drupe.runtime.clock import tick
from drupe.service.lease import Lease

if TYPE_CHECKING:
    from concurrent.futures import Future

_ASKS: Final = 1.0
"""Seconds from an answer of the communicator to the next question."""
_ANSWERS: Final = 5.0
"""Seconds that the communicator has for an answer."""


class Health:
    """The health of one runner; asked by one thread at a time.

    Args:
        lease: what the store has to renew.
        communicator: whose thread has to answer; None if there is none.
        answers: seconds that it has for that.
    """

    def __init__(self, lease: Lease, communicator: FarCommunicator | None, *, answers: float = _ANSWERS) -> None:
        self._lease = lease
        self._communicator = communicator
        self._patience = answers
        self._answer: Future[None] | None = None
        self._asked = tick() - _ASKS

    def ailment(self) -> str | None:
        """Get what is wrong, in words; None if nothing is."""
        overdue = self._lease.overdue()
        if overdue is not None:
            return f"the lease was renewed {overdue:.1f} s ago, and has run out"
        return self._deafness()

    def _deafness(self) -> str | None:
        if self._communicator is None:
            return None
        answer, waited = self._answer, tick() - self._asked
        if answer is not None and not answer.done():
            return f"the communicator has not answered for {waited:.1f} s" if waited > self._patience else None
        if answer is None or waited >= _ASKS:
            self._asked = tick()
            try:
                self._answer = self._communicator.call(_nothing)
            except CommunicationError as error:
                return f"the communicator does not answer: {error}"
        return None


async def _nothing(_: Communicator) -> None:
    """Answer: the loop that runs this turns."""
