"""The portal: plain code waits for awaitables, and the task that runs it never notices."""

import asyncio
import contextvars
import gc
import weakref

import pytest

from drupe.errors import LoopError
from drupe.runtime import portal

NUMBER = contextvars.ContextVar("NUMBER", default=0)


async def plain(function, *arguments):
    """Call plain code inside a portal."""
    return function(*arguments)


async def later(value, turns=1):
    for _ in range(turns):
        await asyncio.sleep(0)
    return value


async def test_plain_code_waits_for_a_value():
    assert await portal.enter(plain(lambda: portal.wait(later(1)) + portal.wait(later(2, turns=0)))) == 3


async def test_plain_code_waits_at_any_depth():
    def down(depth):
        return portal.wait(later(depth)) if not depth else down(depth - 1) + 1

    assert await portal.enter(plain(down, 100)) == 100


async def test_an_exception_comes_out_on_either_side():
    async def failing():
        await asyncio.sleep(0)
        raise LookupError("lost")

    def catching():
        with pytest.raises(LookupError, match="lost"):
            portal.wait(failing())
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        await portal.enter(plain(catching))


async def test_an_exception_of_a_task_that_is_waited_for_tells_where_it_came_from():
    async def failing_elsewhere():
        await asyncio.sleep(0)
        raise LookupError("lost")

    with pytest.raises(LookupError) as caught:
        await portal.enter(plain(portal.wait, asyncio.get_running_loop().create_task(failing_elsewhere())))
    assert "failing_elsewhere" in [entry.name for entry in caught.traceback]


async def test_a_cancellation_reaches_the_plain_code_and_may_be_caught_there():
    reached = []

    def waiting():
        try:
            portal.wait(asyncio.Event().wait())
        except asyncio.CancelledError:
            reached.append(portal.wait(later("cleaned up")))
            raise

    task = asyncio.get_running_loop().create_task(portal.enter(plain(waiting)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert reached == ["cleaned up"]


async def test_many_portals_interleave_and_none_sees_the_others_context():
    def work(number):
        NUMBER.set(number)
        for turn in range(5):
            assert portal.wait(later(turn)) == turn
            assert NUMBER.get() == number
            assert asyncio.current_task() is tasks[number]
        return number

    tasks = [asyncio.get_running_loop().create_task(portal.enter(plain(work, number))) for number in range(100)]
    assert await asyncio.gather(*tasks) == list(range(100))
    assert NUMBER.get() == 0


async def test_a_portal_is_open_only_for_the_task_that_entered_it():
    async def other():
        return portal.is_open()

    def inside():
        assert portal.is_open()
        return portal.wait(asyncio.get_running_loop().create_task(other()))

    assert await portal.enter(plain(inside)) is False
    assert not portal.is_open()


async def test_without_a_portal_plain_code_is_refused():
    waiting = later(1)
    with pytest.raises(LoopError):
        portal.wait(waiting)
    waiting.close()


async def test_a_used_portal_keeps_nothing_of_what_ran_in_it():
    class Thing:
        pass

    thing = Thing()
    reference = weakref.ref(thing)
    assert await portal.enter(plain(lambda held: portal.wait(later(held)), thing)) is thing
    del thing
    await asyncio.sleep(0)
    gc.collect()
    assert reference() is None


def test_a_loop_that_ends_in_the_middle_of_a_wait_leaves_no_coroutine_behind():
    closed = []

    async def stuck():
        try:
            await asyncio.Event().wait()
        finally:
            closed.append("stuck")

    async def main():
        asyncio.get_running_loop().create_task(portal.enter(plain(portal.wait, stuck()))).add_done_callback(
            lambda task: closed.append(task.cancelled())
        )
        await asyncio.sleep(0)

    asyncio.run(main())
    assert closed == ["stuck", True]


async def test_an_interrupt_inside_plain_code_comes_out():
    class StopEverything(BaseException):
        pass

    def stopping():
        portal.wait(later(1))
        raise StopEverything

    with pytest.raises(StopEverything):
        await portal.enter(plain(stopping))


async def test_of_many_at_once_no_more_are_kept_than_are_worth_it():
    """A greenlet that is dropped in the middle of its code is never freed: it has to come to its end."""
    gate = asyncio.Event()
    many = [asyncio.create_task(portal.enter(gate.wait())) for _ in range(500)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*many)
    gc.collect()
    assert sum(isinstance(found, portal.Portal) for found in gc.get_objects()) < 150
