"""An exception as data."""

import pytest

from drupe.core.failure import Failure
from drupe.errors import ExceptedError, KilledError


def raised(error):
    """The error, with the traceback of having been raised."""
    try:
        raise error
    except type(error) as caught:
        return caught


class UnspeakableError(Exception):
    def __str__(self):
        raise RuntimeError("no words")


def test_a_failure_has_type_text_and_traceback():
    failure = Failure.of(raised(LookupError("lost")))
    assert (failure.kind, failure.message) == ("LookupError", "lost")
    assert "in raised" in failure.traceback
    assert str(failure) == "LookupError: lost"
    assert Failure.of(KilledError("x")).kind == "drupe.errors.KilledError"
    assert str(Failure.of(ValueError())) == "ValueError"


def test_its_error_says_the_same_and_gives_the_same_failure_again():
    failure = Failure.of(raised(LookupError("lost")))
    error = failure.error("pid")
    assert isinstance(error, ExceptedError)
    assert (error.kind, error.message, error.traceback_text, error.pid) == (
        *("LookupError", "lost", failure.traceback),
        "pid",
    )
    assert Failure.of(raised(error)) == failure
    assert Failure(**failure.as_dict()) == failure


def test_an_exception_without_words_is_still_a_failure():
    failure = Failure.of(UnspeakableError())
    assert "RuntimeError" in failure.message


def test_the_cause_is_in_the_traceback():
    try:
        try:
            raise KeyError("first")  # noqa: TRY301 (the cause)
        except KeyError as cause:
            raise ValueError("second") from cause
    except ValueError as error:
        failure = Failure.of(error)
    assert "KeyError: 'first'" in failure.traceback


@pytest.mark.parametrize("text", ["", "ü", "\N{PILE OF POO}", "a\nb", "x" * 10_000])
def test_any_text_survives(text):
    failure = Failure.of(ValueError(text))
    assert failure.error().message == failure.message
