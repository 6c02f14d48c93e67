"""That an owner has died is heard of once, and what it held is taken up then, not with the next look."""

import asyncio
from functools import partial

import pytest

from drupe.core.lifecycle import State
from drupe.engine.process import Process
from drupe.engine.registry import ClassRegistry
from drupe.messaging.memory import MemoryCommunicator, MemoryHub
from drupe.service.deaths import Deaths
from drupe.service.presence import Presence
from drupe.service.runner import Runner
from drupe.service.worker import Worker
from drupe.storage.memory import MemoryState, MemoryStore
from drupe.testing.communicator_contract_case import soon
from tests.service.samples import Sum

HOLDS = """
import sys
from pathlib import Path
from drupe.service.presence import Presence

presence = Presence(Path(sys.argv[1]))
presence.announce(sys.argv[2])
print("here", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "owners"


@pytest.fixture
def owner(folder, program):
    """A function that has an owner in a program of its own."""

    def start(name):
        found = program(HOLDS, folder, name)
        assert found.stdout.readline() == "here\n"
        return found

    return start


def end(found):
    found.kill()
    found.wait()


@pytest.mark.slow
def test_a_death_is_told_once_whenever_the_owner_came(folder, owner):
    early = owner("early")
    deaths = Deaths(Presence(folder))
    late = owner("late")
    assert deaths.fresh() == set()

    end(early)
    assert deaths.fresh() == {"early"}
    end(late)
    assert deaths.fresh() == {"late"}
    assert deaths.fresh() == set()
    assert deaths.known() == {"early", "late"}


async def test_who_leaves_is_heard_of_once(folder):
    """What it held is free by then."""
    leaving = Presence(folder)
    leaving.announce("leaving")
    deaths = Deaths(Presence(folder), interval=0.001)
    assert await deaths.next(timeout=0.01) is False
    leaving.withdraw("leaving")
    assert await deaths.next(timeout=20.0) is True
    assert await deaths.next(timeout=0.01) is False
    assert deaths.known() == set()


@pytest.mark.slow
def test_those_who_were_dead_before_are_no_news(folder, owner):
    end(owner("former"))

    deaths = Deaths(Presence(folder))
    assert deaths.fresh() == set()
    assert deaths.known() == {"former"}


def test_who_leaves_in_good_order_did_not_die(folder):
    presence = Presence(folder)
    deaths = Deaths(Presence(folder))
    presence.announce("one")
    assert deaths.fresh() == set()
    presence.withdraw("one")

    assert deaths.fresh() == set()


async def test_who_waits_for_a_death_waits_no_longer_than_was_said(folder):
    assert await Deaths(Presence(folder), interval=0.001).next(timeout=0.01) is False


@pytest.mark.slow
async def test_who_waits_for_a_death_hears_of_it(folder, owner):
    former = owner("former")
    deaths = Deaths(Presence(folder))
    waiting = asyncio.create_task(deaths.next(timeout=3600))
    await asyncio.sleep(0)

    end(former)

    assert await soon(waiting) is True


@pytest.mark.slow
async def test_a_worker_takes_up_what_somebody_held_who_dies_without_looking_again(folder, owner):
    """The next look is an hour away, and the lease runs as long."""
    state, presence = MemoryState(), Presence(folder)
    gone = Runner(MemoryStore(state), lease=3600)
    async with gone:
        process = await gone.create(Sum, {"numbers": [1, 2]})
        holder = owner(gone.owner)
        communicator = MemoryCommunicator(MemoryHub(MemoryStore(state).tasks))
        await communicator.open()
        async with Runner(MemoryStore(state), presence=presence, lease=3600) as runner:
            deaths = Deaths(presence)
            make = partial(Worker, runner, communicator, ClassRegistry(Process), dead=deaths.known)
            worker, stop = make(sweep=3600, deaths=deaths), asyncio.Event()
            working = asyncio.create_task(worker.work(stop))
            end(holder)
            while (await runner.store.record(process.pid)).state is not State.FINISHED:  # noqa: ASYNC110 (a store does not call)
                await asyncio.sleep(0.01)
            stop.set()
            await soon(working)
        await communicator.close()


@pytest.mark.slow
async def test_the_dead_are_forgotten_once_they_hold_nothing(folder, owner):
    """In the store and in the folder; one that still holds something is kept, so that others know that they may have it."""
    state = MemoryState()
    store = MemoryStore(state)
    async with Runner(MemoryStore(state), lease=3600) as gone, Runner(MemoryStore(state), lease=3600) as idle:
        await store.open()
        process = await gone.create(Sum, {"numbers": [1, 2]})
        for found in (owner(gone.owner), owner(idle.owner)):
            end(found)
        alive = owner("alive")
        (folder / "half.17.new").touch()
        deaths = Deaths(Presence(folder))

        await deaths.clear(store)
        assert Presence(folder).known() == {gone.owner, "alive"}
        assert [row.name for row in await store.owners()] == [gone.owner]
        assert not list(folder.glob("*.new"))

        await store.join("heir", lease=3600)
        await store.claim(process.pid, owner="heir", dead=deaths.known())
        await deaths.clear(store)
        assert Presence(folder).known() == {"alive"}
        assert [row.name for row in await store.owners()] == ["heir"]
        assert deaths.known() == set()
        end(alive)
        await store.close()
