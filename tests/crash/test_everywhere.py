"""A crash at every place, at every hit: the end is that of the undisturbed run, and nothing committed is done again.

What is repeated after a crash, and all that is:

- The step that ran, from its start, with the arguments, fields and context of its last checkpoint.
- The hooks before a commit whose commit was not there yet. Hooks after the commit, listeners and futures are not
  repeated: what they were to tell may be lost with the interpreter.
- The predicates of an outline in front of the step that is repeated.
- The value of `Process.resume` is not kept until the step that it starts is committed: whoever answers answers again.

What is not: a step whose checkpoint is there; the making of a child, which a repeated step finds again by its place
in the step or by its key, whether it lives, waits, or ended, in whichever way.
"""

import contextlib
import itertools

import pytest

from drupe.errors import ExceptedError
from drupe.storage.memory import MemoryStore
from drupe.storage.memory_state import MemoryState
from drupe.storage.sqlite import SqliteStore
from drupe.testing.clock import ManualClock
from drupe.testing.crash import World, begin, crashed, crashes, undisturbed
from drupe.testing.unsteady import UnsteadyStore
from tests.crash.journal import JOURNAL
from tests.crash.workflows import Family, Letters, Outer, Unlucky, steer


async def letters(runner):
    await JOURNAL.interpreter(runner.store)
    process = await begin(runner, Letters, {"word": "drupe"}, pid="root")
    await steer(runner, process)
    await runner.drained()


def play_of(process_class, inputs=None):
    async def play(runner):
        await JOURNAL.interpreter(runner.store)
        process = await begin(runner, process_class, inputs, pid="root")
        with contextlib.suppress(ExceptedError):
            await process
        await runner.drained()

    return play


PLAYS = {
    "letters": letters,
    "family": play_of(Family),
    "nested": play_of(Outer),
    "unlucky": play_of(Unlucky),
}
each_play = pytest.mark.parametrize("play", PLAYS.values(), ids=PLAYS)


@pytest.fixture(autouse=True)
def quiet_journal(caplog):
    caplog.set_level("CRITICAL", "drupe")  # a crash is told to nobody
    JOURNAL.clear()


def shaky_world(seed):
    """A world in which what goes on at once goes on in another order for each seed."""
    state, clock = MemoryState(), ManualClock()
    return World(lambda probe: UnsteadyStore(MemoryStore(state, clock=clock, probe=probe), seed))


def learn(play):
    """What the undisturbed run comes to, and the steps it takes."""
    expected = undisturbed(World, play)
    steps = JOURNAL.starts()
    JOURNAL.clear()
    return expected, steps


def compare(crash, world, expected, steps):
    found = world.picture()
    assert found.keys() == expected.keys(), f"{crash}: a child was made twice, or never"
    for pid in expected:
        assert found[pid] == expected[pid], crash
    JOURNAL.check(steps)
    JOURNAL.clear()


@pytest.mark.untraced
@pytest.mark.slow
@each_play
def test_a_crash_at_any_place_changes_nothing(play):
    expected, steps = learn(play)
    places, count = set(), 0
    for crash, world in crashes(World, play):
        compare(crash, world, expected, steps)
        places.add(crash.split(",")[0].removeprefix("crashed at "))
        count += 1
    assert places >= {"host.commit", "host.committed", "store.save", "store.begin", "store.apply", "store.commit"}
    assert count > 100


@pytest.mark.untraced
@pytest.mark.slow
@each_play
def test_a_crash_at_any_place_changes_nothing_in_whatever_order_things_happen(play):
    expected, steps = learn(play)
    worlds = map(shaky_world, itertools.count())
    for crash, world in crashes(lambda: next(worlds), play, step=3):
        compare(crash, world, expected, steps)


@pytest.mark.untraced
@pytest.mark.slow
@each_play
def test_a_crash_while_recovering_from_a_crash_changes_nothing(play):
    expected, steps = learn(play)
    for first in itertools.count(5, 23):
        for second in (1, 6, 12, 19, 33, 61):
            found = crashed(World(), play, [first, second])
            if found is None:
                return
            compare(*found, expected, steps)


@each_play
def test_crash_after_crash_ends_when_each_interpreter_comes_a_little_further(play):
    expected, steps = learn(play)
    found = crashed(World(), play, [16] * 60)
    assert found is not None
    compare(*found, expected, steps)


@pytest.mark.slow
@each_play
def test_a_crash_with_a_file_changes_nothing(play, tmp_path):
    expected, steps = learn(play)
    files = (tmp_path / f"{number}.db" for number in itertools.count())

    def on_a_file():
        path = next(files)
        return World(lambda probe: SqliteStore(path, durability="process", probe=probe))

    for crash, world in crashes(on_a_file, play, first=2, step=13):
        compare(crash, world, expected, steps)
