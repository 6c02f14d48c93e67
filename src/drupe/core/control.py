"""How pause, play and kill play together with a step that may be running: a pure machine.

A verb that comes while a step runs cannot act on it; it is kept until the step ends. What
is kept, what overtakes what and what is taken back is the literal table `RULES`, nothing else.
It has one row for each `Posture` of a process and one cell for each `Verb`.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple


class Posture(StrEnum):
    """What a process is doing, as far as pause, play and kill are concerned."""

    FREE = "free"
    """Between two steps, or waiting: a verb acts at once."""
    HELD = "held"
    """Paused: it takes no step until it is played."""
    BUSY = "busy"
    """A step runs, or a transition is being committed."""
    PAUSING = "pausing"
    """Busy, and to be paused when the step ends."""
    KILLING = "killing"
    """Busy, and to be killed when the step ends."""
    KILLED = "killed"
    """Dead because it was killed."""
    OVER = "over"
    """Dead for another reason: finished or excepted."""

    __hash__ = str.__hash__  # an enum's own is a Python function


class Verb(StrEnum):
    """What can happen to a posture: three verbs, one that takes them back, and the edges of a step."""

    PAUSE = "pause"
    PLAY = "play"
    KILL = "kill"
    CANCEL = "cancel"
    """Whoever asked for a pause or a kill that has not happened yet takes it back."""
    BEGIN = "begin"
    """A step begins."""
    END = "end"
    """The step has ended, and the process lives."""


class Answer(StrEnum):
    """What whoever asked is told."""

    YES = "yes"
    """It is so now (or was so already)."""
    LATER = "later"
    """It will be so when the running step ends, unless it is taken back or overtaken."""
    NO = "no"
    """It cannot be."""


class Effect(StrEnum):
    """What the engine must do now."""

    NOTHING = "nothing"
    HOLD = "hold"
    """Enter the pause."""
    RELEASE = "release"
    """Leave the pause."""
    KILL = "kill"
    """Make the process KILLED."""


class Rule(NamedTuple):
    """One cell of the table: the posture that follows, the answer, and what to do."""

    posture: Posture
    answer: Answer
    effect: Effect = Effect.NOTHING


_FREE, _HELD, _BUSY, _PAUSING, _KILLING, _KILLED, _OVER = Posture
_PAUSE, _PLAY, _KILL, _CANCEL, _BEGIN, _END = Verb
_YES, _LATER, _NO = Answer

RULES: Final[Mapping[Posture, Mapping[Verb, Rule]]] = MappingProxyType(
    {
        _FREE: {
            _PAUSE: Rule(_HELD, _YES, Effect.HOLD),
            _PLAY: Rule(_FREE, _YES),
            _KILL: Rule(_KILLED, _YES, Effect.KILL),
            _CANCEL: Rule(_FREE, _NO),
            _BEGIN: Rule(_BUSY, _YES),
            _END: Rule(_FREE, _NO),
        },
        _HELD: {
            _PAUSE: Rule(_HELD, _YES),
            _PLAY: Rule(_FREE, _YES, Effect.RELEASE),
            _KILL: Rule(_KILLED, _YES, Effect.KILL),
            _CANCEL: Rule(_HELD, _NO),
            _BEGIN: Rule(_HELD, _NO),  # a paused process takes no step
            _END: Rule(_HELD, _NO),
        },
        _BUSY: {
            _PAUSE: Rule(_PAUSING, _LATER),
            _PLAY: Rule(_BUSY, _YES),
            _KILL: Rule(_KILLING, _LATER),
            _CANCEL: Rule(_BUSY, _NO),
            _BEGIN: Rule(_BUSY, _NO),  # one step at a time
            _END: Rule(_FREE, _YES),
        },
        _PAUSING: {
            _PAUSE: Rule(_PAUSING, _LATER),
            _PLAY: Rule(_BUSY, _YES),  # takes the pause back
            _KILL: Rule(_KILLING, _LATER),  # overtakes the pause
            _CANCEL: Rule(_BUSY, _YES),
            _BEGIN: Rule(_PAUSING, _NO),
            _END: Rule(_HELD, _YES, Effect.HOLD),
        },
        _KILLING: {
            _PAUSE: Rule(_KILLING, _NO),
            _PLAY: Rule(_KILLING, _NO),
            _KILL: Rule(_KILLING, _LATER),
            _CANCEL: Rule(_BUSY, _YES),
            _BEGIN: Rule(_KILLING, _NO),
            _END: Rule(_KILLED, _YES, Effect.KILL),
        },
        _KILLED: {
            _PAUSE: Rule(_KILLED, _NO),
            _PLAY: Rule(_KILLED, _NO),
            _KILL: Rule(_KILLED, _YES),
            _CANCEL: Rule(_KILLED, _NO),
            _BEGIN: Rule(_KILLED, _NO),
            _END: Rule(_KILLED, _NO),
        },
        _OVER: {
            _PAUSE: Rule(_OVER, _NO),
            _PLAY: Rule(_OVER, _NO),
            _KILL: Rule(_OVER, _NO),
            _CANCEL: Rule(_OVER, _NO),
            _BEGIN: Rule(_OVER, _NO),
            _END: Rule(_OVER, _NO),
        },
    }
)

DEAD: Final = frozenset({Posture.KILLED, Posture.OVER})
