"""What a work chain's author writes: steps, `if_`, `while_` and `return_`, checked where they are written.

An outline is a tree of immutable nodes and knows nothing about running; `program` makes it
runnable, `sketch` shows it. What is wrong with it is said here, at definition, naming the item.
Nothing here recurses, so an outline may be nested as deeply as memory allows.
"""

import inspect
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import msgspec

from drupe.errors import OutlineError

StepFunction: TypeAlias = Callable[[Any], Any]
"""A method of the work chain, unbound: ``cls.step``."""
Predicate: TypeAlias = Callable[[Any], Any]
"""A method that says yes or no, unbound; it reads the context and the inputs and changes nothing."""

_UNSET: Final = object()  # tells ``return_`` from ``return_(None)``

# Nodes compare by identity: comparing or hashing a deep tree by value would recurse.


class Step(msgspec.Struct, frozen=True, eq=False):
    """One method of the work chain."""

    function: StepFunction

    @property
    def name(self) -> str:
        """The method's name."""
        return name_of(self.function)

    def __repr__(self) -> str:
        return self.name


class Return(msgspec.Struct, frozen=True, eq=False):
    """Ends the work chain at once."""

    given: Any = _UNSET

    @property
    def value(self) -> Any:
        """What the work chain finishes with: None unless a value was given."""
        return None if self.given is _UNSET else self.given

    def __call__(self, value: Any) -> "Return":
        """Get a return that finishes the work chain with ``value``.

        Raises:
            OutlineError: this one has a value already.
        """
        if self.given is not _UNSET:
            raise OutlineError(f"{self!r}({value!r}): return_ takes one value")
        return Return(value)

    def __repr__(self) -> str:
        return "return_" if self.given is _UNSET else f"return_({self.given!r})"


class Arm(msgspec.Struct, frozen=True, eq=False):
    """A predicate and what is done when it says yes."""

    predicate: Predicate
    body: tuple["Node", ...]

    @property
    def name(self) -> str:
        """The predicate's name."""
        return name_of(self.predicate)


class While(msgspec.Struct, frozen=True, eq=False):
    """Repeats the body of its arm as long as the predicate says yes."""

    arm: Arm

    def __repr__(self) -> str:
        return f"while_({self.arm.name})(…)"


class If(msgspec.Struct, frozen=True, eq=False):
    """Does the body of the first arm whose predicate says yes, else ``otherwise``."""

    arms: tuple[Arm, ...]
    otherwise: tuple["Node", ...] = ()

    def elif_(self, predicate: Predicate) -> "IfHead":
        """Begin another arm: ``.elif_(cls.predicate)(cls.step, …)``.

        Raises:
            OutlineError: it comes after ``else_``, or the predicate cannot be one.
        """
        if self.otherwise:
            raise OutlineError(f"{self!r}.elif_({name_of(predicate)}): elif_ after else_ would never be reached")
        return IfHead(_predicate(predicate, "elif_"), "elif_", self.arms)

    def else_(self, *steps: Any) -> "If":
        """Add what is done when no predicate says yes.

        Raises:
            OutlineError: there is an ``else_`` already, or a step cannot be one.
        """
        if self.otherwise:
            raise OutlineError(f"{self!r}.else_: a second else_ would never be reached")
        return If(self.arms, _body(steps, f"{self!r}.else_"))

    def __repr__(self) -> str:
        arms = ").elif_(".join(f"{arm.name})(…" for arm in self.arms)
        return f"if_({arms}){'.else_(…)' if self.otherwise else ''}"


class IfHead(msgspec.Struct, frozen=True, eq=False):
    """An ``if_`` or ``elif_`` that still needs its body: call it with the steps."""

    predicate: Predicate
    word: str = "if_"
    before: tuple[Arm, ...] = ()

    def __call__(self, *steps: Any) -> If:
        """Give the body.

        Raises:
            OutlineError: it is empty, or a step cannot be one.
        """
        return If((*self.before, Arm(self.predicate, _body(steps, repr(self)))))

    def __repr__(self) -> str:
        return f"{self.word}({name_of(self.predicate)})"


class WhileHead(msgspec.Struct, frozen=True, eq=False):
    """A ``while_`` that still needs its body: call it with the steps."""

    predicate: Predicate

    def __call__(self, *steps: Any) -> While:
        """Give the body.

        Raises:
            OutlineError: it is empty, or a step cannot be one.
        """
        return While(Arm(self.predicate, _body(steps, repr(self))))

    def __repr__(self) -> str:
        return f"while_({name_of(self.predicate)})"


Node: TypeAlias = Step | Return | While | If


class Outline(msgspec.Struct, frozen=True, eq=False):
    """The whole body of a work chain."""

    body: tuple[Node, ...]

    def __repr__(self) -> str:
        return f"outline({', '.join(map(repr, self.body))})"


def outline(*steps: Any) -> Outline:
    """Get the outline that consists of these steps.

    Raises:
        OutlineError: there are none, or one of them cannot be a step.
    """
    return Outline(_body(steps, "outline"))


def if_(predicate: Predicate) -> IfHead:
    """Begin a branch: ``if_(cls.predicate)(cls.step, …).elif_(…)(…).else_(…)``.

    Raises:
        OutlineError: the predicate cannot be one.
    """
    return IfHead(_predicate(predicate, "if_"))


def while_(predicate: Predicate) -> WhileHead:
    """Begin a loop: ``while_(cls.predicate)(cls.step, …)``.

    Raises:
        OutlineError: the predicate cannot be one.
    """
    return WhileHead(_predicate(predicate, "while_"))


return_: Final = Return()
"""Ends the work chain at once, with None; ``return_(value)`` ends it with a value."""


def name_of(function: object) -> str:
    """Get the name that people know a function by; it is the same in every interpreter."""
    name = getattr(function, "__name__", None)
    return name if isinstance(name, str) else type(function).__name__


# --- what can be written wrongly ---------------------------------------------------------------------------


def _body(items: tuple[Any, ...], where: str) -> tuple[Node, ...]:
    if not items:
        raise OutlineError(f"{where}() has no steps; give it at least one")
    return tuple(_node(item, f"{where}, item {number}") for number, item in enumerate(items, start=1))


def _node(item: Any, where: str) -> Node:
    if isinstance(item, Step | Return | While | If):
        return item
    if isinstance(item, IfHead | WhileHead):
        raise OutlineError(f"{where}: {item!r} has no body; write {item!r}(step, …)")
    if item is if_ or item is while_:
        raise OutlineError(f"{where}: {name_of(item)} has no predicate; write {name_of(item)}(predicate)(step, …)")
    _check_method(item, where, "step")
    if _yields(item):
        raise OutlineError(f"{where}: step {name_of(item)} yields; a step is a plain or an async function")
    return Step(item)


def _predicate(item: Any, where: str) -> Predicate:
    _check_method(item, where, "predicate")
    call = item if inspect.isroutine(item) else getattr(item, "__call__", item)  # noqa: B004 (its signature is wanted)
    if inspect.iscoroutinefunction(item) or inspect.iscoroutinefunction(call) or _yields(item):
        raise OutlineError(
            f"{where}: predicate {name_of(item)} is async or yields, so it would always be true; "
            "write it as a plain def and await what it needs in a step before"
        )
    predicate: Predicate = item
    return predicate


def _yields(function: Any) -> bool:
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def _check_method(item: Any, where: str, role: str) -> None:
    if isinstance(item, list | tuple):
        raise OutlineError(f"{where}: a {type(item).__name__} is no {role}; put a star before it to give its items")
    if not callable(item) or isinstance(item, type | IfHead | WhileHead | Return):
        raise OutlineError(
            f"{where}: {item!r} is no {role}; write a method of the class without calling it: cls.method"
        )
    try:
        inspect.signature(item).bind(None)
    except TypeError:
        raise OutlineError(
            f"{where}: {role} {name_of(item)} cannot be called with the work chain as its only argument; "
            f"write it as def {name_of(item)}(self) and give cls.{name_of(item)}"
        ) from None
    except ValueError:  # built in, without a signature that could be checked
        return
