"""What a step may answer: which step comes next, what to wait for, or how to end.

Commands are plain values made once per step, so they are slotted classes and nothing more.
A step that answers anything else ends its process with that value as the result.
"""

from collections.abc import Callable
from typing import Any


class Command:
    """Base of the four commands."""

    __slots__ = ()


class Continue(Command):
    """Go on with ``fn(*args, **kwargs)``, as the next step.

    The arguments are saved in the checkpoint between the two steps; ``fn`` must be a
    method of the process, since it is saved by name.
    """

    __slots__ = ("args", "fn", "kwargs")

    def __init__(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        self.fn = fn
        self.args = args
        self.kwargs = kwargs

    def __repr__(self) -> str:
        return f"Continue({getattr(self.fn, '__name__', self.fn)!s}, args={self.args!r}, kwargs={self.kwargs!r})"


class Wait(Command):
    """Wait until somebody resumes the process, or a signal comes, then go on with ``fn``.

    Args:
        fn: the step to go on with; it gets what `Process.resume` was given, or what the signal carried. With None
            the process finishes with that value.
        msg: what it waits for, shown to people.
        data: anything that is to be kept meanwhile, saved with the checkpoint.
        signal: the name of the signals that end the wait: it takes the oldest one that was not taken yet, whether
            that was sent before or comes later. With None only `Process.resume` ends it.
    """

    __slots__ = ("data", "fn", "msg", "signal")

    def __init__(
        self,
        fn: Callable[..., Any] | None = None,
        msg: str | None = None,
        data: Any = None,
        signal: str | None = None,
    ) -> None:
        self.fn = fn
        self.msg = msg
        self.data = data
        self.signal = signal

    def __repr__(self) -> str:
        name = "" if self.signal is None else f", signal={self.signal!r}"
        return f"Wait({getattr(self.fn, '__name__', self.fn)!s}, msg={self.msg!r}, data={self.data!r}{name})"


class Stop(Command):
    """Finish with ``result``; ``successful=False`` says that the process did not reach its aim."""

    __slots__ = ("result", "successful")

    def __init__(self, result: Any = None, successful: bool = True) -> None:  # noqa: FBT001, FBT002 (the model's signature)
        self.result = result
        self.successful = successful

    def __repr__(self) -> str:
        return f"Stop({self.result!r}, successful={self.successful})"


class Kill(Command):
    """End as KILLED, with a reason."""

    __slots__ = ("msg",)

    def __init__(self, msg: str | None = None) -> None:
        self.msg = msg

    def __repr__(self) -> str:
        return f"Kill({self.msg!r})"
