"""What a process is in the middle of, read from any thread.

The engine does nothing more for it at run time: a stage is replaced as a whole, never changed, so the one that is
there says what its process is in; and whose step has a thread in its hands is on the stack of that thread.
"""

from collections.abc import Iterator
from types import FrameType
from typing import Any, NamedTuple

from drupe.core.control import Posture
from drupe.core.lifecycle import TERMINAL
from drupe.engine.drive import DRIVING


class Stepping(NamedTuple):
    """The step of a process that a thread is in."""

    pid: str | None
    """None if nobody has asked a process that is not stored for its pid so far."""
    kind: str
    step: str | None
    depth: int
    """How many frames of the thread's stack lie above the engine's."""


def is_active(process: Any) -> bool:
    """Tell whether a process takes steps: whether one may be running at this moment."""
    life = process._life
    driven = life.task is not None or life.driver is not None
    rests = life.stage.idle or life.posture is Posture.HELD or life.waiting_for_child
    return driven and not rests and life.lost is None and life.state not in TERMINAL


def step_of(process: Any) -> str | None:
    """Get what a process is in: the name of its step, or what it waits for."""
    try:
        label = process._life.stage.label()
    except Exception:  # noqa: BLE001 (a stage may be a user's own, and who only looks must not fail)
        return None
    return None if label is None else str(label)


def stepping(frame: FrameType | None) -> Stepping | None:
    """Get the step that a thread is in which is at ``frame``; of nested ones the innermost. None if it is in none."""
    for depth, found in enumerate(_down(frame)):
        if found.f_code is DRIVING and hasattr(
            found.f_locals["process"], "kind"
        ):  # else it is no process of drupe's own
            process = found.f_locals["process"]
            return Stepping(vars(process._life).get("pid"), process.kind, step_of(process), depth)
    return None


def _down(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
