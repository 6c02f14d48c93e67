"""The queue of tasks in memory."""

import pytest

from drupe.core.message import Task
from drupe.errors import MessageError, UnsavableError
from drupe.messaging.memory_queue import MemoryTaskQueue
from drupe.testing import ManualClock


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def queue(clock):
    return MemoryTaskQueue(clock=clock)


def task(id, queue="q", body=None):
    return Task(id=id, queue=queue, body=body)


async def take(queue, *, limit=10, holder="me", name="q"):
    return await queue.take(name, holder=holder, limit=limit)


def ids(taken):
    return [one.task.id for one in taken]


async def test_tasks_are_taken_once_and_in_order(queue):
    await queue.put([task("a"), task("b"), task("elsewhere", "other")])
    await queue.put([task("c")])

    assert ids(await take(queue, limit=2)) == ["a", "b"]
    assert ids(await take(queue, holder="you")) == ["c"]
    assert await take(queue) == []


async def test_a_task_that_is_put_twice_is_there_once(queue):
    await queue.put([task("a", body=1)])
    await queue.put([task("a", body=2)])

    assert [one.task.body for one in await take(queue)] == [1]


@pytest.mark.parametrize(("body", "error"), [(object(), UnsavableError), (b"x" * 2_000_000, MessageError)])
async def test_all_are_put_or_none(queue, body, error):
    with pytest.raises(error):
        await queue.put([task("a"), task("b", body=body)])

    assert await take(queue) == []


async def test_no_object_is_shared_with_the_sender_or_the_next_attempt(queue):
    body = {"list": []}
    await queue.put([task("a", body=body)])
    (taken,) = await take(queue)
    taken.task.body["list"].append(1)
    await queue.release(taken)

    (again,) = await take(queue)

    assert (body, again.task.body, again.attempt) == ({"list": []}, {"list": []}, 2)


async def test_a_released_task_goes_back_to_its_place(queue):
    await queue.put([task("a"), task("b"), task("c")])
    first, second = await take(queue, limit=2)

    assert await queue.release(second)
    assert await queue.release(first)

    assert ids(await take(queue)) == ["a", "b", "c"]


async def test_a_task_released_with_delay_comes_when_it_is_due(queue, clock):
    await queue.put([task("a"), task("b")])
    (taken,) = await take(queue, limit=1)
    await queue.release(taken, delay=5)

    assert ids(await take(queue)) == ["b"]
    clock.advance(4.9)
    assert await take(queue) == []
    clock.advance(0.2)
    assert ids(await take(queue)) == ["a"]


async def test_only_who_holds_a_task_settles_or_releases_it(queue):
    await queue.put([task("a")])
    (old,) = await take(queue)
    await queue.release(old)

    assert [await queue.settle(old), await queue.release(old)] == [False, False]
    (new,) = await take(queue)
    assert [await queue.settle(old), await queue.release(old)] == [False, False]
    assert await queue.settle(new)
    assert [await queue.settle(new), await queue.release(new)] == [False, False]


async def test_what_a_holder_had_goes_back_when_it_is_forgotten(queue):
    await queue.put([task("a"), task("b"), task("c")])
    await take(queue, limit=2)
    await take(queue, holder="you")

    assert await queue.forget("me") == 2
    assert await queue.forget("me") == 0

    assert ids(await take(queue)) == ["a", "b"]
