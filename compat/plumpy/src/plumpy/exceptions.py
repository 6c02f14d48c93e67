"""What goes wrong with processes."""

__all__ = ["ClosedError", "InvalidStateError", "KilledError", "PersistenceError", "UnsuccessfulResult"]


class KilledError(Exception):
    """The process was killed."""


class InvalidStateError(Exception):
    """The process is not in the state that this needs."""


class UnsuccessfulResult:
    """What a step returns to finish with a result that is no success.

    Args:
        result: the result, by custom an exit code.
    """

    def __init__(self, result: int | None = None) -> None:
        self.result = result


class PersistenceError(Exception):
    """A process could not be saved or loaded."""


class ClosedError(Exception):
    """The process was closed, and what was asked for would change it."""
