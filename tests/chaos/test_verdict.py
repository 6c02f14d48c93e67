"""Whoever judges a run says no to a history that was forged, each in its own words, and yes to one that is right."""

from dataclasses import replace

import pytest

from chaos.errand import STEPS
from chaos.evidence import Call, Effect, Evidence, Note, Told
from chaos.tables import Event, Row
from chaos.verdict import PROBLEMS, judge, share

SECOND = 10**9


def history():
    steps = [Event(number + 2, "step", "running", name) for number, name in enumerate(STEPS[:-1], 1)]
    return [
        Event(1, "created", "created", None),
        Event(2, "running", "running", None),
        *steps,
        Event(7, "finished", "finished", STEPS[-1]),
    ]


def evidence(**given):
    """One process that worker 10 began and worker 20 ended: 10 was killed in the third step."""
    done = [(1, 10, 1), (2, 10, 1), (3, 10, 1), (3, 20, 2), (4, 20, 2), (5, 20, 2)]
    effects = [
        Effect(at * SECOND, worker, "p", step, f"p/{step}", token, step - 1)
        for at, (step, worker, token) in enumerate(done, 1)
    ]
    notes = [Note(0, "submitted", "p"), Note(int(3.25 * SECOND), "killed", "10")]
    sample = Evidence({"p": Row("finished", 7, 2, None, history())}, effects, notes, [Told("p", 3, "running")])
    return replace(sample, **given)


def blamed(found):
    return dict(judge(found).problems)


def test_what_went_well_is_counted_and_blamed_for_nothing():
    verdict = judge(evidence())

    assert verdict.problems == {}
    assert (verdict.processes, verdict.steps, verdict.effects, verdict.repeated) == (1, 5, 5, 1)
    assert verdict.taken_over == [0.75]
    assert verdict.beside == []
    assert verdict.thawed == []


@pytest.mark.parametrize("rows", [{}, {"p": Row("running", 5, 2, None, history()[:5])}])
def test_a_process_that_is_not_there_or_has_not_ended_is_lost(rows):
    assert blamed(evidence(rows=rows, told=[])) == {"lost": 1}


def test_a_step_that_is_in_the_history_twice_was_committed_twice():
    events = history()
    events[4:] = [Event(5, "step", "running", "second"), *(event._replace(seq=event.seq + 1) for event in events[4:])]

    assert blamed(evidence(rows={"p": Row("finished", 8, 2, None, events)})) == {"committed twice": 1}


@pytest.mark.parametrize("forge", [lambda events: events.pop(3), lambda events: events.reverse()])
def test_a_history_with_a_hole_or_out_of_order_has_a_gap(forge):
    events = history()
    forge(events)

    assert blamed(evidence(rows={"p": Row("finished", 7, 2, None, events)}, told=[])) == {"gap": 1}


def test_a_step_without_an_effect_is_missed():
    assert blamed(evidence(effects=evidence().effects[1:])) == {"effect missing": 1}


def test_a_step_that_is_repeated_under_another_key_is_found():
    effects = evidence().effects
    effects[3] = effects[3]._replace(key="p/3/again")

    assert blamed(evidence(effects=effects)) == {"effect under two keys": 1}


def test_two_steps_under_one_key_are_found():
    effects = evidence().effects
    effects[5] = effects[5]._replace(key="p/4")

    assert blamed(evidence(effects=effects)) == {"effect under two keys": 1}


def test_a_step_that_begins_twice_under_one_owner_is_found():
    effects = evidence().effects

    assert blamed(evidence(effects=[*effects, effects[-1]])) == {"begun twice by one owner": 1}


def test_a_fenced_owner_ends_its_step_and_begins_no_other():
    late = [Effect(at * SECOND, 10, "p", step, f"p/{step}", 1, step - 1) for at, step in ((7, 4), (8, 5))]

    assert blamed(evidence(effects=[*evidence().effects, late[0]])) == {}
    assert blamed(evidence(effects=[*evidence().effects, *late])) == {"effect of a fenced owner": 1}


def test_a_step_that_was_handed_something_else_is_found():
    effects = evidence().effects
    effects[4] = effects[4]._replace(total=2)

    assert blamed(evidence(effects=effects)) == {"wrong outcome": 1}


def test_what_a_worker_repeats_though_the_one_before_ended_in_good_order_is_found():
    drained = [Note(0, "submitted", "p"), Note(4 * SECOND, "drained", "10")]

    assert blamed(evidence(notes=drained)) == {"repeated after a drain": 1}
    assert blamed(evidence(notes=[*drained, Note(2 * SECOND, "frozen", "10")])) == {}  # it was taken over before


def test_what_was_told_and_is_in_no_history_is_found():
    told = [Told("p", 3, "running"), Told("p", 9, "running"), Told("q", 1, "created")]

    assert blamed(evidence(told=told)) == {"told and not committed": 2}


def test_what_nobody_submitted_is_found():
    assert blamed(evidence(notes=[])) == {"unknown": 1}


def test_a_process_that_was_paused_and_played_has_no_gap():
    moved = [Event(4, "paused", "running", None), Event(5, "played", "running", None)]
    events = history()
    events[3:] = [*moved, *(event._replace(seq=event.seq + 2) for event in events[3:])]

    assert blamed(evidence(rows={"p": Row("finished", 9, 2, None, events)}, told=[])) == {}


def test_a_process_that_ended_by_an_exception_is_not_merely_lost():
    rows = {"p": Row("excepted", 5, 2, None, history()[:5])}

    assert blamed(evidence(rows=rows, told=[])) == {"excepted": 1}


def test_a_call_may_fail_by_a_typed_error_and_in_time_only():
    good = [Call("status", 1.0, 0.1, None), Call("pause", 1.0, 1.2, "DeadlineError")]
    late, otherwise = Call("play", 1.0, 2.5, None), Call("launch", 1.0, 0.1, "untyped KeyError('p')")

    verdict = judge(evidence(calls=good))
    assert verdict.problems == {}
    assert (verdict.calls, verdict.failed.total()) == (2, 1)
    assert verdict.latest == pytest.approx(0.2)
    assert blamed(evidence(calls=[*good, late])) == {"call past its deadline": 1}
    assert blamed(evidence(calls=[*good, otherwise])) == {"call failed otherwise": 1}


def test_every_problem_is_known_to_the_table():
    verdict = judge(evidence())
    for problem in PROBLEMS:
        verdict.blame(problem, "an example")

    assert set(verdict.problems) == set(PROBLEMS)


def test_the_time_after_a_freeze_is_counted_by_itself():
    notes = [Note(0, "submitted", "p"), Note(int(3.5 * SECOND), "frozen", "10")]

    assert judge(evidence(notes=notes)).thawed == [0.5]


@pytest.mark.parametrize(
    ("begins", "done_to_it", "counts"),
    [
        (3.0, [], True),
        (3.3, [], False),
        (3.0, [Note(int(4.5 * SECOND), "killed", "30")], True),
        (3.0, [Note(int(3.5 * SECOND), "killed", "30")], False),
        (3.0, [Note(int(2.0 * SECOND), "frozen", "30"), Note(int(2.5 * SECOND), "continued", "30")], False),
    ],
)
def test_a_take_over_counts_by_itself_where_another_worker_was_at_work_all_the_while(begins, done_to_it, counts):
    """Where all were killed at once, what is measured is how soon a program starts."""
    given = evidence()
    beside = Effect(int(begins * SECOND), 30, "other", 1, "other/1", 1, 0)
    found = judge(replace(given, effects=sorted([*given.effects, beside]), notes=sorted([*given.notes, *done_to_it])))
    assert (found.taken_over, found.beside) == ([0.75], [0.75] if counts else [])


def test_a_percentile_is_one_of_the_values():
    assert [share([1.0, 2.0, 3.0], part) for part in (0, 0.5, 0.99, 1)] == [1.0, 2.0, 3.0, 3.0]
