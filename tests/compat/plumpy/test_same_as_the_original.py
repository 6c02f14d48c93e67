"""The import name plumpy does what plumpy 0.26.1 does: both are run, and their traces must be equal."""

from pathlib import Path

import pytest

from tests.compat.both import DROP_IN, ORIGINAL, differing_names, told
from tests.messaging.rabbitmq.conftest import broker_url  # noqa: F401 - a fixture

HERE = Path(__file__).parent
KILLED, FINISHED = "ProcessState.KILLED", "ProcessState.FINISHED"

STEERED = {
    "control.steering[step-kill-pause]": KILLED,
    "control.steering[awaiting-kill-pause]": KILLED,
    "control.steering[step-pause-kill-play]": KILLED,
    "control.steering[awaiting-pause-kill-play]": KILLED,
    "control.steering[waiting-pause-kill]": KILLED,
    "control.steering[waiting-kill-pause]": KILLED,
    "control.steering[waiting-kill-kill]": KILLED,
    "control.steering[waiting-kill-kill-kill]": KILLED,
    "control.steering[waiting-pause-kill-play]": KILLED,
    "control.steering[waiting-pause-cancel-kill]": KILLED,
    "control.steering[waiting-resume-kill]": KILLED,
    "control.steering[waiting-resume-pause]": FINISHED,
    "control.steering[waiting-resume-pause-play]": FINISHED,
    "control.steering[waiting-pause-play-pause]": FINISHED,
    "control.steering[waiting-kill-cancel-pause]": FINISHED,
}
"""How processes end here that are asked for several things in one turn of the loop. The original answers the second one
with an error of its future, or loses a kill over a pause or a play that comes after it; here a kill is lost only by
cancelling it."""
SAID = {
    f"declared.{name}" for name in (
        "absorbing[set-plain]", "absorbing[set-typed]", "absorbing[set-default]",
        "exposing[set-none]", "exposing[set-sub]", "exposing[set-sub.sub]",
    )
} | {f"lifecycles.{name}[{kind}continue_with_text]" for name, kind in (
    ("to_the_end", "Plain-"), ("to_the_end", "Async-"), ("to_the_end", "Strict-"), ("executed", ""),
)}  # fmt: skip
"""The same errors at the same place, in other words: a type is named otherwise, and a step that cannot be called is called
that."""

EXECUTED = "messages.launched"
"""Where the original's thread controller executes a process: it sends the second task in the communicator's thread, which
waits for itself until its time-out; here that is done in another thread."""

pytestmark = [pytest.mark.service("rabbitmq"), pytest.mark.slow, pytest.mark.untraced, pytest.mark.timeout(180)]


def test_every_scenario_goes_as_with_the_original_or_as_is_wanted(broker_url):  # noqa: F811
    # One test, so that they are run once, however many workers there are.
    traces = {library: told(library, "-m", "scenarios", broker_url, beside=[HERE]) for library in (ORIGINAL, DROP_IN)}

    all_others_go_as_with_the_original(traces)
    what_differs_is_wanted(traces)
    a_kill_is_never_lost(traces)
    a_process_is_executed_over_a_broker(traces)


def all_others_go_as_with_the_original(traces):
    same = {name for name in traces[ORIGINAL] if name not in {*STEERED, *SAID, EXECUTED}}

    assert len(same) > 1_100
    assert [name for name in same if traces[ORIGINAL][name][0][0] != "returned"] == []
    differing = sorted(name for name in same if traces[DROP_IN][name] != traces[ORIGINAL][name])
    assert differing == [], {name: [traces[library][name] for library in traces] for name in differing[:3]}


def what_differs_is_wanted(traces):
    for name in {*STEERED, *SAID, EXECUTED}:
        assert traces[DROP_IN][name] != traces[ORIGINAL][name], name  # else it need not be listed
        assert traces[DROP_IN][name][0][0] == "returned"


def a_kill_is_never_lost(traces):
    ends = {name: traces[DROP_IN][name][0][1] for name in STEERED}

    assert {name: last_state(trace) for name, trace in ends.items()} == STEERED
    assert not any("InvalidStateError', 'invalid state" in str(trace) for trace in ends.values())


def a_process_is_executed_over_a_broker(traces):
    asked = [4, 5]  # for its outputs, and for its pid alone
    assert [traces[DROP_IN][EXECUTED][0][1][step] for step in asked] == [["returned", {"a": 1}], ["returned", 20]]
    assert [traces[ORIGINAL][EXECUTED][0][1][step][2] for step in asked] == ["TimeoutError"] * 2


def last_state(trace):
    """Of the facts that a trace ends with."""
    return [told[0]["state"] for told in trace if isinstance(told, list) and told and isinstance(told[0], dict)][-1]


def test_every_public_name_is_there_and_takes_the_same():
    assert differing_names("plumpy") == {}
