"""Clocks and names that stand still until a test moves them."""

import re

import pytest

from drupe.core.record import PID_PATTERN
from drupe.testing import ManualClock, SequentialIds


def test_a_clock_stands_still_until_it_is_moved():
    clock = ManualClock(100.0, steady=5.0)
    assert (clock.now(), clock.steady()) == (100.0, 5.0)
    clock.advance(2.5)
    assert (clock.now(), clock.steady()) == (102.5, 7.5)


def test_steady_time_does_not_go_back_and_does_not_notice_a_turned_clock():
    clock = ManualClock(100.0, steady=5.0)
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1)
    clock.set_now(40.0)
    assert (clock.now(), clock.steady()) == (40.0, 5.0)


def test_a_reboot_starts_steady_time_anew():
    clock = ManualClock(steady=5.0)
    boots = [clock.boot()]
    for _ in range(2):
        clock.reboot(steady=1.0)
        boots.append(clock.boot())
    assert boots == ["boot-1", "boot-2", "boot-3"]
    assert clock.steady() == 1.0


def test_a_boot_of_any_name_is_followed_by_another():
    clock = ManualClock(boot="mine")
    clock.reboot()
    assert clock.boot() != "mine"


def test_names_are_the_same_in_every_run_and_never_twice():
    first, second = SequentialIds(), SequentialIds()
    pids = [first.pid() for _ in range(1000)]
    assert pids == [second.pid() for _ in range(1000)]
    assert pids == sorted(pids)
    assert len({pid[16:] for pid in pids}) == 1000
    assert all(re.fullmatch(PID_PATTERN, pid) and len(pid) == 32 for pid in pids)
    assert [first.owner(), first.owner()] == ["owner-1", "owner-2"]
