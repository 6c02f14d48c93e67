"""What waits for a slow receiver is bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drupe.errors import OverloadedError
from drupe.messaging.backlog import LIMIT, Backlog, weight


def test_firm_items_go_first_and_are_refused_when_there_is_no_room():
    backlog = Backlog(2)
    backlog.put_loose("news")
    backlog.put_firm("call 1")
    backlog.put_firm("call 2")

    with pytest.raises(OverloadedError, match="2 messages"):
        backlog.put_firm("call 3")

    assert [backlog.take() for _ in range(3)] == [("call 1", 0), ("call 2", 0), ("news", 0)]
    with pytest.raises(IndexError):
        backlog.take()


def test_the_oldest_loose_items_make_room_and_are_counted():
    backlog = Backlog(2)
    for item in range(5):
        backlog.put_loose(item)
    backlog.miss(10)

    assert len(backlog) == 2
    assert [backlog.take(), backlog.take()] == [(3, 13), (4, 0)]


@given(st.integers(1, 5), st.lists(st.booleans()))
def test_what_is_taken_and_what_is_missed_add_up(limit, puts):
    backlog, taken, put = Backlog(limit), [], 0
    for is_put in puts:
        if is_put:
            backlog.put_loose(put)
            put += 1
        elif backlog:
            taken.append(backlog.take())
        assert len(backlog) <= limit
    taken += [backlog.take() for _ in range(len(backlog))]

    assert [item for item, _ in taken] == sorted(item for item, _ in taken)
    assert sum(1 + missed for _, missed in taken) == put


def test_large_messages_count_for_more_than_small_ones():
    assert [weight(size) for size in (0, 100, 8191, 8192, 2**20)] == [1, 1, 1, 2, 129]
    assert LIMIT * max(size / weight(size) for size in range(1, 2**20, 1000)) <= 8 * 2**20
