"""Single ports: what they take, and what is there if nothing is given."""

import copy
import functools
import json

import pytest

from drupe.core.issue import Issue, Review
from drupe.core.port import UNSPECIFIED, InputPort, OutputPort, Port
from drupe.errors import SpecError


def positive(value):
    return None if value > 0 else "must be positive"


class Limits:
    def at_most_nine(self, value):
        return None if value < 10 else "too large"

    def __call__(self, value, port):
        return f"{port.name}: {value}"


class TestUnspecified:
    def test_copies_of_it_are_it(self):
        assert copy.deepcopy([UNSPECIFIED])[0] is UNSPECIFIED

    def test_it_is_false_and_says_its_name(self):
        assert not UNSPECIFIED
        assert repr(UNSPECIFIED) == "UNSPECIFIED"

    def test_an_empty_tuple_is_a_value(self):
        assert Port("a", valid_type=tuple).validate(()) is None


class Terse(Port):
    """Says the same in fewer words."""

    def absent(self, here):
        return Issue("missing", here[-1])

    def misfit(self, here, value):
        return Issue("wrong", here[-1])

    def ask_validator(self, value, here):
        return Issue("doubtful", here[-1]) if self.validator(value) else None


class TestOtherWords:
    @pytest.mark.parametrize(
        ("value", "message"), [(UNSPECIFIED, "missing"), ("x", "wrong"), (-1, "doubtful"), (1, None)]
    )
    def test_a_kind_of_port_may_say_the_same_in_its_own(self, value, message):
        port = Terse("a", valid_type=int, validator=positive)
        assert port.validate(value, ("inputs",)) == (message and Issue(message, "a"))

    def test_they_are_asked_for_only_when_there_is_something_to_say(self):
        assert Terse("a", required=False).validate(UNSPECIFIED) is None
        assert Terse("a").validate(3) is None


class TestValidating:
    def test_a_value_of_the_type_is_right(self):
        assert Port("a", valid_type=int).validate(3) is None

    def test_a_subclass_is_right_so_a_bool_is_an_int(self):
        assert Port("a", valid_type=int).validate(True) is None

    def test_any_value_is_right_without_a_type(self):
        assert Port("a").validate(None) is None

    @pytest.mark.parametrize("valid_type", [(int, str), int | str, (int, (str,))])
    def test_one_of_several_types_is_right(self, valid_type):
        port = Port("a", valid_type=valid_type)
        assert port.validate("x") is None
        assert port.validate(1.0) == Issue("expected int or str, got float 1.0", "a")

    def test_the_path_is_in_front_of_the_name(self):
        assert Port("volume", valid_type=float).validate("abc", ("inputs", "cell")) == Issue(
            "expected float, got str 'abc'", "inputs.cell.volume"
        )

    def test_nothing_is_wrong_only_for_a_required_port(self):
        assert Port("a", valid_type=int, help="Why.").validate(UNSPECIFIED) == Issue(
            "required, but not given (int: Why.)", "a"
        )
        assert Port("a", required=False).validate(UNSPECIFIED) is None

    @pytest.mark.parametrize("valid_type", ["int", 3, list[int], (int, "str"), list[int] | None])
    def test_what_is_no_type_is_refused_when_declared(self, valid_type):
        with pytest.raises(SpecError, match="port 'a': valid_type is a type"):
            Port("a", valid_type=valid_type)

    def test_the_type_can_be_changed(self):
        port = Port("a", valid_type=int)
        port.valid_type = str
        assert port.validate("x") is None
        assert port.valid_type is str


class TestValidators:
    @pytest.mark.parametrize(
        "validator", [positive, lambda value: None if value > 0 else "must be positive", functools.partial(positive)]
    )
    def test_a_complaint_is_the_issue(self, validator):
        port = Port("a", validator=validator)
        assert port.validate(1) is None
        assert port.validate(-1, ("inputs",)) == Issue("must be positive", "inputs.a")

    def test_a_bound_method_takes_the_value_alone(self):
        assert Port("a", validator=Limits().at_most_nine).validate(10) == Issue("too large", "a")

    def test_one_that_takes_two_gets_the_port(self):
        assert Port("a", validator=Limits()).validate(1) == Issue("a: 1", "a")
        assert Port("b", validator=lambda *both: both[1].name).validate(1) == Issue("b", "b")

    def test_a_builtin_that_does_not_tell_takes_the_value_alone(self):
        assert Port("a", validator=str).validate("bad") == Issue("bad", "a")

    def test_it_is_not_asked_about_a_value_of_the_wrong_type(self):
        assert Port("a", valid_type=int, validator=positive).validate("x").message == "expected int, got str 'x'"

    def test_it_is_not_asked_about_nothing(self):
        assert Port("a", required=False, validator=positive).validate(UNSPECIFIED) is None

    @pytest.mark.parametrize("validator", [lambda: None, lambda a, b, c: None, lambda value, *, port: None])
    def test_one_that_takes_neither_one_nor_two_is_refused_when_declared(self, validator):
        with pytest.raises(SpecError, match="port 'a': a validator takes the value, or the value and the port, not "):
            Port("a", validator=validator)

    def test_what_cannot_be_called_is_refused_when_declared(self):
        with pytest.raises(SpecError, match="port 'a': 3 is no validator"):
            Port("a", validator=3)

    def test_an_answer_that_is_no_text_is_an_error_of_the_declaration(self):
        with pytest.raises(SpecError, match="validator of 'a' gives a complaint as text or None, not False"):
            Port("a", validator=lambda value: False).validate(1)

    def test_an_exception_passes_with_a_note_of_where(self):
        with pytest.raises(TypeError) as caught:
            Port("a", validator=positive).validate("x", ("inputs",))
        assert caught.value.__notes__ == ["raised by the validator of inputs.a: 'x'"]

    def test_it_can_be_changed(self):
        port = Port("a", validator=positive)
        port.validator = None
        assert port.validate(-1) is None
        assert port.validator is None


class TestDefaults:
    def test_a_port_with_a_default_is_not_required(self):
        port = InputPort("a", default=3)
        assert not port.required
        assert port.has_default()
        assert not port.needs_value()
        assert port.fill() == 3

    def test_without_a_default_nothing_is_filled_in(self):
        port = InputPort("a")
        assert port.required
        assert not port.has_default()
        assert port.needs_value()
        assert port.fill() is UNSPECIFIED

    def test_none_is_a_default(self):
        assert InputPort("a", default=None).fill() is None

    def test_a_callable_default_is_called_anew_each_time(self):
        port = InputPort("a", default=list)
        assert port.fill() == []
        assert port.fill() is not port.fill()

    def test_a_default_that_does_not_fit_is_refused_when_declared(self):
        with pytest.raises(SpecError, match=r"port 'a': its default does not fit: expected int, got str 'x'"):
            InputPort("a", valid_type=int, default="x")

    def test_what_a_callable_default_gives_is_judged_when_it_is_used(self):
        port = InputPort("a", valid_type=int, default=lambda: "x")
        review = Review(filling=True)
        assert port.admit(UNSPECIFIED, ("inputs",), review) == "x"
        assert review.issues == [Issue("expected int, got str 'x'", "inputs.a")]

    def test_a_default_given_later_counts(self):
        port = InputPort("a", valid_type=int)
        port.default = 3
        assert port.validate(UNSPECIFIED) is None
        assert port.fill() == 3

    def test_nothing_is_filled_in_unless_asked(self):
        assert InputPort("a", default=3).admit(UNSPECIFIED, (), Review(filling=False)) is UNSPECIFIED

    def test_an_output_has_no_default(self):
        with pytest.raises(TypeError):
            OutputPort("a", default=3)


class TestDescribing:
    def test_a_description_has_what_is_declared(self):
        port = InputPort("a", valid_type=(int, str), help="Why.", default=3)
        assert port.get_description() == {
            "name": "a",
            "required": False,
            "valid_type": "int or str",
            "help": "Why.",
            "default": 3,
        }

    @pytest.mark.parametrize(
        ("default", "told"),
        [
            (None, None),
            (1.5, 1.5),
            (list, "list()"),
            (functools.partial(list), "functools.partial(<class 'list'>)()"),
            ((1,), "(1,)"),
        ],
    )
    def test_a_default_is_told_in_values_that_json_has(self, default, told):
        description = InputPort("a", default=default).get_description()
        assert description["default"] == told
        json.dumps(description)

    def test_a_port_without_type_or_default_has_neither(self):
        assert OutputPort("a").get_description() == {"name": "a", "required": True, "valid_type": None, "help": None}

    def test_the_repr_has_name_and_type(self):
        assert repr(OutputPort("a", valid_type=int)) == "<OutputPort a: int>"


def test_a_subclass_may_add_options_in_front():
    class WithUnit:
        def __init__(self, *args, unit, **options):
            super().__init__(*args, **options)
            self.unit = unit

    class UnitPort(WithUnit, InputPort):
        pass

    port = UnitPort("a", unit="eV", default=3)
    assert (port.name, port.unit, port.fill()) == ("a", "eV", 3)
