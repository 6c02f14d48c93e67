"""Which broadcasts pass a filter."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drupe.core.broadcast_filter import BroadcastFilter


@pytest.mark.parametrize(
    ("wanted", "subject", "passes"),
    [
        ("a.b", "a.b", True),
        ("a.b", "a.b.c", False),
        ("a.b", "axb", False),
        ("state_changed.*.finished", "state_changed.running.finished", True),
        ("state_changed.*.finished", "state_changed.a.b.finished", True),
        ("state_changed.*.finished", "state_changed.finished", False),
        ("*", "", True),
        ("*", "two\nlines", True),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "a-c", False),
        ("a*", "ba", False),
        ("[a]?", "[a]?", True),
        (re.compile("a+"), "aaa", True),
        (re.compile("a+"), "aab", False),
        (("a", "b*"), "bee", True),
        (("a", re.compile("c")), "bee", False),
        ("a", None, False),
        ((), None, True),
        ((), "anything", True),
    ],
)
def test_a_subject_passes_one_of_the_wanted(wanted, subject, passes):
    assert BroadcastFilter(wanted)("sender", subject) is passes
    assert BroadcastFilter(sender=wanted)(subject, "subject") is passes


def test_sender_and_subject_must_both_be_wanted():
    both = BroadcastFilter(["x", "y"], sender=["a", "b"])

    assert [both(*pair) for pair in (("a", "x"), ("b", "y"), ("a", "z"), ("c", "x"))] == [True, True, False, False]


def _matches(parts, text):
    first, *others = parts
    if not others:
        return text == first
    return text.startswith(first) and any(_matches(others, text[start:]) for start in range(len(first), len(text) + 1))


@given(st.text("ab*.", max_size=8), st.text("ab.\n", max_size=10))
def test_wildcards_mean_what_they_say(wanted, subject):
    assert BroadcastFilter(wanted)(None, subject) is _matches(wanted.split("*"), subject)


def test_no_subject_makes_a_filter_slow():
    start = time.perf_counter()

    assert not BroadcastFilter("*a" * 50 + "*b")(None, "a" * 5000)

    assert time.perf_counter() - start < 5
