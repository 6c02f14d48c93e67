"""The lifecycle table, tested as data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drupe.core.lifecycle import NEXT, TERMINAL, State, Trigger, advance
from drupe.errors import InvalidStateError

LIVING = [state for state in State if state not in TERMINAL]


def test_every_state_has_a_row_and_every_cell_leads_to_a_state():
    assert set(NEXT) == set(State)
    assert {target for row in NEXT.values() for target in row.values()} <= set(State)


def test_every_state_is_reached_from_created():
    reached, new = set(), {State.CREATED}
    while new:
        reached |= new
        new = {target for state in new for target in NEXT[state].values()} - reached
    assert reached == set(State)


def test_every_trigger_is_used():
    assert {trigger for row in NEXT.values() for trigger in row} == set(Trigger)


@pytest.mark.parametrize("state", LIVING)
def test_whatever_lives_can_be_killed_and_can_fail(state):
    assert advance(state, Trigger.KILL) is State.KILLED
    assert advance(state, Trigger.FAIL) is State.EXCEPTED


def test_the_terminal_states_are_the_three_ends():
    assert {State.FINISHED, State.EXCEPTED, State.KILLED} == TERMINAL


@pytest.mark.parametrize("state", sorted(TERMINAL))
@pytest.mark.parametrize("trigger", Trigger)
def test_a_terminal_state_is_final(state, trigger):
    with pytest.raises(InvalidStateError, match=f"{state} cannot {trigger}.*final"):
        advance(state, trigger)


@pytest.mark.parametrize("state", LIVING)
def test_what_the_table_does_not_allow_is_refused_with_what_it_does(state):
    for trigger in set(Trigger) - set(NEXT[state]):
        with pytest.raises(InvalidStateError) as caught:
            advance(state, trigger)
        assert all(allowed in str(caught.value) for allowed in NEXT[state])


def test_nobody_can_change_the_table():
    with pytest.raises(TypeError):
        NEXT[State.FINISHED] = {Trigger.KILL: State.KILLED}


@given(st.lists(st.sampled_from(Trigger)))
def test_no_row_of_triggers_leads_out_of_the_table_or_back_to_created(triggers):
    state = State.CREATED
    for trigger in triggers:
        was = state
        if trigger in NEXT[state]:
            state = advance(state, trigger)
            assert state is not State.CREATED
        assert was not in TERMINAL or state is was
