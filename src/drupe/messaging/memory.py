"""Communicators that share one interpreter, on any threads and loops: for tests, and where there is nobody else.

What is sent is encoded, and decoded by whoever gets it, as on any other transport: what works here works there.
"""

import asyncio
import threading
from collections.abc import Callable

from drupe.core.message import open_message
from drupe.core.role import Role
from drupe.errors import DuplicateSubscriberError, UnroutableError
from drupe.interfaces.ambient import Clock, Ids
from drupe.interfaces.task_queue import TaskQueue
from drupe.messaging.backlog import Backlog, weight
from drupe.messaging.calls import Call
from drupe.messaging.link import Receiver
from drupe.messaging.origin import Origin
from drupe.messaging.participant import Participant
from drupe.runtime import bridge
from drupe.runtime.ids import RandomIds


class _Box:
    """What lies before one participant, put there from any thread; its loop is woken once for all of it."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._backlog: Backlog[tuple[str, bytes]] = Backlog(weigh=lambda item: weight(len(item[1])))

    def put(self, origin: str, data: bytes, *, firm: bool) -> None:
        with self._lock:
            asleep = not self._backlog
            put = self._backlog.put_firm if firm else self._backlog.put_loose
            put((origin, data))
        if asleep:
            self.call(self._work_off)

    def call(self, callback: Callable[..., None], *arguments: str) -> None:
        bridge.hop(self._loop, callback, *arguments)

    def _work_off(self) -> None:
        with self._lock:
            taken = [self._backlog.take() for _ in range(len(self._backlog))]
        for (origin, data), missed in taken:
            if missed:
                self.receiver.missed(missed)
            self.receiver.received(Origin(origin), open_message(data))


class MemoryHub:
    """Where the communicators of one interpreter meet; those of one hub know nothing of those of another.

    Args:
        tasks: where their tasks lie.
    """

    def __init__(self, tasks: TaskQueue) -> None:
        self.tasks = tasks
        """The queues of all of them."""
        self.lock = threading.Lock()
        """Held for changes of the two tables."""
        self.boxes: dict[str, _Box] = {}
        """Who is there, by address."""
        self.names: dict[str, str] = {}
        """Which address an identifier leads to."""


class MemoryLink:
    """A way to the others of one hub; see `drupe.messaging.link.Link`."""

    def __init__(self, hub: MemoryHub, address: str) -> None:
        self._hub = hub
        self._address = address

    @property
    def address(self) -> str:
        """Where others reach this participant."""
        return self._address

    async def open(self, receiver: Receiver) -> None:
        """Be there."""
        with self._hub.lock:
            self._hub.boxes[self._address] = _Box(receiver)

    async def close(self) -> None:
        """Leave, and tell the others."""
        with self._hub.lock:
            self._hub.boxes.pop(self._address, None)
            mine = [name for name, address in self._hub.names.items() if address == self._address]
            for name in mine:
                del self._hub.names[name]
        for box in self._others():
            box.call(box.receiver.lost, self._address)

    async def knows(self, address: str) -> bool:
        """Tell whether somebody is at ``address``."""
        return address in self._hub.boxes

    async def register(self, identifier: str) -> None:
        """Have ``identifier`` lead here."""
        with self._hub.lock:
            if self._hub.names.setdefault(identifier, self._address) != self._address:
                raise DuplicateSubscriberError(f"{identifier!r} is answered to by somebody else")

    async def unregister(self, identifier: str) -> None:
        """Have ``identifier`` lead nowhere."""
        with self._hub.lock:
            self._hub.names.pop(identifier, None)

    async def call(self, identifier: str, data: bytes, call: Call) -> None:
        """Send a request to whoever ``identifier`` leads to."""
        address = self._hub.names.get(identifier)
        if address is None:
            raise UnroutableError(f"nobody answers to {identifier!r}")
        call.address = address
        self._put(address, data)

    def send(self, origin: Origin, data: bytes, *, answers: str) -> None:
        """Send a reply to one participant."""
        self._put(origin.address, data)

    def _put(self, address: str, data: bytes) -> None:
        box = self._hub.boxes.get(address)
        if box is None:
            raise UnroutableError(f"nobody is at {address!r} any more")
        box.put(self._address, data, firm=True)

    def publish(self, data: bytes, *, role: Role) -> None:
        """Send a broadcast to all others."""
        for box in self._others():
            box.put(self._address, data, firm=False)

    def wake(self, queue: str) -> None:
        """Tell all others that there may be a task in ``queue``."""
        for box in self._others():
            box.call(box.receiver.woken, queue)

    def _others(self) -> list[_Box]:
        with self._hub.lock:
            return [box for address, box in self._hub.boxes.items() if address != self._address]


class MemoryCommunicator(Participant):
    """A communicator among those of one hub.

    Args:
        hub: where they meet.
        clock: says when an RPC is too late to be begun.
        ids: makes identifiers.
    """

    def __init__(self, hub: MemoryHub, *, clock: Clock | None = None, ids: Ids | None = None) -> None:
        ids = ids or RandomIds()
        super().__init__(MemoryLink(hub, ids.owner()), hub.tasks, clock=clock, ids=ids)
