"""What is said about a value that does not fit its port.

Everything that a person reads about bad inputs and outputs is worded here, in one voice:
where (the full dotted path), what was expected, what came. Nothing here decides whether a
value fits; ports do that.
"""

import reprlib
from collections.abc import Iterable
from types import NoneType, UnionType
from typing import Any, TypeAlias, get_args

import msgspec

from drupe.errors import PortValueError

SEPARATOR = "."
"""Between the names of a path: ``inputs.cell.volume``."""

Path: TypeAlias = tuple[str, ...]
ValidType: TypeAlias = "type[Any] | UnionType | tuple[ValidType, ...] | None"

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 60


class Issue(msgspec.Struct, frozen=True):
    """One thing that is wrong with a value.

    Attributes:
        message: what is wrong.
        port: the dotted path of the port it is wrong for.
    """

    message: str
    port: str

    def __str__(self) -> str:
        return f"{self.port}: {self.message}"


class Review(msgspec.Struct):
    """One pass over values.

    Attributes:
        filling: whether defaults are filled in where nothing is given.
        issues: what was found wrong so far.
    """

    filling: bool
    issues: list[Issue] = []


def refuse(issues: Iterable[Issue], error: type[PortValueError]) -> None:
    """Pass if there is no issue; else raise them all at once, one a line.

    Raises:
        PortValueError: of the type `error`, if there is any issue.
    """
    text = "\n".join(map(str, issues))
    if text:
        raise error(text)


def misfit(path: Path, value: object, expected: ValidType) -> Issue:
    """The issue of a value of the wrong type."""
    wanted, came = type_names(expected), type_names(type(value))
    if came in wanted.split(" or "):  # two classes of one name: only their modules tell them apart
        wanted, came = type_names(expected, full=True), type_names(type(value), full=True)
    return issue(path, f"expected {wanted}, got {came if value is None else f'{came} {brief(value)}'}")


def absent(path: Path, expected: ValidType, purpose: str | None) -> Issue:
    """The issue of a required value that was not given."""
    told = [type_names(expected)] if expected is not None else []
    told += (purpose or "").strip().splitlines()[:1]
    return issue(path, "required, but not given" + (f" ({': '.join(told)})" if told else ""))


def unknown(path: Path, known: Iterable[str]) -> Issue:
    """The issue of a value that no port takes."""
    kind = {"inputs": "input", "outputs": "output"}.get(path[0], "port")
    return issue(path, f"unknown {kind}; {alternatives(path[-1], known)}")


def issue(path: Path, message: str) -> Issue:
    """The issue of a message at a path."""
    return Issue(message, SEPARATOR.join(path))


def alternatives(name: str, known: Iterable[str]) -> str:
    """What might have been meant by a name that is none of the known ones."""
    import difflib  # only mistakes pay for it

    names = [str(known_name) for known_name in known]
    if close := difflib.get_close_matches(name, names, n=3):
        return f"did you mean {' or '.join(map(repr, close))}?"
    return f"there {'is' if len(names) == 1 else 'are'} {', '.join(map(repr, names)) or 'none'}"


def type_names(valid_type: ValidType, *, full: bool = False) -> str:
    """The types as a person writes them, with their modules only if asked: ``int or str``."""
    if valid_type is None:
        return "anything"
    if members := valid_type if isinstance(valid_type, tuple) else get_args(valid_type):
        return " or ".join(type_names(member, full=full) for member in members)
    if valid_type is NoneType:
        return "None"
    name = getattr(valid_type, "__qualname__", brief(valid_type))
    return f"{valid_type.__module__}.{name}" if full else name


def brief(value: object) -> str:
    """The value's repr on one line and of bounded length."""
    return _REPR.repr(value).replace("\n", " ")
