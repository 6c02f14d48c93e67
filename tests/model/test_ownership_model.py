"""The protocol of ownership keeps its promises in every state there is, and each part of it is needed for that."""

import pytest

from tests.model.__main__ import told
from tests.model.protocol import MUTATIONS, Ownership, Size
from tests.model.search import Move, Search

ALL_FAULTS = Size(kills=1)
"""Two workers, two steps, and once each: kill, freeze, repeated task, lost message or answer, order."""


@pytest.mark.untraced
@pytest.mark.slow
def test_nothing_is_broken_and_nothing_is_stuck_in_any_state():
    found = Search(Ownership(ALL_FAULTS)).run()

    assert told(found) == []
    assert found.broken == ""
    assert found.states > 100_000  # it was searched
    assert found.ends > 10_000


@pytest.mark.untraced
@pytest.mark.slow
def test_two_kills_and_three_steps_break_nothing_either():
    found = Search(Ownership(Size(steps=3, kills=2, losses=0, duplicates=0))).run()

    assert found.broken == ""
    assert found.ends > 1000


@pytest.mark.untraced
@pytest.mark.slow
@pytest.mark.parametrize(
    ("without", "broken", "trace"),
    [
        (
            "fencing",
            "a write with epoch 1, and the row has epoch 2",
            ["is frozen", "claims", "goes on", "commits step"],
        ),
        ("sequence check", "step 1 is committed twice", ["commits, and hears no answer, step", "commits step"]),
        ("sweep", "the end cannot be reached any more", ["creates", "acknowledges the task", "is killed"]),
        ("kept task", "the end cannot be reached any more", ["takes the task", "is killed"]),
        ("outbox", "the end cannot be reached any more", ["takes step", "commits step", "is killed"]),
        ("answer in the change", "the end cannot be reached any more", ["kills it", "is killed"]),
        ("write, then tell", "step 1 is told of, and will never be committed", ["claims", "goes on", "takes step"]),
        ("look at one's own", "the end cannot be reached any more", ["claims, and hears no answer"]),
    ],
)
def test_without_any_part_of_it_there_is_a_counter_example(without, broken, trace):
    size = Size(kills=1, duplicates=0, losses=int(without in ("sequence check", "look at one's own")))

    assert Search(Ownership(size)).run().broken == ""  # with all its parts nothing is broken
    found = Search(Ownership(size, without)).run()

    assert found.broken == broken
    happened = iter(what[0] for what, _ in found.trace)
    assert all(wanted in happened for wanted in trace), told(found)
    assert told(found)[-1].endswith(broken)


def test_every_part_that_can_be_taken_out_is_tried():
    tried = {mark.args[1][i][0] for mark in _marks() if mark.name == "parametrize" for i in range(len(mark.args[1]))}

    assert tried == set(MUTATIONS)


def _marks():
    return test_without_any_part_of_it_there_is_a_counter_example.pytestmark


DOORS = {0: [1, 2], 1: [3], 2: [3], 3: []}


class Maze:
    """Rooms with doors: from 2 a door leads on that only opens by accident."""

    def start(self):
        return 0

    def moves(self, room):
        return [Move((f"to {there}",), there, helps=room != 2) for there in DOORS[room]]

    def is_over(self, room):
        return room == 3

    def canonical(self, room):
        return room


def test_what_only_a_fault_can_free_is_stuck():
    found = Search(Maze()).run()

    assert (found.states, found.moves, found.ends) == (4, 4, 1)
    assert [what for what, _ in found.trace] == [("to 2",)]
