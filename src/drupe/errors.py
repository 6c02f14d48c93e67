"""One tree of errors, each with a stable code that commands, pages and messages share.

Whatever drupe raises on purpose is a `DrupeError`. An error says what happened, where,
and what to do; its `code` never changes once released, its text may.
"""

from typing import ClassVar


class DrupeError(Exception):
    """Base of everything that drupe raises on purpose."""

    code: ClassVar[str] = "drupe"


# --- declaring ports, specs and outlines -------------------------------------------------------------------


class SpecError(DrupeError, ValueError):
    """A port, a namespace or a spec was declared wrongly, or changed after it was sealed."""

    code = "spec"


class OutlineError(SpecError):
    """An outline was written wrongly."""

    code = "outline"


class DefinitionError(DrupeError, TypeError):
    """A process class is not usable as it stands, for example its `define` did not reach `Process.define`."""

    code = "definition"


class PortValueError(DrupeError, ValueError):
    """A value does not fit its port."""

    code = "port-value"


class InputError(PortValueError):
    """Inputs do not fit the input ports; nothing was created."""

    code = "input"


class OutputError(PortValueError):
    """An output does not fit the output ports."""

    code = "output"


# --- saving and loading ------------------------------------------------------------------------------------


class CodecError(DrupeError):
    """Bytes are not what drupe writes, or a value cannot be written."""

    code = "codec"


class UnsavableError(CodecError, TypeError):
    """A value could not be loaded again if it were saved, and is refused for that.

    Attributes:
        path: where the value sits, for example ``ctx.structure.positions[3]``.
    """

    code = "unsavable"

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class SnapshotError(DrupeError):
    """A checkpoint cannot be loaded: damaged, of a newer format, or not fitting the class."""

    code = "snapshot"


class UpcastError(SnapshotError):
    """A checkpoint of an older class version could not be brought up to date."""

    code = "upcast"


class NewerVersionError(SnapshotError):
    """A checkpoint was saved by a newer version of the class than the one at hand; newer code can go on with it."""

    code = "newer-version"


class UnknownClassError(DrupeError, LookupError):
    """No process class of this name is at hand; nothing is imported because data says so."""

    code = "unknown-class"


# --- processes, loops and threads --------------------------------------------------------------------------


class InvalidStateError(DrupeError):
    """The process is not in a state that allows this."""

    code = "invalid-state"


class ClosedError(InvalidStateError):
    """The process was closed and takes no more steps."""

    code = "closed"


class NotFinishedError(InvalidStateError):
    """The process has no result yet."""

    code = "not-finished"


class KilledError(DrupeError):
    """The process was killed; the text is the reason that was given."""

    code = "killed"


class ExceptedError(DrupeError):
    """A process ended with an exception that is known by its text only, since it was saved and loaded.

    Attributes:
        kind: name of the original exception's type, as ``module.QualName`` (builtins without module).
        message: text of the original exception.
        traceback_text: the formatted traceback, with what the process was doing.
        pid: the process that ended so, or None.
    """

    code = "excepted"

    def __init__(self, kind: str, message: str, traceback_text: str = "", pid: str | None = None) -> None:
        super().__init__(f"{kind}: {message}" if message else kind)
        self.kind = kind
        self.message = message
        self.traceback_text = traceback_text
        self.pid = pid


class ChildMismatchError(DrupeError):
    """A step that ran again asked for another child than it did the first time."""

    code = "child-mismatch"


class LoopError(DrupeError, RuntimeError):
    """Work was asked of an event loop that cannot do it from here."""

    code = "loop"


# --- the store ---------------------------------------------------------------------------------------------


class StoreError(DrupeError):
    """The store could not do what was asked; what was committed before stays as it was."""

    code = "store"


class StoreFormatError(StoreError):
    """The file is not a store, or one of a newer version."""

    code = "store-format"


class StoreUnavailableError(StoreError):
    """The store cannot be reached or written now: disk full, read-only, locked for too long, closed."""

    code = "store-unavailable"


class CorruptedError(StoreError):
    """Saved bytes do not have the hash they were saved with; this process alone is affected."""

    code = "corrupted"


class StoreMovedError(StoreError):
    """The store is being moved, or was moved, to another place, which the text names; nothing is written here any more."""

    code = "store-moved"


class StoreInUseError(StoreError):
    """Somebody runs processes of the store that was to be moved; nothing was changed."""

    code = "store-in-use"


class StoreNotEmptyError(StoreError):
    """There is something already where a store was to be moved to; nothing was written."""

    code = "store-not-empty"


class StoreDiffersError(StoreError):
    """A store that was moved is not the same as before; the one it came from stays as it was."""

    code = "store-differs"


class TooLargeError(StoreError):
    """The state of a process is larger than the limit; nothing was written."""

    code = "too-large"


class StatementError(StoreError):
    """What a step wanted to write with its checkpoint is refused, or there is no database; its process ends as EXCEPTED."""

    code = "statement"


class UnknownProcessError(StoreError, LookupError):
    """The store has no process of this pid."""

    code = "unknown-process"


class AmbiguousPidError(UnknownProcessError):
    """More than one pid ends like this.

    Attributes:
        candidates: some of the pids that fit.
    """

    code = "ambiguous-pid"

    def __init__(self, message: str, candidates: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.candidates = candidates


class UnknownOrderError(StoreError, LookupError):
    """The store has no order of this id (any more)."""

    code = "unknown-order"


class DuplicateProcessError(StoreError):
    """There is a process of this pid already, and it is another one."""

    code = "duplicate-process"


class OwnedError(StoreError):
    """Another owner holds the process.

    Attributes:
        owner: who holds it.
    """

    code = "owned"

    def __init__(self, message: str, owner: str = "") -> None:
        super().__init__(message)
        self.owner = owner


class FencedError(StoreError):
    """Someone else owns the process, or may by now: epoch or checkpoint number are stale, or the lease lapses; nothing was written."""

    code = "fenced"


# --- messages, settings and commands -----------------------------------------------------------------------


class MessageError(DrupeError):
    """A message cannot be read, is too large, or is not one of drupe's."""

    code = "message"


class SealError(MessageError):
    """A message does not bear the seal it should: changed, forged, too old, repeated, or meant for another place.

    Attributes:
        repeated: whether all is right with it but that it came before.
    """

    code = "seal"

    def __init__(self, message: str, *, repeated: bool = False) -> None:
        super().__init__(message)
        self.repeated = repeated


class CommunicationError(DrupeError):
    """A message did not arrive, or its answer did not come."""

    code = "communication"


class CommunicatorClosedError(CommunicationError):
    """The communicator was closed, here or by a failure of its connection; open another one."""

    code = "communicator-closed"


class BrokerUnavailableError(CommunicationError, ConnectionError):
    """The broker cannot be reached, or the connection to it was lost; what was on its way may have arrived."""

    code = "broker-unavailable"


class UnroutableError(CommunicationError, LookupError):
    """Nobody answers to this name; nothing was sent."""

    code = "unroutable"


class PeerLostError(CommunicationError, ConnectionError):
    """Whoever was to answer is gone; how far it came is not known."""

    code = "peer-lost"


class DeadlineError(CommunicationError, TimeoutError):
    """The answer did not come before the deadline; it may still be worked on."""

    code = "deadline"


class OverloadedError(CommunicationError):
    """Too much is waiting for this receiver already; nothing was sent. Try again later."""

    code = "overloaded"


class RemoteError(CommunicationError):
    """Whoever answered raised an exception, which is known by its text only.

    Attributes:
        kind: name of the original exception's type, as ``module.QualName`` (builtins without module).
        message: text of the original exception.
        traceback_text: the formatted traceback on the other side.
    """

    code = "remote"

    def __init__(self, kind: str, message: str, traceback_text: str = "") -> None:
        super().__init__(f"{kind}: {message}" if message else kind)
        self.kind = kind
        self.message = message
        self.traceback_text = traceback_text


class NotEntitledError(CommunicationError):
    """The key that this was asked with does not have the role that it takes; nothing was done."""

    code = "not-entitled"


class MessageRefusedError(CommunicationError):
    """Whoever got the message did not take it: it could not be read there, or did not bear the seal it should."""

    code = "message-refused"


class DuplicateSubscriberError(CommunicationError):
    """Somebody answers to this name already."""

    code = "duplicate-subscriber"


class TaskRejectedError(CommunicationError):
    """Raised by a subscriber that does not want a task: it goes back to its queue, for others."""

    code = "task-rejected"


class TaskLostError(CommunicationError):
    """The task is not the caller's any more: it was acknowledged, or went back to its queue."""

    code = "task-lost"


class SettingsError(DrupeError, ValueError):
    """A setting has a value it cannot have; the text names the setting and where it was set."""

    code = "settings"


class ClassPathError(DrupeError, ValueError):
    """``MODULE_OR_FILE:CLASS`` does not lead to a process class."""

    code = "class-path"
