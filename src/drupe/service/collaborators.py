"""What a stored host asks of those beside it, each of which needs the host first, and is given to it afterwards."""

from collections.abc import Sequence
from typing import Any, Protocol

from drupe.core.order import Order
from drupe.core.record import Birth, Change


class Recovery(Protocol):
    """How a process that the store has already is found again: by `service.recovery`."""

    async def adopt(self, process: Any) -> bool:
        """Bring a new object to where its process in the store got, and own it; False if somebody else does."""
        ...

    async def ended(self, pid: str, process: Any | None) -> Any:
        """Get a process once it has ended; it is run here if nobody else does."""
        ...


class Attending(Protocol):
    """How orders in the store come to a process: by `service.attendant`."""

    def listen(self, process: Any) -> None:
        """The process begins to wait for a signal."""
        ...

    async def attended(self, pid: str) -> None:
        """Take up the orders to a process that is ours from now on."""
        ...

    async def handed(self, process: Any, orders: Sequence[Order]) -> None:
        """Take up those that came with the claim of a process."""
        ...

    async def heard(self, pid: str) -> None:
        """Take up those that somebody told of while a step blocked the loop."""
        ...


class Announcing(Protocol):
    """How others hear of what was committed: by `service.announcer`. It returns at once, and never raises."""

    def born(self, birth: Birth) -> None:
        """A process was created."""
        ...

    def changed(self, change: Change, kind: str) -> None:
        """A process of the class ``kind`` made a transition."""
        ...
