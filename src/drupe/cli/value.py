"""Inputs from text: ``name=value`` pairs and JSON files become what the ports take.

A value is JSON if it reads as JSON, else text; and it is turned into the type of its port where only one meaning is
possible. Whether it is right is for the port to say, not for this module.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from pathlib import Path, PurePath
from types import NoneType
from typing import Any, Final, NamedTuple, get_args

import msgspec

from drupe.core.codec import CODEC
from drupe.core.issue import SEPARATOR, brief
from drupe.core.namespace import PortNamespace
from drupe.core.port import Port
from drupe.errors import CodecError, InputError

STDIN: Final = "-"

_TRUTH: Final = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def gather(ports: PortNamespace, *, file: str | None = None, pairs: Iterable[str] = ()) -> dict[str, Any]:
    """Get the inputs that a file and pairs give together; a pair goes before the file.

    Raises:
        InputError: the file is not JSON, or a pair is none.
    """
    given = {} if file is None else read(file)
    given = _of_namespace(ports, given)
    for pair in pairs:
        name, equals, text = pair.partition("=")
        path = name.split(SEPARATOR)
        if not equals or not all(path):
            raise InputError(f"--input {pair!r}: write name=value; a dotted name leads into a namespace")
        _put(given, path, _of_text(port_of(ports, path), text), pair)
    return given


def read(file: str) -> dict[str, Any]:
    """Get what a JSON file has, or the standard input.

    Raises:
        InputError: it cannot be read, or has something else than names with values.
    """
    where = "the standard input" if file == STDIN else file
    try:
        text = sys.stdin.read() if file == STDIN else Path(file).expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--inputs {where} cannot be read: {error}") from error
    found = _of_json(text, where)
    if type(found) is not dict:
        raise InputError(f"--inputs {where}: expected an object with the names of inputs, got {brief(found)}")
    return found


def _of_json(text: str, where: str) -> Any:
    try:
        return CODEC.from_json(text)
    except CodecError as error:
        reason = str(error)
        try:
            json.loads(text)  # it knows lines and columns
        except json.JSONDecodeError as located:
            reason = f"not JSON: line {located.lineno}, column {located.colno}: {located.msg}"
        except RecursionError:
            reason = "its values are nested too deeply"
        raise InputError(f"--inputs {where}: {reason}") from error


def _put(given: dict[str, Any], path: list[str], value: Any, pair: str) -> None:
    place = given
    for part in path[:-1]:
        inner = place.setdefault(part, {})
        if type(inner) is not dict:
            raise InputError(f"--input {pair!r}: {part!r} has a value of its own already, {brief(inner)}")
        place = inner
    place[path[-1]] = value


# --- what a port takes -------------------------------------------------------------------------------------


def port_of(ports: PortNamespace, path: Iterable[str]) -> Port | None:
    """Get the port of a name, or the dynamic namespace that takes its value; None where there is neither."""
    port: Port = ports
    for part in path:
        if not isinstance(port, PortNamespace):
            return None
        if part not in port:
            return port if port.dynamic else None
        port = port[part]
    return port


def _of_namespace(ports: PortNamespace, given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _of_value(port_of(ports, [name]), value) for name, value in given.items()}


def _of_text(port: Port | None, text: str) -> Any:
    """Get the value for what was written behind ``name=``."""
    types = _types(port)
    try:
        value = CODEC.from_json(text)
    except CodecError:
        value = text
    if isinstance(port, PortNamespace) and isinstance(value, dict):
        return _of_value(port, value)
    if isinstance(value, types) and not (type(value) is bool and bool not in types and object not in types):
        return value
    if str in types:
        return text
    if bool in types and text.lower() in _TRUTH:
        return _TRUTH[text.lower()]
    written = value if isinstance(value, str) else text  # 1.10 is a Decimal with two digits, and 12 a path
    fitted = _fit(written, tuple(filter(_is_written, types)))
    return _fit(value, types) if fitted is written else fitted


def _of_value(port: Port | None, value: Any) -> Any:
    """Get the value for one that JSON has."""
    if isinstance(port, PortNamespace) and isinstance(value, dict):
        return _of_namespace(port, value)
    types = _types(port)
    return value if isinstance(value, types) else _fit(value, types)


def _types(port: Port | None) -> tuple[type, ...]:
    if port is None or port.valid_type is None:
        return (object,)
    return tuple(_flat(port.valid_type))


def _flat(valid_type: Any) -> Iterable[type]:
    members = valid_type if isinstance(valid_type, tuple) else get_args(valid_type) or (valid_type,)
    for member in members:
        yield from [member] if member is valid_type or isinstance(member, type) else _flat(member)


def _fit(value: Any, types: tuple[type, ...]) -> Any:
    """Get the value as the one type that it can become; itself if there is none, or more than one."""
    found = [fitted for kind in types if kind is not NoneType for fitted in _as(kind, value)]
    return found[0] if len(found) == 1 else value


def _as(kind: type, value: Any) -> list[Any]:
    """Get the value as a type, in a list; an empty one if it cannot become that."""
    make = _maker(kind)
    if make is None or not isinstance(value, make.given) or isinstance(value, bool):
        return []
    try:
        return [make.of(kind, value)]
    except (ValueError, TypeError, OverflowError):
        return []


class _Maker(NamedTuple):
    """How values of a type are made.

    Attributes:
        given: of which types of JSON.
        of: gets the type and the value.
    """

    given: tuple[type, ...]
    of: Callable[[Any, Any], Any]


def _call(kind: Any, value: Any) -> Any:
    return kind(value)


def _member(kind: Any, value: Any) -> Any:
    return kind[value] if isinstance(value, str) and value in kind.__members__ else kind(value)


def _convert(kind: Any, value: Any) -> Any:
    return msgspec.convert(value, kind, strict=False)


_MAKERS: Final = {
    float: _Maker((int,), _call),
    complex: _Maker((int, float, str), _call),
    tuple: _Maker((list,), _call),
    set: _Maker((list,), _call),
    frozenset: _Maker((list,), _call),
    PurePath: _Maker((str,), _call),
    Enum: _Maker((str, int), _member),
}
_CONVERTED: Final = ("datetime", "decimal", "uuid")
"""Modules whose types msgspec makes out of text and numbers."""


def _is_written(kind: type) -> bool:
    """Tell whether values of a type are written as text, whatever it looks like."""
    return kind.__module__ in _CONVERTED or issubclass(kind, PurePath)


def _maker(kind: type) -> _Maker | None:
    if kind.__module__ in _CONVERTED:
        return _Maker((str, int, float), _convert)
    return next((_MAKERS[each] for each in kind.__mro__ if each in _MAKERS), None)
