"""Outlines in the form that drupe's engine runs, and where a work chain stands in one.

The program of an outline is flat, and a cursor is all that there is to say of where a work chain stands. What is shown
and saved of it is the address of that place: the position in each instruction on the way down to it.
"""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from drupe.core.outline import Arm, Node, Outline, Return, Step
from drupe.core.program import Program, compile_outline, idle

if TYPE_CHECKING:
    from plumpy.workchains import WorkChain, _Conditional

Address: TypeAlias = tuple[Any, ...]
"""The position in each instruction on the way down to a place; None comes last, where that is in what has no parts."""


class CompiledOutline:
    """An outline as drupe's program, and the addresses of its places.

    Args:
        instruction: an instruction that has parts.
    """

    def __init__(self, instruction: Any) -> None:
        self.addresses: list[Address] = []
        """Of each place."""
        self.cursors: dict[Address, int] = {}
        """The first place of each address, and of what addresses begin with."""
        self.foreign: set[int] = set()
        """The places of what makes a stepper of its own."""
        self.texts: dict[int, str] = {}
        """What places are called, to people, as far as somebody asked."""
        nodes: tuple[Node, ...] = instruction._nodes((), self)
        self.end = self._take((len(instruction),))
        self._nodes = (*nodes, Return(instruction._STEPPED_AGAIN))

    @functools.cached_property
    def program(self) -> Program:
        """The program; what is only loaded as a part of an outline needs none."""
        return compile_outline(Outline(self._nodes))

    def _take(self, address: Address) -> int:
        cursor = len(self.addresses)
        self.addresses.append(address)
        for depth in range(1, len(address) + 1):
            self.cursors.setdefault(address[:depth], cursor)
        return cursor

    # --- what takes the next place, in drupe's form -----------------------------------------------------------------

    def step(self, address: Address, function: Callable[["WorkChain"], Any]) -> Step:
        """A step."""
        return Step(_calling(function, self._take((*address, None))))

    def steps(self, address: Address, create_stepper: Callable[["WorkChain"], Any]) -> Step:
        """Steps that a stepper of their own takes."""
        cursor = self._take((*address, None))
        self.foreign.add(cursor)
        return Step(lambda place: place.begin(cursor, create_stepper))

    def returns(self, address: Address, error: Callable[[], BaseException]) -> Return:
        """The end, which is told by an error."""
        self._take((*address, None))
        return Return(error)

    def arm(self, address: Address, conditional: "_Conditional") -> Arm:
        """A condition, and its block."""
        test = _calling(conditional.is_true, self._take(address))
        if conditional._body is None:
            return Arm(test, (self.steps(address, lambda _: conditional.body),))  # which raises what is to be raised
        return Arm(test, conditional._body._nodes(address, self))

    def not_met(self, address: Address) -> Step:
        """The step that it takes to find no condition met."""
        self._take(address)
        return Step(idle)


def _calling(function: Callable[["WorkChain"], Any], cursor: int) -> Callable[["Place"], Any]:
    def call(place: Place) -> Any:
        place.cursor = cursor  # before users are called, who may ask for it
        return function(place.workchain)

    return call


class Place:
    """Where a work chain stands in an outline, at its beginning at first.

    Args:
        compiled: the outline.
        workchain: the work chain.
    """

    def __init__(self, compiled: CompiledOutline, workchain: "WorkChain") -> None:
        self.compiled = compiled
        self.workchain = workchain
        self.cursor = 0
        self.held: Any = None
        """The stepper of what is one step to the program, when it was loaded or has more steps to take."""

    @property
    def address(self) -> Address:
        """The address of it."""
        return self.compiled.addresses[self.cursor]

    def move(self, address: Address, held: Any = None) -> None:
        """Stand at the first place whose address begins like this.

        Raises:
            IndexError: there is none.
        """
        cursor = self.compiled.cursors.get(address)
        if cursor is None:
            raise IndexError("list index out of range")
        self.cursor, self.held = cursor, held

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""
        return self.cursor == self.compiled.end

    def step(self) -> tuple[bool, Any]:
        """Take a step; gets whether nothing is left to do, and what the step returned."""
        compiled = self.compiled
        program = compiled.program
        if self.held is None:
            function, onward = program.advance(self.cursor, self)
            if function is None:
                return self._end(onward)
            result = function(self)
        else:
            onward, result = program.onward[self.cursor], self._step_held()
        if self.held is None:
            self.cursor = onward
        return self.cursor == compiled.end, result

    def _end(self, cursor: int) -> tuple[bool, Any]:
        self.cursor = cursor
        error = self.compiled.program.results[cursor]
        if error is None:
            return True, None
        raise error()

    def begin(self, cursor: int, create_stepper: Callable[["WorkChain"], Any]) -> Any:
        """Take the first of the steps that a stepper of their own takes."""
        self.cursor, self.held = cursor, create_stepper(self.workchain)
        return self._step_held()

    def _step_held(self) -> Any:
        finished, result = self.held.step()
        if finished:
            self.held = None
        return result
