"""What a person, or a program, gets to see of an error: one line that says what, where and what to do."""

import sys
import traceback

import click
import msgspec

from drupe.cli.exit_code import ExitCode, of_error
from drupe.cli.session import Session
from drupe.errors import AmbiguousPidError, DrupeError

UNEXPECTED = "unexpected"
"""The code of an error that drupe did not foresee."""


def report(session: Session, error: BaseException) -> ExitCode:
    """Write an error and get the exit code for it."""
    if isinstance(error, click.ClickException):
        return _refused(session, error)
    if session.debug:
        traceback.print_exception(error, file=sys.stderr)
    code = of_error(error)
    if isinstance(error, DrupeError):
        message = str(error)
    elif isinstance(error, KeyboardInterrupt):
        message = "interrupted"
    else:
        message = f"{' '.join(''.join(traceback.format_exception_only(error)).split())} (--debug shows where)"
    _write(session, _code(error), message, error)
    return code


def warn(session: Session, message: str) -> None:
    """Write that something is not as it should be, and that the command goes on."""
    session.note(f"{click.style('warning:', fg='yellow', bold=True)} {message}")


def _refused(session: Session, error: click.ClickException) -> ExitCode:
    """Write what is wrong with how the command was called."""
    message = error.format_message()
    if isinstance(error, click.UsageError) and error.ctx is not None and not session.json:
        message += f" ({error.ctx.command_path} --help tells how it is used)"
    _write(session, "usage", message, error)
    return ExitCode.USAGE


def _write(session: Session, code: str, message: str, error: BaseException) -> None:
    if session.json:
        told: dict[str, object] = {"code": code, "message": message}
        if isinstance(error, AmbiguousPidError):
            told["candidates"] = error.candidates
        session.note(msgspec.json.encode({"error": told}).decode())
        return
    first, *others = message.splitlines() or [code]
    for line in (f"{click.style('error:', fg='red', bold=True)} {first}", *(f"       {other}" for other in others)):
        session.note(line)


def _code(error: BaseException) -> str:
    if isinstance(error, DrupeError):
        return error.code
    return "interrupted" if isinstance(error, KeyboardInterrupt) else UNEXPECTED
