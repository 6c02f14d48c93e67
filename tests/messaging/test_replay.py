"""Nothing is taken twice, whatever is forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drupe.messaging.replay import Replays


def test_what_came_before_is_not_taken_again():
    replays = Replays(0)

    assert replays.take(5, 1, horizon=0)
    assert replays.take(5, 2, horizon=0)
    assert replays.take(6, 1, horizon=0)
    assert not replays.take(5, 1, horizon=0)
    assert len(replays) == 3


def test_what_cannot_be_remembered_counts_as_too_old():
    replays = Replays(0, capacity=3)
    for second in (1, 2, 3, 4):
        replays.take(second, 7, horizon=0)

    assert len(replays) == 3
    assert [replays.is_old(second) for second in (0, 1, 2)] == [True, True, False]


def test_a_flood_within_one_second_ends_that_second():
    replays = Replays(0, capacity=3)
    for mark in range(4):
        assert replays.take(1, mark, horizon=0)

    assert len(replays) == 0
    assert replays.is_old(1)
    assert not replays.is_old(2)


def test_what_is_past_the_horizon_makes_room_and_stays_out_even_if_the_clock_is_turned_back():
    replays = Replays(0)
    replays.take(1, 7, horizon=0)
    replays.take(100, 7, horizon=40)

    assert len(replays) == 1
    assert replays.is_old(1)


@given(
    st.integers(1, 8),
    st.lists(st.tuples(st.integers(1, 12), st.integers(0, 3), st.integers(0, 12)), max_size=60),
)
def test_whatever_comes_nothing_is_taken_twice_and_the_memory_is_bounded(capacity, arrivals):
    replays, taken = Replays(0, capacity=capacity), set()
    for second, mark, horizon in arrivals:
        if replays.is_old(second):
            continue
        fresh = replays.take(second, mark, horizon=horizon)
        assert fresh == ((second, mark) not in taken)
        taken.add((second, mark))
        assert len(replays) <= capacity


@pytest.mark.parametrize("floor", [0, 10])
def test_what_was_before_the_start_is_too_old(floor):
    assert Replays(floor).is_old(floor)
    assert not Replays(floor).is_old(floor + 1)
