"""The log of a command: on the standard error, a line for each message, tracebacks only for who debugs."""

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from drupe.cli.session import Session


class _Line(logging.Formatter):
    """One line, with an exception in the place of its traceback."""

    def formatException(self, ei: "logging._SysExcInfoType") -> str:  # noqa: N802 (the name is logging's)
        return " ".join("".join(traceback.format_exception_only(ei[1])).split())

    def format(self, record: logging.LogRecord) -> str:
        record.exc_text = None  # another handler's, with all of the traceback
        return ": ".join(super().format(record).splitlines())


class _Stderr(logging.Handler):
    """Writes to what the standard error is at that moment: a live display takes its place for a while."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"{self.format(record)}\n")


@contextmanager
def logged(session: Session) -> Iterator[None]:
    """Have the log written, from the level of the settings up."""
    handler, root = _Stderr(), logging.getLogger()
    form = "%(levelname)s %(name)s: %(message)s"
    handler.setFormatter(logging.Formatter(form) if session.debug else _Line(form))
    former = root.level
    root.addHandler(handler)
    root.setLevel(session.settings.log_level.upper())
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(former)
