"""The template methods of a process: empty, so that overriding one needs no ``super()``.

Hooks *before* the commit are part of the transition: repeated if it is repeated, and an exception
leads to EXCEPTED (in `on_create`: to the caller). Hooks *after* the commit run in memory, at most
once; an exception is logged, given to whoever waits, and changes no state.
"""

from types import TracebackType
from typing import Any

from drupe.core.lifecycle import State

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


class Hooks:
    """What a process class may override."""

    __slots__ = ()

    # --- before the commit ---------------------------------------------------------------------------------

    def on_exiting(self) -> None:
        """The process is about to leave its state."""

    def on_entering(self, state: State) -> None:
        """The process is about to enter ``state``."""

    def on_create(self) -> None:
        """It is being created; an exception goes to the caller and nothing is created."""

    def on_run(self) -> None:
        """It is about to run, or to go on with the next step."""

    def on_wait(self, data: Any) -> None:
        """It is about to wait; ``data`` is what the `Wait` carried."""

    def on_finish(self, result: Any, successful: bool) -> None:  # noqa: FBT001 (the model's signature)
        """It is about to finish."""

    def on_except(self, exc_info: ExcInfo) -> None:
        """It is about to end by an exception."""

    def on_kill(self, msg: str | None) -> None:
        """It is about to be killed."""

    def on_pausing(self, msg: str | None) -> None:
        """It is about to be paused."""

    def on_output_emitting(self, output_port: str, value: Any) -> None:
        """An output is about to be emitted; raise to refuse it."""

    def on_output_emitted(self, output_port: str, value: Any, dynamic: bool) -> None:  # noqa: FBT001 (the model's signature)
        """An output was emitted; it is durable only with the step's checkpoint."""

    # --- after the commit ----------------------------------------------------------------------------------

    def on_entered(self, from_state: State | None) -> None:
        """It has entered its state, coming from ``from_state`` (None: it was created)."""

    def on_running(self) -> None:
        """It runs, or goes on with the next step."""

    def on_waiting(self) -> None:
        """It waits."""

    def on_paused(self, msg: str | None) -> None:
        """It was paused."""

    def on_playing(self) -> None:
        """It was played."""

    def on_finished(self) -> None:
        """It finished."""

    def on_excepted(self) -> None:
        """It ended by an exception."""

    def on_killed(self) -> None:
        """It was killed."""

    def on_terminated(self) -> None:
        """It ended, in whichever way; called after the hook of the way."""

    def on_close(self) -> None:
        """It is let go of: it ended, or it was closed."""
