"""A process of many short steps gives the loop back; so does a crowd of them."""

import asyncio
import itertools
import sys
import time
from functools import partial

import pytest

from drupe import Continue, Process
from drupe.engine import turn
from drupe.runtime.portal import enter
from drupe.service.runner import Runner
from drupe.storage.memory import MemoryStore
from drupe.storage.memory_state import MemoryState

PROMISED = 0.020 if sys.gettrace() is None else 0.100
"""Seconds; a trace function, as that of a coverage run, makes every step several times as long as it is."""


class Counting(Process):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("steps", valid_type=int)

    def run(self, count=1):
        return count if count == self.inputs.steps else Continue(self.run, count + 1)


class Watch:
    """A task that is always ready: how long it was kept from running, in processor time of this thread."""

    def __init__(self):
        self.gaps = []

    async def __aenter__(self):
        self._task = asyncio.get_running_loop().create_task(self._watch())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self):
        # Processor time, since other programs of the machine must not look like steps of ours.
        last = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            self.gaps.append(now - last)
            last = now


@pytest.mark.untraced
@pytest.mark.slow
async def test_a_hundred_thousand_steps_keep_nobody_waiting():
    process = Counting({"steps": 100_000})
    async with Watch() as watch:
        await process
    assert process.result() == 100_000
    assert max(watch.gaps) < PROMISED
    assert len(watch.gaps) >= sum(watch.gaps) / 0.006


@pytest.mark.untraced
@pytest.mark.slow
async def test_a_thousand_busy_processes_keep_nobody_waiting():
    processes = [Counting({"steps": 60}) for _ in range(1000)]
    tasks = [asyncio.get_running_loop().create_task(process.step_until_terminated()) for process in processes]
    await asyncio.sleep(0)  # starting a thousand tasks is one turn of the loop, as it is for any program
    async with Watch() as watch:
        await asyncio.gather(*tasks)
    assert all(process.has_terminated() for process in processes)
    assert sorted(watch.gaps)[-3] < PROMISED
    assert len(watch.gaps) > 10


async def test_a_stored_process_keeps_nobody_waiting_even_where_a_commit_is_done_at_once():
    async with Runner(MemoryStore(MemoryState())) as runner:
        process = await runner.launch(Counting, steps=500)
        async with Watch() as watch:
            await process
    assert len(watch.gaps) > 50
    assert max(watch.gaps) < PROMISED


class Hands:
    """A clock that a test moves: each look at it takes as long as a step is to take."""

    def __init__(self, monkeypatch, seconds):
        self.now = 0.0
        self.seconds = seconds
        monkeypatch.setattr(turn, "tick", self.tick)

    def tick(self):
        self.now += self.seconds
        return self.now


@pytest.mark.parametrize("crowd", [1, 2, 50])
async def test_how_many_steps_fit_into_a_turn_does_not_depend_on_how_many_processes_there_are(monkeypatch, crowd):
    hands = Hands(monkeypatch, 0.0001)
    turn._turns.clear()
    processes = [Counting({"steps": 400}) for _ in range(crowd)]
    turns = [hands.now]

    async def watch():
        while not all(process.has_terminated() for process in processes):
            await asyncio.sleep(0)
            turns.append(hands.now)

    await asyncio.gather(watch(), *[process.step_until_terminated() for process in processes])
    longest = max(after - before for before, after in itertools.pairwise(turns))
    assert longest <= turn.SLICE + (crowd + 2) * hands.seconds * 2
    turn._turns.clear()


async def test_a_slice_that_was_used_up_is_renewed_in_the_next_turn(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(turn, "tick", lambda: now[0])
    shared = turn.Turn(asyncio.get_running_loop())
    assert not shared.over()
    now[0] = turn.SLICE
    assert shared.over()
    assert shared.over()
    await asyncio.sleep(0)
    assert not shared.over()


async def test_all_processes_of_a_loop_share_one_slice_and_loops_have_their_own():
    here = turn.turn_of(asyncio.get_running_loop())
    assert turn.turn_of(asyncio.get_running_loop()) is here
    other = asyncio.new_event_loop()
    try:
        assert turn.turn_of(other) is not here
    finally:
        other.close()


async def test_a_portal_inside_a_portal_of_the_same_task_is_a_plain_await():
    async def inner():
        await asyncio.sleep(0)
        return 1

    assert await enter(enter(inner())) == 1
    assert await asyncio.gather(*[partial(enter, inner())() for _ in range(100)]) == [1] * 100
