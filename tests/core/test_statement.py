"""Statements of a step's own: which there can be."""

import pytest

from drupe.core.statement import ALLOWED, statement
from drupe.errors import StatementError


@pytest.mark.parametrize("word", ALLOWED)
def test_it_begins_with_a_word_that_changes_something(word):
    for sql in (f"{word} x", f"  {word.lower()}\nx", f"-- why\n/* and\nwhat */ {word} x"):
        assert statement(sql).sql == sql


@pytest.mark.parametrize(
    "sql",
    ["", "COMMIT", "begin", "ROLLBACK TO step", "SAVEPOINT x", "PRAGMA x", "ATTACH 'x' AS y", "SELECT 1", "-- DELETE"],
)
def test_anything_else_is_refused(sql):
    with pytest.raises(StatementError, match="begins with"):
        statement(sql)


def test_its_values_are_what_every_database_takes():
    values = (None, True, 1, 1.5, "text", b"bytes")
    assert statement("DELETE", values).parameters == values
    assert statement("DELETE", list(values)).parameters == values
    assert statement("DELETE", {"a": 1}).parameters == {"a": 1}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ((1, object()), "parameter 2: expected None, bool, int, float, str or bytes, got object"),
        ({"when": 1j}, "parameter 'when': .* got complex"),
        ("abc", "parameters: expected a sequence or a mapping of values, got str"),
        (7, "parameters: .* got int"),
    ],
)
def test_other_values_are_refused_by_name(parameters, message):
    with pytest.raises(StatementError, match=message):
        statement("DELETE", parameters)


@pytest.mark.parametrize("rows", [-1, 1.0, True, "1"])
def test_rows_is_a_number(rows):
    with pytest.raises(StatementError, match="rows: "):
        statement("DELETE", (), rows)


def test_its_size_is_that_of_its_text_and_values():
    assert statement("DELETE", ("abc", b"de", 1, None)).size == 6 + 3 + 2 + 16
    assert statement("DELETE", {"a": "abc"}).size == 9


def test_what_is_shown_of_it_is_short_and_has_no_values():
    assert statement("DELETE\n  FROM t", ("secret",)).shown == "DELETE FROM t"
    assert len(statement("DELETE " + "x" * 500).shown) < 130
