"""Probes act at the hit they were told, once, and write down where."""

import threading

import pytest

from drupe.testing import CrashAt, CrashError, DelayAt, FailAt, HangAt, Recorder


def test_a_recorder_lists_what_it_passed():
    probe = Recorder()
    for place in "aba":
        probe(place)
    assert (probe.places, probe.count(), probe.count("a"), probe.count("c")) == (["a", "b", "a"], 3, 2, 0)


def test_a_crash_comes_at_its_hit_and_stays():
    probe = CrashAt(3)
    probe("a")
    probe("b")
    for place in "ca":
        with pytest.raises(CrashError, match="at c, hit 3"):
            probe(place)
    assert probe.hit == "c"


def test_hits_of_one_place_are_counted_alone():
    probe = CrashAt(2, "b")
    for place in "aba":
        probe(place)
    assert probe.hit is None
    with pytest.raises(CrashError):
        probe("b")


def test_a_crash_is_no_exception_that_a_handler_would_hide():
    assert not issubclass(CrashError, Exception)


def test_a_failure_comes_once():
    error = ValueError("no")
    probe = FailAt(1, error, "a")
    probe("b")
    with pytest.raises(ValueError, match="no") as raised:
        probe("a")
    assert raised.value is error
    probe("a")


def test_who_hangs_goes_on_when_released():
    probe = HangAt(1)
    thread = threading.Thread(target=probe, args=("a",))
    thread.start()
    assert probe.reached.wait(10)
    assert thread.is_alive()
    probe("a")  # only the first hit hangs
    probe.release()
    thread.join(10)
    assert not thread.is_alive()


def test_who_is_never_released_fails():
    with pytest.raises(TimeoutError, match="hung at a"):
        HangAt(1, limit=0.01)("a")


def test_a_delay_does_something_else_first():
    seen = []
    probe = DelayAt(2, lambda: seen.append("meanwhile"), "a")
    for place in "aba":
        probe(place)
        seen.append(place)
    assert seen == ["a", "b", "meanwhile", "a"]


def test_hits_are_counted_from_one():
    with pytest.raises(ValueError, match="from 1"):
        CrashAt(0)


def test_threads_that_pass_at_once_are_counted_one_by_one():
    hits = []
    probe = DelayAt(400, lambda: hits.append(1))
    threads = [threading.Thread(target=lambda: [probe("a") for _ in range(100)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert hits == [1]
