import pytest
from hypothesis import given
from hypothesis import strategies as st

from drupe.core.upcast import Upcast, migrate, upcast, upcasts_of
from drupe.errors import DefinitionError, NewerVersionError, UpcastError


class First:
    @upcast(from_version=1)
    @staticmethod
    def rename(state):
        state["ctx"]["new"] = state["ctx"].pop("old")
        return state

    @upcast(from_version=2)
    @staticmethod
    def add(state):
        return {**state, "cursor": state["cursor"] + 1}


def state():
    return {"ctx": {"old": 1}, "cursor": 4}


def test_a_state_takes_every_step_from_its_version_to_that_of_the_code():
    after = migrate(state(), saved_version=1, version=3, upcasts=upcasts_of(First))
    assert after == {"ctx": {"new": 1}, "cursor": 5}


def test_a_state_of_the_version_of_the_code_is_left_as_it_is():
    same = state()
    assert migrate(same, saved_version=3, version=3, upcasts=upcasts_of(First)) is same


def test_an_upcast_can_be_called_by_itself():
    assert First.add(state())["cursor"] == 5
    assert First().add(state())["cursor"] == 5


def test_upcasts_are_inherited_and_replaced_by_name():
    class Second(First):
        @upcast(from_version=2)
        @staticmethod
        def add(state):
            return {**state, "cursor": 0}

        @upcast(from_version=3)
        @staticmethod
        def more(state):
            return {**state, "more": True}

    found = upcasts_of(Second)
    assert sorted(found) == [1, 2, 3]
    assert migrate(state(), saved_version=1, version=4, upcasts=found) == {"ctx": {"new": 1}, "cursor": 0, "more": True}
    assert sorted(upcasts_of(First)) == [1, 2]


def test_an_upcast_is_taken_out_by_something_else_of_its_name():
    class Second(First):
        rename = None

    assert sorted(upcasts_of(Second)) == [2]


def test_two_upcasts_from_one_version_are_refused_by_name():
    class Second(First):
        @upcast(from_version=1)
        @staticmethod
        def again(state):
            return state

    with pytest.raises(DefinitionError, match=r"from version 1: First\.rename and .*Second\.again"):
        upcasts_of(Second)


@pytest.mark.parametrize("version", [0, -1, True, "1", 1.0, None])
def test_a_version_is_a_whole_number_above_zero(version):
    with pytest.raises(DefinitionError, match="whole number above zero"):
        upcast(from_version=version)


@pytest.mark.parametrize("marked", [None, 3, classmethod(lambda cls, state: state)])
def test_only_a_function_can_be_marked(marked):
    with pytest.raises(DefinitionError, match="is not a function of the saved state"):
        upcast(from_version=1)(marked)


def test_a_gap_in_the_chain_names_the_version_that_is_missing():
    upcasts = {1: lambda state: state, 3: lambda state: state}
    with pytest.raises(UpcastError, match=r"from version 2 to 3; .*@upcast\(from_version=2\)"):
        migrate(state(), saved_version=1, version=4, upcasts=upcasts)


def test_a_state_that_is_newer_than_the_code_is_refused():
    with pytest.raises(NewerVersionError, match="saved by version 5 of the class, and the code here is version 3"):
        migrate(state(), saved_version=5, version=3, upcasts=upcasts_of(First))


def test_a_failing_upcast_is_told_with_its_cause():
    with pytest.raises(UpcastError, match="the upcast from version 1 failed: KeyError: 'ctx'") as failed:
        migrate({}, saved_version=1, version=2, upcasts=upcasts_of(First))
    assert isinstance(failed.value.__cause__, KeyError)


def test_an_upcast_that_forgets_to_return_the_state_is_told_so():
    with pytest.raises(UpcastError, match="returned NoneType, not the state; end it with `return state`"):
        migrate(state(), saved_version=1, version=2, upcasts={1: lambda state: None})


def test_what_is_no_exception_of_the_upcast_goes_through():
    def interrupted(state):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        migrate(state(), saved_version=1, version=2, upcasts={1: interrupted})


@given(saved=st.integers(1, 20), version=st.integers(1, 20))
def test_each_version_between_is_passed_once_and_in_order(saved, version):
    upcasts = {step: Upcast(step, lambda state, step=step: {"seen": [*state["seen"], step]}) for step in range(1, 20)}
    if saved > version:
        with pytest.raises(NewerVersionError):
            migrate({"seen": []}, saved_version=saved, version=version, upcasts=upcasts)
    else:
        after = migrate({"seen": []}, saved_version=saved, version=version, upcasts=upcasts)
        assert after == {"seen": list(range(saved, version))}
