"""What a participant asks of whatever carries its messages, and what it is told in return.

A link moves bytes between addresses and knows who is there; it knows nothing of callbacks, replies and deadlines. All
calls, in both directions, are made on the loop that opened it.
"""

from typing import Protocol

from drupe.core.message import Message


class Receiver(Protocol):
    """What a link tells the participant it belongs to."""

    def received(self, origin: str, message: Message) -> None:
        """A message came from the participant at ``origin``."""
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

    async def locate(self, identifier: str) -> str:
        """Get the address that ``identifier`` leads to.

        Raises:
            UnroutableError: it leads nowhere.
        """
        ...

    def send(self, address: str, data: bytes) -> None:
        """Send an encoded message to one participant.

        Raises:
            UnroutableError: nobody is there.
            OverloadedError: too much is waiting for it already.
        """
        ...

    def publish(self, data: bytes) -> None:
        """Send an encoded broadcast to all others; those who are too slow miss the oldest ones."""
        ...

    def wake(self, queue: str) -> None:
        """Tell all others that there may be a task in ``queue``."""
        ...
