"""Running a coroutine from plain code: what comes back, and what is left as it was."""

import asyncio
import gc
import os
import sys
import threading

import pytest

from drupe.errors import LoopError
from drupe.runtime import bridge


async def answer(value=1):
    await asyncio.sleep(0)
    return value


async def failing():
    await asyncio.sleep(0)
    raise LookupError("lost")


async def interrupted():
    raise KeyboardInterrupt


async def nested(below):
    """Run something in plain code inside a running loop, on another one."""
    await asyncio.sleep(0)
    return bridge.run(below())


def test_it_gets_the_result_or_the_exception():
    assert bridge.run(answer(5)) == 5
    with pytest.raises(LookupError):
        bridge.run(failing())
    with pytest.raises(KeyboardInterrupt):
        bridge.run(interrupted())
    assert bridge.run(answer(6)) == 6


@pytest.mark.parametrize("below", [failing, interrupted])
def test_what_fails_in_a_loop_in_a_loop_does_not_disturb_the_next_run(below):
    for _ in range(3):
        with pytest.raises((LookupError, KeyboardInterrupt)):
            bridge.run(nested(below))
        assert bridge.run(nested(answer)) == 1


def test_a_loop_of_its_own_is_used_again_and_closed_with_its_thread():
    loops = []

    async def here():
        loops.append(asyncio.get_running_loop())

    def twice():
        bridge.run(here())
        bridge.run(here())

    thread = threading.Thread(target=twice)
    thread.start()
    thread.join()
    gc.collect()
    first, second = loops
    assert first is second
    assert first.is_closed()


def test_tasks_that_were_left_on_a_loop_of_its_own_are_cancelled():
    async def leave():
        tasks.append(asyncio.get_running_loop().create_task(asyncio.Event().wait()))

    tasks = []
    bridge.run(leave())
    assert tasks[0].cancelled()


def test_the_current_loop_of_the_user_is_used_and_left_open():
    async def here():
        return asyncio.get_running_loop()

    def call():
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            assert bridge.current_loop() is loop
            assert bridge.run(here()) is loop
            assert not loop.is_closed()
            loop.close()
            assert bridge.current_loop() is None
            assert bridge.run(here()) is not loop
        finally:
            asyncio.set_event_loop(None)

    thread_result = []

    def guarded():
        try:
            call()
        except BaseException as error:  # noqa: BLE001 (looked at below)
            thread_result.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    thread.join()
    assert thread_result == []


def test_asking_for_the_current_loop_makes_none():
    def call():
        found.append(bridge.current_loop())
        found.append(getattr(asyncio.get_event_loop_policy()._local, "_loop", None))

    found = []
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert found == [None, None]


def test_a_closed_loop_is_refused_and_the_coroutine_is_not_left_unawaited():
    loop = asyncio.new_event_loop()
    loop.close()
    with pytest.raises(LoopError, match="closed"):
        bridge.run(answer(), loop=loop)
    gc.collect()  # a coroutine that was never awaited would warn, and warnings are errors


def test_a_loop_that_somebody_stops_says_so():
    async def stopping():
        asyncio.get_running_loop().stop()
        await asyncio.Event().wait()

    with pytest.raises((LoopError, RuntimeError), match="stopped"):
        bridge.run(stopping())
    assert bridge.run(answer(2)) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # threads of the test runner
def test_a_forked_child_makes_loops_of_its_own():
    bridge.run(answer())
    pid = os.fork()
    if not pid:
        try:
            code = 0 if bridge.run(answer(7)) == 7 else 1
        except BaseException:  # noqa: BLE001 (the child only answers)
            code = 2
        os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert bridge.run(answer(8)) == 8


async def test_a_running_loop_is_set_aside_and_put_back():
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    async def elsewhere():
        assert asyncio.get_running_loop() is not loop
        assert asyncio.current_task() is not task
        return await answer(3)

    assert bridge.run(elsewhere()) == 3
    assert asyncio.get_running_loop() is loop
    assert asyncio.current_task() is task
    with pytest.raises(LookupError):
        bridge.run(failing())
    assert asyncio.current_task() is task
    assert await answer(4) == 4


def test_it_needs_no_more_of_the_stack_than_a_call():
    async def down(depth):
        return bridge.run(down(depth - 1)) + 1 if depth else 0

    assert bridge.run(down(20)) == 20
    assert sys.getrecursionlimit() <= 1000
