"""Warnings come at once, and not in floods."""

import logging

import pytest

from drupe.messaging.complaint import PAUSE, Complaints
from drupe.testing import ManualClock

LOG = logging.getLogger("drupe.messaging.test")


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def complaints(clock):
    return Complaints(LOG, clock=clock)


def test_the_first_of_a_kind_is_told_at_once_and_the_others_are_counted(complaints, clock, caplog):
    for number in range(1000):
        complaints.make("number %d is wrong", number)
    clock.advance(PAUSE)
    complaints.make("number %d is wrong", 1000)
    clock.advance(PAUSE)
    complaints.make("number %d is wrong", 1001)

    assert [record.getMessage() for record in caplog.records] == [
        "number 0 is wrong",
        "number 1000 is wrong (and 999 more like it)",
        "number 1001 is wrong",
    ]


def test_one_kind_does_not_keep_another_from_being_told(complaints, caplog):
    complaints.make("this")
    complaints.make("that")
    complaints.make("this")

    assert [record.getMessage() for record in caplog.records] == ["this", "that"]
