"""Looking at everything that can happen: all states of a model, each by a shortest way.

Nothing here knows what is modelled. A model says where it begins, what may happen next, and what is the end; this says
whether something forbidden can happen, and whether the end can still be reached from wherever one may get to.
"""

from array import array
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, Protocol, TypeVar

S = TypeVar("S", bound=Hashable)


class Move(NamedTuple, Generic[S]):
    """Something that may happen."""

    what: tuple[str | int, ...]
    """Its name, who does it, and how it goes."""
    to: S
    helps: bool = True
    """Whether it may be counted on. Nothing may be stuck until a fault comes to its rescue."""
    broken: str = ""
    """Which promise it breaks."""


class Model(Protocol[S]):
    """What is searched."""

    def start(self) -> S:
        """Get the state in which it begins."""

    def moves(self, state: S) -> Iterable[Move[S]]:
        """Get all that may happen next."""

    def is_over(self, state: S) -> bool:
        """Tell whether everything has come to its end."""

    def canonical(self, state: S) -> S:
        """Get the one state that stands for all those that differ in names only."""


@dataclass
class Found(Generic[S]):
    """What a search has seen."""

    states: int = 0
    moves: int = 0
    ends: int = 0
    broken: str = ""
    """The first promise that is broken; empty when all hold."""
    trace: list[tuple[tuple[str | int, ...], S]] = field(default_factory=list)
    """A shortest way there: what happens, and the state after it."""


class Search(Generic[S]):
    """Every state that a model can get to, breadth first."""

    def __init__(self, model: Model[S]) -> None:
        self._model = model
        self._number: dict[S, int] = {}
        self._came_from = array("q")
        self._over: list[int] = []
        self._helped_from: tuple[array[int], array[int]] = (array("q"), array("q"))
        """Moves that may be counted on: to where, from where."""

    def run(self) -> Found[S]:
        """Search until everything was seen, or a promise is broken."""
        found = self._explore()
        if not found.broken:
            stuck = self._first_stuck()
            if stuck is not None:
                found.broken = "the end cannot be reached any more"
                found.trace = self._trace(list(self._number)[stuck])
        found.states, found.ends = len(self._number), len(self._over)
        return found

    def _explore(self) -> Found[S]:
        model, number, found = self._model, self._number, Found[S]()
        frontier = [self._enter(model.canonical(model.start()), -1)]
        while frontier:
            coming = []
            for state in frontier:
                here = number[state]
                for move in model.moves(state):
                    found.moves += 1
                    if move.broken:
                        found.broken = move.broken
                        found.trace = [*self._trace(state, move)]
                        return found
                    to = model.canonical(move.to)
                    there = number.get(to)
                    if there is None:
                        coming.append(self._enter(to, here))
                        there = number[to]
                    if move.helps:
                        self._helped_from[0].append(there)
                        self._helped_from[1].append(here)
            frontier = coming
        return found

    def _enter(self, state: S, came_from: int) -> S:
        if self._model.is_over(state):
            self._over.append(len(self._number))
        self._number[state] = len(self._number)
        self._came_from.append(came_from)
        return state

    def _first_stuck(self) -> int | None:
        """Get the first state from which no way leads to an end by what may be counted on."""
        into: list[list[int]] = [[] for _ in self._number]
        for there, here in zip(*self._helped_from, strict=True):
            into[there].append(here)
        alive = bytearray(len(self._number))
        waiting = list(self._over)
        for state in waiting:
            alive[state] = 1
        while waiting:
            for before in into[waiting.pop()]:
                if not alive[before]:
                    alive[before] = 1
                    waiting.append(before)
        stuck = alive.find(0)
        return None if stuck < 0 else stuck

    def _trace(self, state: S, last: Move[S] | None = None) -> list[tuple[tuple[str | int, ...], S]]:
        """Get the way to a state again, with the names that everybody had in the beginning."""
        states, way = list(self._number), [state]
        while (before := self._came_from[self._number[way[-1]]]) >= 0:
            way.append(states[before])
        here, trace = self._model.start(), []
        for wanted in way[-2::-1]:
            move = next(move for move in self._model.moves(here) if self._model.canonical(move.to) == wanted)
            here = move.to
            trace.append((move.what, here))
        if last is not None:
            broken = next(move for move in self._model.moves(here) if move.broken == last.broken)
            trace.append((broken.what, broken.to))
        return trace
