"""What the tests of a communicator's contract share: where communicators come from, and how long a test waits."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeAlias, TypeVar

import pytest

from drupe.interfaces.communicator import Communicator, TaskReceipt

T = TypeVar("T")

PATIENCE: Final = 20.0
"""Seconds after which a test says that something does not come."""

Meet: TypeAlias = Callable[[], Awaitable[Communicator]]
"""Gets one more open communicator among those of the test."""


async def soon(awaitable: Awaitable[T]) -> T:
    """Get what ``awaitable`` gives; a test fails where that does not come."""
    return await asyncio.wait_for(awaitable, PATIENCE)


class Heard:
    """A callback that keeps what it gets, and answers with it."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Any] = asyncio.Queue()

    def __call__(self, item: Any) -> Any:
        self._queue.put_nowait(item)
        return getattr(item, "body", item)

    async def next(self) -> Any:
        """Get the next one, when it comes."""
        return await soon(self._queue.get())

    def rest(self) -> list[Any]:
        """Get what came and was not asked for yet."""
        return [self._queue.get_nowait() for _ in range(self._queue.qsize())]


async def result(receipt: TaskReceipt) -> Any:
    """Get the reply to a task."""
    return await receipt.result(deadline=PATIENCE)


class CommunicatorCase:
    """Tests of a communicator.

    A transport's own test class overrides the fixture `communicators`.
    """

    @pytest.fixture
    def communicators(self) -> Callable[[], Communicator]:
        """Get a function that makes communicators, not yet open, which all meet each other."""
        raise NotImplementedError("a transport's test class says where its communicators come from")

    @pytest.fixture
    async def meet(self, communicators: Callable[[], Communicator]) -> AsyncIterator[Meet]:
        """Get a function that opens one more; all are closed at the end."""
        opened: list[Communicator] = []

        async def open_one() -> Communicator:
            communicator = communicators()
            await soon(communicator.open())
            opened.append(communicator)
            return communicator

        yield open_one
        for communicator in opened:
            await soon(communicator.close())

    @pytest.fixture
    async def here(self, meet: Meet) -> Communicator:
        """Get a communicator."""
        return await meet()

    @pytest.fixture
    async def there(self, here: Communicator, meet: Meet) -> Communicator:
        """Get another one that meets `here`."""
        return await meet()
