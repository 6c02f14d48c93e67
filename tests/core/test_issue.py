"""What is said about values that do not fit."""

from collections.abc import Mapping
from typing import Optional

import pytest

from drupe.core.issue import Issue, absent, alternatives, brief, misfit, refuse, type_names, unknown
from drupe.errors import InputError

HERE = ("inputs", "cell", "volume")


class Broken:
    def __repr__(self):
        raise RuntimeError


class Multiline:
    def __repr__(self):
        return "one\ntwo"


def test_a_value_of_the_wrong_type_is_told_with_what_was_expected_and_what_came():
    assert str(misfit(HERE, "abc", float)) == "inputs.cell.volume: expected float, got str 'abc'"


def test_none_is_not_told_twice():
    assert misfit(HERE, None, (int, str)).message == "expected int or str, got None"


def test_classes_of_one_name_are_told_apart_by_their_modules():
    other = type("Broken", (), {"__module__": "elsewhere"})
    message = misfit(HERE, other(), Broken).message
    assert message.startswith(f"expected {__name__}.Broken, got elsewhere.Broken <")


def test_a_missing_value_is_told_with_its_type_and_its_purpose():
    issue = absent(HERE, float, " Volume of the cell in Å³.\nMore.")
    assert str(issue) == "inputs.cell.volume: required, but not given (float: Volume of the cell in Å³.)"


@pytest.mark.parametrize(
    ("expected", "purpose", "told"), [(None, None, ""), (int, None, " (int)"), (None, "Why.", " (Why.)")]
)
def test_a_missing_value_is_told_with_what_is_known(expected, purpose, told):
    assert absent(HERE, expected, purpose).message == f"required, but not given{told}"


@pytest.mark.parametrize(("root", "kind"), [("inputs", "input"), ("outputs", "output"), ("", "port")])
def test_an_unknown_name_is_told_by_what_it_was_meant_to_be(root, kind):
    assert unknown((root, "volumee"), ["volume"]).message == f"unknown {kind}; did you mean 'volume'?"


def test_the_known_names_are_told_if_none_is_close():
    assert alternatives("x", ["volume", "cell"]) == "there are 'volume', 'cell'"
    assert alternatives("x", ["volume"]) == "there is 'volume'"
    assert alternatives("x", []) == "there are none"


@pytest.mark.parametrize(
    ("valid_type", "told"),
    [
        (None, "anything"),
        (int, "int"),
        ((int, (str, type(None))), "int or str or None"),
        (int | None, "int or None"),
        (Optional[int], "int or None"),  # noqa: UP045
        (Mapping, "Mapping"),
        (Issue, "Issue"),
    ],
)
def test_types_are_told_as_a_person_writes_them(valid_type, told):
    assert type_names(valid_type) == told


def test_a_value_is_told_on_one_short_line():
    assert len(brief("x" * 1000)) < 100
    assert brief(Multiline()) == "one two"
    assert "Broken" in brief(Broken())


def test_all_issues_are_raised_at_once_one_a_line():
    with pytest.raises(InputError) as caught:
        refuse([Issue("bad", "inputs.a"), Issue("worse", "inputs.b")], InputError)
    assert str(caught.value) == "inputs.a: bad\ninputs.b: worse"


def test_nothing_is_raised_without_an_issue():
    refuse([], InputError)
