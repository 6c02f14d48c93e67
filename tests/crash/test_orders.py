"""A crash at every place while orders are given, carried out and answered: none is lost, none is done twice, none overtakes another."""

import asyncio
import contextlib
import itertools

import pytest

from drupe import Continue, Process, Stop, Wait, field
from drupe.core.asking import order_of
from drupe.core.message import KillRequest, PauseRequest, PlayRequest, SignalRequest
from drupe.core.order import Outcome
from drupe.errors import KilledError, UnknownOrderError
from drupe.storage.memory import MemoryStore
from drupe.storage.memory_state import MemoryState
from drupe.storage.sqlite import SqliteStore
from drupe.testing.clock import ManualClock
from drupe.testing.crash import World, begin, crashed, crashes
from drupe.testing.unsteady import UnsteadyStore

WORDS = ["one", "two", "three", "four"]


class Mailbox(Process):
    """Takes words by signals, every second one from another slot, with a step in between that awaits something."""

    taken = field(factory=list)

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.output("words", valid_type=list)

    def run(self):
        return Wait(self.take, f"for word {len(self.taken)}", signal=slot(len(self.taken)))

    def take(self, word):
        self.taken = [*self.taken, word]
        return Continue(self.think)

    async def think(self):
        await asyncio.sleep(0)
        if len(self.taken) < len(WORDS):
            return Wait(self.take, f"for word {len(self.taken)}", signal=slot(len(self.taken)))
        self.out("words", self.taken)
        return Stop(len(self.taken))


def slot(number):
    return ("even", "odd")[number % 2]


class Working(Process):
    """Is always in the middle of a step when orders come, until it is told that there come no more."""

    told = asyncio.Event()

    async def run(self):
        for _ in range(6):
            await asyncio.sleep(0)
        return "told" if self.told.is_set() else Continue(self.run)


async def ask(runner, *requests, since=0):
    """Give orders one by one, as somebody would who may have given them before: with the same ids."""
    for number, request in enumerate(requests, since):
        await runner.store.ask([order_of(request, id=f"order-{number}", pid="root", at=1.0)])
        runner.attend("root")


async def answered(runner, number):
    """Wait until an order is answered."""
    while (found := await runner.store.receipt(f"order-{number}")).outcome is Outcome.REQUESTED:  # noqa: ASYNC110 (it tells nobody)
        await asyncio.sleep(0)
    return found


# --- what is played ------------------------------------------------------------------------------------------------


async def letters(runner):
    """Words that come before they are waited for, and after; in their order, each once."""
    process = await begin(runner, Mailbox, pid="root")
    await ask(runner, *(SignalRequest(name=slot(n), payload=word) for n, word in enumerate(WORDS)))
    await process


async def steered(runner):
    """A pause, a word, a play, one after the other was answered; then the other words."""
    process = await begin(runner, Mailbox, pid="root")
    first, *rest = (SignalRequest(name=slot(n), payload=word) for n, word in enumerate(WORDS))
    await ask(runner, PauseRequest(reason="a break"))
    await answered(runner, 0)
    await ask(runner, first, PlayRequest(), since=1)
    await answered(runner, 2)
    await ask(runner, *rest, since=3)
    await process


async def interrupted(runner):
    """A pause in the middle of a step, and a play once it was answered."""
    Working.told.clear()
    process = await begin(runner, Working, pid="root")
    await ask(runner, PauseRequest())
    await answered(runner, 0)
    await ask(runner, PlayRequest(), since=1)
    await answered(runner, 1)
    Working.told.set()
    await process


async def at_once(runner):
    """Orders that lie there together: the last word is that of the last."""
    process = await begin(runner, Mailbox, pid="root")
    await ask(runner, PauseRequest(), PlayRequest(), PauseRequest(), PlayRequest(), PauseRequest())
    await answered(runner, 4)
    while not process.paused:  # noqa: ASYNC110 (the store's reader may tell of the commit before its writer does)
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    assert process.paused


async def killed(runner):
    """A kill in the middle of a step, after a pause that it overtakes."""
    Working.told.clear()
    process = await begin(runner, Working, pid="root")
    await ask(runner, PauseRequest(), KillRequest(reason="enough"))
    with pytest.raises(KilledError, match="enough"):
        await process


PLAYS = {play.__name__: play for play in (letters, steered, interrupted, at_once, killed)}
each_play = pytest.mark.parametrize("play", PLAYS.values(), ids=PLAYS)


# --- what holds in the end -----------------------------------------------------------------------------------------


def check(world, play, crash):
    """No order is left, each was carried out once, and the end is the same as without a crash."""
    row, _, contents, history = world.picture()["root"]
    receipts = world.live(receipts_of)
    events = [event for _, event, _, _ in history]
    assert all(receipt.settled for receipt in receipts), crash
    said = [receipt.outcome is Outcome.APPLIED for receipt in receipts]
    match play.__name__:
        case "letters" | "steered":
            assert contents["outputs"]["words"] == WORDS, crash
            assert all(said), crash
        case "interrupted":
            assert (contents["stage"]["result"], all(said)) == ("told", True), crash
        case "at_once":
            assert row["paused"], crash
            assert said[-1], crash
        case "killed":
            assert (row["state"], said[-1]) == ("killed", True), crash
    asked = {"letters": 0, "steered": 1, "interrupted": 1, "at_once": 3, "killed": 0}[play.__name__]
    assert events.count("paused") <= asked + (play is killed), crash
    assert play is not steered or events.count("paused") == events.count("played") == 1, crash


async def receipts_of(runner):
    found = []
    with contextlib.suppress(UnknownOrderError):
        while True:
            found.append(await runner.store.receipt(f"order-{len(found)}"))
    return found


@pytest.fixture(autouse=True)
def quiet(caplog):
    caplog.set_level("CRITICAL", "drupe")  # a crash is told to nobody


def shaky_world(seed):
    """A world in which what goes on at once goes on in another order for each seed."""
    state, clock = MemoryState(), ManualClock()
    return World(lambda probe: UnsteadyStore(MemoryStore(state, clock=clock, probe=probe), seed))


@each_play
def test_without_a_crash(play):
    world = World()
    world.live(play)
    check(world, play, "no crash")


@pytest.mark.untraced
@pytest.mark.slow
@each_play
def test_a_crash_at_any_place_loses_no_order_and_does_none_twice(play):
    places, count = set(), 0
    for crash, world in crashes(World, play):
        check(world, play, crash)
        places.add(crash.split(",")[0].removeprefix("crashed at "))
        count += 1
    assert places >= {"store.ask", "store.save", "host.commit", "host.committed", "store.commit"}
    assert count > 40


@pytest.mark.untraced
@pytest.mark.slow
@each_play
def test_nor_in_whatever_order_things_happen(play):
    worlds = map(shaky_world, itertools.count())
    for crash, world in crashes(lambda: next(worlds), play):
        check(world, play, crash)


@pytest.mark.untraced
@pytest.mark.slow
@each_play
def test_nor_crash_after_crash(play):
    for first in itertools.count(5, 7):
        for second in (1, 4, 8, 13, 19, 29):
            found = crashed(World(), play, [first, second, second])
            if found is None:
                return
            crash, world = found
            check(world, play, crash)


@pytest.mark.untraced
@pytest.mark.slow
@each_play
def test_nor_with_a_file(play, tmp_path):
    files = (tmp_path / f"{number}.db" for number in itertools.count())

    def on_a_file():
        path = next(files)
        return World(lambda probe: SqliteStore(path, durability="process", probe=probe))

    for crash, world in crashes(on_a_file, play, first=2, step=7):
        check(world, play, crash)
