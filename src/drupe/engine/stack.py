"""Which process is running: right in every step, interleaved, nested, on another loop and in a thread.

A context variable holds an immutable pair ``(process, pair below)``. Processes are in it by weak
reference, so a task that a step left behind keeps no finished process alive, and a level costs
the same at any depth.
"""

import weakref
from contextvars import ContextVar, Token
from typing import Any

Level = tuple[weakref.ref[Any], "Level | None"]

_STACK: ContextVar[Level | None] = ContextVar("drupe.stack", default=None)


def push(process: weakref.ref[Any]) -> Token[Level | None]:
    """Put a process on top; hand the token to `restore` when it takes no more steps here."""
    return _STACK.set((process, _STACK.get()))


def restore(token: Token[Level | None]) -> None:
    """Make the stack what it was before the `push` that gave ``token``."""
    _STACK.reset(token)


def current() -> Any | None:
    """Get the process whose code is running, or None outside of any. One that ended and was dropped is passed over."""
    level = _STACK.get()
    while level is not None:
        process = level[0]()
        if process is not None:
            return process
        level = level[1]
    return None


def chain() -> list[Any]:
    """Get the running process and those it is nested in, innermost first."""
    found, level = [], _STACK.get()
    while level is not None:
        process = level[0]()
        if process is not None:
            found.append(process)
        level = level[1]
    return found
