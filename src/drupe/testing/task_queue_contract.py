"""The suite that holds every queue of tasks to its protocol.

A backend binds it in its tests by a fixture `queues`: a function that gets another queue on the same data, open, each time
it is called.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import chain
from typing import Any

import pytest

from drupe.core.message import Task
from drupe.errors import MessageError, UnsavableError
from drupe.interfaces.task_queue import Taken, TaskQueue
from drupe.testing.clock import ManualClock

Queues = Callable[[], AbstractAsyncContextManager[TaskQueue]]


def task(id: str, queue: str = "q", body: Any = None) -> Task:
    """Get a task."""
    return Task(id=id, queue=queue, body=body)


async def take(queue: TaskQueue, *, limit: int = 10, holder: str = "me", name: str = "q") -> list[Taken]:
    """Take tasks, by default for the one holder from the one queue."""
    return await queue.take(name, holder=holder, limit=limit)


def ids(taken: Sequence[Taken]) -> list[str]:
    """Get the ids of tasks."""
    return [one.task.id for one in taken]


class TaskQueueContract:
    """Every sentence of `drupe.interfaces.task_queue.TaskQueue`, as tests."""

    @pytest.fixture
    def clock(self) -> ManualClock:
        """Get the clock of this test's queues."""
        return ManualClock()

    @pytest.fixture
    def queues(self, clock: ManualClock) -> Queues:
        """Get a function that opens another queue on the data of this test."""
        raise NotImplementedError("a backend's test class says where its data lies")

    @pytest.fixture
    async def queue(self, queues: Queues) -> AsyncIterator[TaskQueue]:
        """Get the queue of this test."""
        async with queues() as queue:
            yield queue

    async def test_tasks_are_taken_once_and_in_order(self, queue: TaskQueue) -> None:
        await queue.put([task("a"), task("b"), task("elsewhere", "other")])
        await queue.put([task("c")])

        assert ids(await take(queue, limit=2)) == ["a", "b"]
        assert ids(await take(queue, holder="you")) == ["c"]
        assert await take(queue) == []

    async def test_a_task_comes_as_it_was_sent(self, queue: TaskQueue) -> None:
        sent = Task(id="a", queue="q", body={"n": [1, 2.5, None, b"x"]}, reply_to="there", no_reply=True)
        await queue.put([sent])

        assert await take(queue) == [Taken(sent, 1)]

    async def test_a_task_that_is_put_twice_is_there_once(self, queue: TaskQueue) -> None:
        await queue.put([task("a", body=1)])
        await queue.put([task("a", body=2)])

        assert [one.task.body for one in await take(queue)] == [1]

    @pytest.mark.parametrize(("body", "error"), [(object(), UnsavableError), (b"x" * 2_000_000, MessageError)])
    async def test_all_are_put_or_none(self, queue: TaskQueue, body: Any, error: type[Exception]) -> None:
        with pytest.raises(error):
            await queue.put([task("a"), task("b", body=body)])

        assert await take(queue) == []

    async def test_no_object_is_shared_with_the_sender_or_the_next_attempt(self, queue: TaskQueue) -> None:
        body: dict[str, list[int]] = {"list": []}
        await queue.put([task("a", body=body)])
        (taken,) = await take(queue)
        taken.task.body["list"].append(1)
        await queue.release(taken)

        (again,) = await take(queue)

        assert (body, again.task.body, again.attempt) == ({"list": []}, {"list": []}, 2)

    async def test_a_released_task_goes_back_to_its_place(self, queue: TaskQueue) -> None:
        await queue.put([task("a"), task("b"), task("c")])
        first, second = await take(queue, limit=2)

        assert await queue.release(second)
        assert await queue.release(first)

        assert ids(await take(queue)) == ["a", "b", "c"]

    async def test_a_task_released_with_delay_comes_when_it_is_due(self, queue: TaskQueue, clock: ManualClock) -> None:
        await queue.put([task("a"), task("b")])
        (taken,) = await take(queue, limit=1)
        await queue.release(taken, delay=5)

        assert ids(await take(queue)) == ["b"]
        clock.advance(4.9)
        assert await take(queue) == []
        clock.advance(0.2)
        assert ids(await take(queue)) == ["a"]

    async def test_only_who_holds_a_task_settles_or_releases_it(self, queue: TaskQueue) -> None:
        await queue.put([task("a")])
        (old,) = await take(queue)
        await queue.release(old)

        assert [await queue.settle(old), await queue.release(old)] == [False, False]
        (new,) = await take(queue)
        assert [await queue.settle(old), await queue.release(old)] == [False, False]
        assert await queue.settle(new)
        assert [await queue.settle(new), await queue.release(new)] == [False, False]

    async def test_a_task_that_was_settled_may_be_put_again(self, queue: TaskQueue) -> None:
        await queue.put([task("a")])
        (taken,) = await take(queue)
        await queue.settle(taken)
        await queue.put([task("a", body=2)])

        assert [(one.task.body, one.attempt) for one in await take(queue)] == [(2, 1)]

    async def test_what_a_holder_had_goes_back_when_it_is_forgotten(self, queue: TaskQueue) -> None:
        await queue.put([task("a"), task("b"), task("c")])
        await take(queue, limit=2)
        await take(queue, holder="you")

        assert await queue.holders() == ["me", "you"]
        assert await queue.forget("me") == 2
        assert await queue.forget("me") == 0

        assert await queue.holders() == ["you"]
        assert ids(await take(queue)) == ["a", "b"]

    async def test_what_was_not_settled_outlives_the_queue_that_had_it(self, queues: Queues) -> None:
        async with queues() as first:
            await first.put([task("a"), task("b"), task("c")])
            _, done = await take(first, limit=2)
            await first.settle(done)
        async with queues() as second:
            assert await second.holders() == ["me"]
            assert ids(await take(second, holder="you")) == ["c"]
            await second.forget("me")
            assert [(one.task.id, one.attempt) for one in await take(second)] == [("a", 2)]

    async def test_many_who_take_at_once_take_each_task_once(self, queues: Queues, queue: TaskQueue) -> None:
        names = [str(number) for number in range(100)]
        await queue.put([task(name) for name in names])

        async def take_all(holder: str) -> list[str]:
            found: list[str] = []
            async with queues() as own:
                while taken := await take(own, holder=holder, limit=3):
                    found += ids(taken)
            return found

        taken = await asyncio.gather(*(take_all(holder) for holder in "xyz"))

        assert sorted(chain.from_iterable(taken), key=int) == names
