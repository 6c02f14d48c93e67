"""Exit codes: one table, complete, and never changed once released."""

from collections.abc import Iterator

import pytest

from drupe import errors
from drupe.cli.exit_code import BY_ERROR, MEANING, ExitCode, of_error, of_outcome
from drupe.core.lifecycle import State

UNEXPECTED = {errors.DrupeError, errors.LoopError, errors.MessageError}
"""What reaches no person in the ordinary course of things."""


def below(kind: type[errors.DrupeError]) -> Iterator[type[errors.DrupeError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from below(each)


ERRORS = {kind for kind in below(errors.DrupeError) if kind.__module__ == "drupe.errors"}


def test_the_codes_are_the_released_ones() -> None:
    assert [code.value for code in ExitCode] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 130]
    assert list(MEANING) == list(ExitCode)


@pytest.mark.parametrize("kind", sorted(ERRORS, key=lambda kind: kind.__name__))
def test_every_error_has_a_code_on_purpose(kind: type[errors.DrupeError]) -> None:
    code = of_error(kind.__new__(kind))

    assert (code is ExitCode.UNEXPECTED) == (kind in UNEXPECTED)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InputError("x"), 2),
        (errors.StoreFormatError("x"), 6),
        (errors.CorruptedError("x"), 6),
        (errors.OwnedError("x"), 7),
        (errors.AmbiguousPidError("x"), 8),
        (errors.UnknownClassError("x"), 9),
        (KeyboardInterrupt(), 130),
        (ValueError("x"), 1),
    ],
)
def test_the_nearest_class_of_an_error_decides(error: BaseException, code: int) -> None:
    assert of_error(error) == code


def test_no_line_of_the_table_is_in_vain() -> None:
    for kind, code in BY_ERROR.items():
        outer = next((BY_ERROR[each] for each in kind.__mro__[1:] if each in BY_ERROR), None)
        assert outer is not code, kind


@pytest.mark.parametrize(
    ("state", "successful", "code"),
    [
        (State.FINISHED, True, 0),
        (State.EXCEPTED, False, 3),
        (State.KILLED, False, 4),
        (State.FINISHED, False, 5),
        (State.CREATED, False, 130),
        (State.RUNNING, False, 130),
        (State.WAITING, False, 130),
    ],
)
def test_where_a_process_is_has_a_code(state: State, successful: bool, code: int) -> None:
    assert of_outcome(state, successful=successful) == code
