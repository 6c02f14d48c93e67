"""What is seen of an error: a line for people, JSON for programs, a traceback only for who debugs."""

import json
import logging

import click
import pytest

from drupe.cli.failure import report, warn
from drupe.cli.log import logged
from drupe.cli.session import Session
from drupe.errors import AmbiguousPidError, InputError, StoreError


def test_an_error_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    code = report(Session(), StoreError("store x: it is gone"))

    assert capsys.readouterr() == ("", "error: store x: it is gone\n")
    assert code == 6


def test_several_wrong_inputs_are_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    report(Session(), InputError("inputs.a: wrong\ninputs.b: wrong too"))

    assert capsys.readouterr().err == "error: inputs.a: wrong\n       inputs.b: wrong too\n"


def test_an_error_that_nobody_foresaw_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    code = report(Session(), ZeroDivisionError("division\nby zero"))

    assert capsys.readouterr().err == "error: ZeroDivisionError: division by zero (--debug shows where)\n"
    assert code == 1


def test_who_debugs_sees_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        1 / 0  # noqa: B018 (raises)
    except ZeroDivisionError as error:
        report(Session(debug=True), error)

    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_an_error_without_a_text_is_named_by_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    report(Session(), StoreError())

    assert capsys.readouterr().err == "error: store\n"


def test_programs_get_code_and_message_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    report(Session(json=True), AmbiguousPidError("two", ("a", "b")))

    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err) == {"error": {"code": "ambiguous-pid", "message": "two", "candidates": ["a", "b"]}}


@pytest.mark.parametrize(
    ("error", "code"),
    [(KeyboardInterrupt(), "interrupted"), (OSError("x"), "unexpected"), (click.UsageError("x"), "usage")],
)
def test_every_error_has_a_code_for_programs(
    error: BaseException, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    report(Session(json=True), error)

    assert json.loads(capsys.readouterr().err)["error"]["code"] == code


def test_a_warning_goes_to_the_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    warn(Session(), "careful")

    assert capsys.readouterr() == ("", "warning: careful\n")


def log_something(session: Session) -> None:
    with logged(session):
        logging.getLogger("drupe.test").debug("not shown")
        logging.getLogger("drupe.test").error("given up", exc_info=ValueError("bad\nvalue"))


def test_a_message_of_the_log_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    log_something(Session())

    assert capsys.readouterr().err == "ERROR drupe.test: given up: ValueError: bad value\n"


def test_who_debugs_sees_tracebacks_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    log_something(Session(debug=True))

    assert "given up\nValueError: bad\nvalue\n" in capsys.readouterr().err
