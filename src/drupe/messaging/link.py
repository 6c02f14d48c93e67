"""What a participant asks of whatever carries its messages, and what it is told in return.

A link moves bytes between addresses and knows who is there; it knows nothing of callbacks, replies and deadlines. All
calls, in both directions, are made on the loop that opened it.
"""

from typing import Protocol

from drupe.core.message import Message
from drupe.core.role import Role
from drupe.errors import CommunicationError
from drupe.messaging.calls import Call
from drupe.messaging.origin import Origin


class Receiver(Protocol):
    """What a link tells the participant it belongs to."""

    def received(self, origin: Origin, message: Message) -> None:
        """A message came; whether its sender may send it was not looked at."""
        ...

    def missed(self, number: int) -> None:
        """So many broadcasts to this participant were dropped."""
        ...

    def woken(self, queue: str) -> None:
        """There may be a task in ``queue``."""
        ...

    def lost(self, address: str) -> None:
        """The participant at ``address`` is gone for good."""
        ...

    def closed(self, error: CommunicationError) -> None:
        """The link is no more, because of ``error``, and will not come back."""
        ...


class Link(Protocol):
    """One participant's way to all others."""

    @property
    def address(self) -> str:
        """Where others reach this participant: a name that nobody had before."""
        ...

    async def open(self, receiver: Receiver) -> None:
        """Meet everybody who is there; from here on everybody knows this participant."""
        ...

    async def close(self) -> None:
        """Leave; everybody is told."""
        ...

    async def knows(self, address: str) -> bool:
        """Tell whether there is a living participant at ``address``."""
        ...

    async def register(self, identifier: str) -> None:
        """Have ``identifier`` lead here.

        Raises:
            DuplicateSubscriberError: it leads to somebody who is there.
        """
        ...

    async def unregister(self, identifier: str) -> None:
        """Have ``identifier`` lead nowhere."""
        ...

    async def call(self, identifier: str, data: bytes, call: Call) -> None:
        """Send an encoded request to whoever ``identifier`` leads to, by the right that ``call`` says it takes.

        Who alone may answer is noted in ``call``, if it is known. When it turns out later that the request did not
        arrive, or that whoever has it is gone, the call is ended with that error.

        Raises:
            UnroutableError: the identifier leads nowhere.
            OverloadedError: too much is waiting for whoever it leads to.
            NotEntitledError: there is no key for it here.
        """
        ...

    def send(self, origin: Origin, data: bytes, *, answers: str) -> None:
        """Send an encoded reply to one participant.

        Args:
            origin: where what is answered came from.
            data: the reply.
            answers: the id of what is answered.

        Raises:
            UnroutableError: nobody is there.
            OverloadedError: too much is waiting for it already.
        """
        ...

    def publish(self, data: bytes, *, role: Role) -> None:
        """Send an encoded broadcast to all others; those who are too slow miss the oldest ones.

        Raises:
            NotEntitledError: it takes ``role``, and there is no key for it here.
        """
        ...

    def wake(self, queue: str) -> None:
        """Tell all others that there may be a task in ``queue``."""
        ...
