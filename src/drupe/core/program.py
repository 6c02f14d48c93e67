"""An outline made runnable: a flat program and a cursor, which is all that is saved of where it stands.

A program is a row of instructions: *step*, *test*, *return* and one *end*. Jumps exist only while
compiling: every instruction knows the one that follows it, so a step costs the same at any depth
of nesting. A program never changes, and running it changes nothing but the cursor.
"""

from typing import Any, Final, TypeAlias

import msgspec

from drupe.core.outline import Arm, If, Node, Outline, Predicate, Return, Step, StepFunction, While

_MOST_TESTS: Final = range(1000)


def idle(chain: Any) -> None:
    """Do nothing: the step that a program takes when it would test for ever without a step between.

    ``while_(a)(if_(b)(step))`` with ``a`` true and ``b`` false never comes to a step. As an idle
    step each long row of tests still ends a turn: the process can be paused and killed, and others run.
    """


class Program(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """Instructions as parallel tuples, one place for each; a cursor is an index into them.

    Attributes:
        tests: the predicate of a test, else None.
        steps: the function of a step, else None.
        onward: where to go after a step, or when a test says yes; a return and the end stay where they are.
        otherwise: where to go when a test says no, else the place itself.
        results: what the work chain finishes with, at a return; else None.
        names: what to call each instruction before people.
        digest: a short hash over kinds, names and targets; a cursor means something only to a
            program of the same digest.
    """

    tests: tuple[Predicate | None, ...]
    steps: tuple[StepFunction | None, ...]
    onward: tuple[int, ...]
    otherwise: tuple[int, ...]
    results: tuple[Any, ...]
    names: tuple[str, ...]
    digest: str

    @property
    def end(self) -> int:
        """The cursor of a work chain that has nothing more to do."""
        return len(self.names) - 1

    def advance(self, cursor: int, chain: Any) -> tuple[StepFunction | None, int]:
        """Get the next step, and the cursor to save once it was taken.

        Predicates between here and there are called with ``chain``; what they raise is raised.
        None instead of a step says that the work chain is over: its result is ``results[cursor]``
        of the cursor that comes with it.
        """
        tests = self.tests
        for _ in _MOST_TESTS:
            test = tests[cursor]
            if test is None:
                return self.steps[cursor], self.onward[cursor]
            cursor = self.onward[cursor] if test(chain) else self.otherwise[cursor]
        return idle, cursor


def compile_outline(outline: Outline) -> Program:
    """Get the program that does what the outline says, beginning at cursor 0."""
    code = _flatten(outline)
    position = {op: at for at, op in enumerate(code) if isinstance(op, _Label | _Test)}
    # Where control that comes to a position really arrives: beyond labels, at the far end of jumps.
    # Seen from the end everything ahead is known, and what is jumped back to is always a test.
    arrival = list(range(len(code)))
    for at, op in reversed(list(enumerate(code))):
        if isinstance(op, _Label):
            arrival[at] = arrival[at + 1]
        elif isinstance(op, _Jump):
            arrival[at] = arrival[position[op.to]]
    kept = [(at, op) for at, op in enumerate(code) if not isinstance(op, _Label | _Jump)]
    place = {at: index for index, (at, _) in enumerate(kept)}
    onward = tuple(place[arrival[at + 1]] if isinstance(op, Step | _Test) else place[at] for at, op in kept)
    otherwise = tuple(place[arrival[position[op.no]]] if isinstance(op, _Test) else place[at] for at, op in kept)
    kinds = [_KINDS[type(op)] for _, op in kept]
    names = tuple(op.name if isinstance(op, Step | _Test) else _KINDS[type(op)] for _, op in kept)
    return Program(
        tests=tuple(op.predicate if isinstance(op, _Test) else None for _, op in kept),
        steps=tuple(op.function if isinstance(op, Step) else None for _, op in kept),
        onward=onward,
        otherwise=otherwise,
        results=tuple(op.value if isinstance(op, Return) else None for _, op in kept),
        names=names,
        digest=_digest((kinds, names, onward, otherwise)),
    )


def _digest(shape: Any) -> str:
    from hashlib import blake2b  # it loads OpenSSL, which takes a tenth of the time of `import drupe`

    return blake2b(msgspec.json.encode(shape), digest_size=8).hexdigest()


# --- compiling ---------------------------------------------------------------------------------------------


class _Label(msgspec.Struct, frozen=True, eq=False):
    """A position that is jumped ahead to."""


class _Test(msgspec.Struct, frozen=True, eq=False):
    """Go on if the predicate says yes, else to a label."""

    predicate: Predicate
    name: str
    no: _Label


class _Jump(msgspec.Struct, frozen=True, eq=False):
    to: _Label | _Test


class _End:
    """Behind everything else."""


_Op: TypeAlias = Step | Return | _Test | _Jump | _Label | _End

_KINDS: Final[dict[type, str]] = {Step: "step", _Test: "test", Return: "return", _End: "end"}


def _flatten(outline: Outline) -> list[_Op]:
    code: list[_Op] = []
    todo: list[Node | _Op] = [*reversed(outline.body)]
    while todo:
        item = todo.pop()
        if isinstance(item, While):
            todo.extend(reversed(_loop(item.arm)))
        elif isinstance(item, If):
            todo.extend(reversed(_branch(item)))
        else:
            code.append(item)
    return [*code, _End()]


def _loop(arm: Arm) -> list[Node | _Op]:
    out = _Label()
    test = _Test(arm.predicate, arm.name, no=out)
    return [test, *arm.body, _Jump(test), out]


def _branch(branch: If) -> list[Node | _Op]:
    out = _Label()
    parts: list[Node | _Op] = []
    for arm in branch.arms:
        after = _Label()
        parts += [_Test(arm.predicate, arm.name, no=after), *arm.body, _Jump(out), after]
    return [*parts, *branch.otherwise, out]
