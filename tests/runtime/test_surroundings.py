"""Clock, names, probe and pulse, as they are used in earnest."""

import re
import threading
import time

from drupe.core.record import PID_PATTERN
from drupe.runtime.clock import SystemClock, tick
from drupe.runtime.ids import RandomIds
from drupe.runtime.probe import quiet
from drupe.runtime.pulse import Pulse


def test_the_clock_tells_the_time_and_steady_time_only_goes_forward():
    clock = SystemClock()
    assert abs(clock.now() - time.time()) < 5
    times = [clock.steady() for _ in range(1000)]
    assert times == sorted(times)
    assert tick() <= tick()


def test_a_boot_has_one_name():
    assert SystemClock().boot() == SystemClock().boot() != ""


def test_pids_are_all_different_well_formed_and_sort_by_time(monkeypatch):
    ids = RandomIds()
    pids = [ids.pid() for _ in range(10_000)]
    assert len(set(pids)) == len({pid[-12:] for pid in pids}) == len(pids)
    assert {(len(pid), pid[12]) for pid in pids} == {(32, "7")}
    assert {pid[16] for pid in pids} == set("89ab")
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now + 1_000_000_000_000)
    assert ids.pid() > max(pids)


def test_an_owner_has_a_name_that_is_also_a_pid_and_never_comes_twice():
    ids = RandomIds()
    owners = {ids.owner() for _ in range(1000)}
    assert len(owners) == 1000
    assert all(re.fullmatch(PID_PATTERN, owner) for owner in owners)


def test_the_probe_in_earnest_does_nothing():
    assert quiet("anywhere") is None


def test_a_pulse_beats_until_it_says_no():
    beats = []
    over = threading.Event()

    def beat():
        beats.append(threading.current_thread().name)
        if len(beats) == 3:
            over.set()
        return len(beats) < 3

    pulse = Pulse(beat, interval=0.001, name="heart")
    pulse.start()
    assert over.wait(10)
    pulse.stop()
    pulse.stop()
    assert beats == ["heart"] * 3


def test_a_pulse_that_is_stopped_beats_no_more():
    beats = []
    begun = threading.Event()

    def beat():
        beats.append(1)
        begun.set()
        return True

    pulse = Pulse(beat, interval=0.001, name="heart")
    pulse.start()
    begun.wait(10)
    pulse.stop()
    count = len(beats)
    assert not begun.clear()
    assert not begun.wait(0.02)
    assert len(beats) == count


def test_a_pulse_that_never_started_can_be_stopped():
    Pulse(lambda: True, interval=10, name="heart").stop()
