"""Errands to the loop of another thread always end."""

import asyncio
from concurrent.futures import CancelledError
from functools import partial

import pytest

from drupe.runtime.errand import Errands


def errands(loop):
    return Errands(loop, cancelled=InterruptedError, gone=ConnectionError)


async def work():
    return 1


def test_an_errand_to_a_closed_loop_fails_at_once():
    loop = asyncio.new_event_loop()
    loop.close()

    with pytest.raises(ConnectionError):
        errands(loop).send(work).result(0)


def test_an_errand_that_the_loop_never_saw_fails_with_it():
    loop = asyncio.new_event_loop()
    sent = errands(loop)
    future, cancelled = sent.send(work), sent.send(work)
    cancelled.cancel()
    loop.close()

    sent.fail_all()

    with pytest.raises(ConnectionError):
        future.result(0)


async def test_many_errands_that_are_sent_before_the_loop_looks_are_all_done_in_their_order():
    done = []
    sent = errands(asyncio.get_running_loop())

    async def note(number):
        done.append(number)

    await asyncio.gather(*(asyncio.wrap_future(sent.send(partial(note, number))) for number in range(5)))
    await asyncio.wrap_future(sent.send(partial(note, 5)))

    assert done == [0, 1, 2, 3, 4, 5]


async def test_work_that_is_cancelled_over_there_is_told():
    async def cancel_itself():
        raise asyncio.CancelledError

    with pytest.raises(InterruptedError):
        await asyncio.wrap_future(errands(asyncio.get_running_loop()).send(cancel_itself))


async def test_an_errand_that_is_kept_goes_on_though_nobody_waits():
    begun, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()
    sent = errands(asyncio.get_running_loop())

    async def keep():
        sent.keep(asyncio.current_task())
        sent.keep(None)
        begun.set()
        await go_on.wait()
        done.set()

    future = sent.send(keep)
    await begun.wait()
    assert sent.tasks() == []
    future.cancel()
    await asyncio.sleep(0)
    go_on.set()
    await done.wait()

    with pytest.raises(CancelledError):
        future.result(0)


async def test_an_errand_that_was_cancelled_before_it_began_is_not_done():
    done = []
    sent = errands(asyncio.get_running_loop())

    async def note():
        done.append(1)

    sent.send(note).cancel()
    await asyncio.wrap_future(sent.send(work))

    assert done == []
