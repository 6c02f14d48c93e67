"""Orders that are being carried out, and which of them a change of their process answers.

An order is answered by the very change that brings it about, so that no crash can come between the two. What is not
to be answered by a change is answered beside it, by `service.attendant`.
"""

from collections.abc import Mapping
from typing import Any, Final

from drupe.core.control import Verb
from drupe.core.lifecycle import State
from drupe.core.order import Answer, Order, Outcome
from drupe.engine.action import ControlAction

_BROUGHT_ABOUT_BY: Final = {"paused": Verb.PAUSE, "played": Verb.PLAY, str(State.KILLED): Verb.KILL}
_TAKE_NOTHING: Final = ("paused", "played", str(State.KILLED), str(State.EXCEPTED))
"""Events by which a process does not go on from where it waits."""


class Pursuit:
    """One order, and what the engine answered when it was asked."""

    __slots__ = ("action", "answered", "order", "verb")

    def __init__(self, order: Order, verb: Verb, action: ControlAction) -> None:
        self.order = order
        self.verb = verb
        self.action = action
        self.answered = False
        """Whether the store has its answer."""

    def answer(self) -> Answer | None:
        """Get the answer if there is one by now; None also if it was left undecided and has to be asked again."""
        action = self.action
        if not action.done():
            return None
        if action.cancelled():
            return Answer(id=self.order.id, outcome=Outcome.REFUSED, detail="it was taken back")
        if action.exception() is not None or (not action.result() and action.why is None):
            return None
        outcome = Outcome.APPLIED if action.result() else Outcome.REFUSED
        return Answer(id=self.order.id, outcome=outcome, detail=action.why)


def answers(pursuits: Mapping[str, Pursuit], stage: Any, event: str) -> tuple[Answer, ...]:
    """Get the answers that a change is.

    Args:
        pursuits: what is being carried out, by the id of the order.
        stage: what the process does until then.
        event: what happens.
    """
    signal = getattr(stage, "taken", None)
    if not pursuits and signal is None:  # what every step pays
        return ()
    verb = _BROUGHT_ABOUT_BY.get(event)
    ids = [id for id, found in pursuits.items() if found.verb is verb and not found.action.done()]
    if signal is not None and signal.id is not None and event not in _TAKE_NOTHING:
        ids.append(signal.id)
    return tuple(Answer(id=id, outcome=Outcome.APPLIED) for id in ids)
