"""What the exit codes mean, in the one table that decides them, that `drupe --help` prints and that tests read.

Codes never change once released. An error has the code of the nearest of its classes in `BY_ERROR`.
"""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from drupe import errors
from drupe.core.lifecycle import State


class ExitCode(IntEnum):
    """What a command ends with."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    EXCEPTED = 3
    KILLED = 4
    UNSUCCESSFUL = 5
    STORE = 6
    OWNED = 7
    PID = 8
    CLASS = 9
    MESSAGE = 10
    REFUSED = 11
    AILING = 12
    FAILING = 13
    INTERRUPTED = 130


MEANING: Final[Mapping[ExitCode, str]] = MappingProxyType(
    {
        ExitCode.OK: "done; the process finished successfully",
        ExitCode.UNEXPECTED: "something that drupe did not expect",
        ExitCode.USAGE: "wrong usage, inputs, settings or class path",
        ExitCode.EXCEPTED: "the process ended by an exception",
        ExitCode.KILLED: "the process was killed",
        ExitCode.UNSUCCESSFUL: "the process finished, but not successfully",
        ExitCode.STORE: "the store or a checkpoint cannot be read or written",
        ExitCode.OWNED: "another program runs the process, or may by now",
        ExitCode.PID: "no process, or more than one, has a pid that ends like this",
        ExitCode.CLASS: "the class of the process is not at hand",
        ExitCode.MESSAGE: "a message could not be sent, or nobody answered",
        ExitCode.REFUSED: "an order to a process was refused",
        ExitCode.AILING: "`drupe doctor` found something that does not work",
        ExitCode.FAILING: "the workers of `drupe worker` end before they are at work, again and again",
        ExitCode.INTERRUPTED: "interrupted; the process goes on with `drupe resume`",
    }
)

BY_ERROR: Final[Mapping[type[BaseException], ExitCode]] = MappingProxyType(
    {
        KeyboardInterrupt: ExitCode.INTERRUPTED,
        errors.SpecError: ExitCode.USAGE,
        errors.DefinitionError: ExitCode.USAGE,
        errors.PortValueError: ExitCode.USAGE,
        errors.UnsavableError: ExitCode.USAGE,
        errors.SettingsError: ExitCode.USAGE,
        errors.ClassPathError: ExitCode.USAGE,
        errors.InvalidStateError: ExitCode.USAGE,
        errors.DuplicateProcessError: ExitCode.USAGE,
        errors.ChildMismatchError: ExitCode.USAGE,
        errors.TooLargeError: ExitCode.USAGE,
        errors.ExceptedError: ExitCode.EXCEPTED,
        errors.KilledError: ExitCode.KILLED,
        errors.StoreNotEmptyError: ExitCode.USAGE,
        errors.StoreError: ExitCode.STORE,
        errors.CodecError: ExitCode.STORE,
        errors.SnapshotError: ExitCode.STORE,
        errors.OwnedError: ExitCode.OWNED,
        errors.FencedError: ExitCode.OWNED,
        errors.StoreInUseError: ExitCode.OWNED,
        errors.UnknownProcessError: ExitCode.PID,
        errors.UnknownClassError: ExitCode.CLASS,
        errors.SealError: ExitCode.MESSAGE,
        errors.CommunicationError: ExitCode.MESSAGE,
    }
)


def of_error(error: BaseException) -> ExitCode:
    """Get the code for an error."""
    return next((BY_ERROR[kind] for kind in type(error).__mro__ if kind in BY_ERROR), ExitCode.UNEXPECTED)


def of_outcome(state: State, *, successful: bool) -> ExitCode:
    """Get the code for where a process is."""
    match state:
        case State.FINISHED:
            return ExitCode.OK if successful else ExitCode.UNSUCCESSFUL
        case State.EXCEPTED:
            return ExitCode.EXCEPTED
        case State.KILLED:
            return ExitCode.KILLED
        case _:
            return ExitCode.INTERRUPTED
