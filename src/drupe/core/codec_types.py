"""Forms of the standard library's value types. The table is closed: data can name an entry, never add one.

Modules that not everybody needs are *families*: they are imported when the first value of theirs
is met, by a name that stands in this file, and so `import drupe` costs nothing for them.
"""

from base64 import b64decode, b64encode
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, timedelta, timezone
from types import MappingProxyType
from typing import Any, Final

from drupe.core.codec_numpy import numpy_forms
from drupe.core.codec_walk import Form


def wordless_forms() -> Iterator[Form]:
    """Get the forms of types that a walk writes itself: values of a plain type that a format has no word for, and sets."""
    yield Form("bytes", bytes, b64encode, lambda content: b64decode(content, validate=True))
    yield Form("dict", dict, dict.items, dict)
    yield Form("float", float, repr, float)
    yield Form("frozenset", frozenset, list, frozenset)
    yield Form("int", int, hex, lambda content: int(content, 16))
    yield Form("set", set, list, set)


def standard_forms() -> Iterator[Form]:
    """Get the forms of what is always at hand."""
    yield Form("tuple", tuple, list, tuple)
    yield Form("bytearray", bytearray, bytes, bytearray)
    yield Form("complex", complex, lambda value: [value.real, value.imag], lambda content: complex(*content))
    yield Form("OrderedDict", OrderedDict, lambda value: list(map(list, value.items())), OrderedDict)
    yield Form("date", date, date.isoformat, date.fromisoformat)
    yield Form("datetime", datetime, _dump_clock, lambda content: _load_clock(datetime, content))
    yield Form("time", time, _dump_clock, lambda content: _load_clock(time, content))
    yield Form(
        "timedelta",
        timedelta,
        lambda value: [value.days, value.seconds, value.microseconds],
        lambda content: timedelta(*content),
    )
    yield Form(
        "timezone",
        timezone,
        lambda value: list(value.__getinitargs__()),
        lambda content: timezone(*content),
    )


def _dump_clock(value: datetime | time) -> Any:
    naive = value.replace(tzinfo=None, fold=0).isoformat()
    return naive if value.tzinfo is None and not value.fold else [naive, value.fold, value.tzinfo]


def _load_clock(kind: type[datetime] | type[time], content: Any) -> Any:
    text, fold, zone = (content, 0, None) if isinstance(content, str) else content
    return kind.fromisoformat(text).replace(fold=fold, tzinfo=zone)


def _uuid_forms(uuid: Any) -> Iterator[Form]:
    yield Form("uuid.UUID", uuid.UUID, str, uuid.UUID)


def _decimal_forms(decimal: Any) -> Iterator[Form]:
    yield Form("decimal.Decimal", decimal.Decimal, str, decimal.Decimal)


def _fraction_forms(fractions: Any) -> Iterator[Form]:
    yield Form(
        "fractions.Fraction",
        fractions.Fraction,
        lambda value: [value.numerator, value.denominator],
        lambda content: fractions.Fraction(*content),
    )


def _path_forms(pathlib: Any) -> Iterator[Form]:
    for kind in (pathlib.PurePosixPath, pathlib.PosixPath, pathlib.PureWindowsPath):
        yield Form(f"pathlib.{kind.__name__}", kind, _dump_path, kind)


def _dump_path(path: Any) -> str:
    text = str(path)
    if type(path)(text) != path:  # some device paths of Windows, before Python 3.12
        raise ValueError(f"as text, {text!r}, it names another path")
    return text


def _zone_forms(zoneinfo: Any) -> Iterator[Form]:
    yield Form("zoneinfo.ZoneInfo", zoneinfo.ZoneInfo, _zone_key, zoneinfo.ZoneInfo)


def _zone_key(zone: Any) -> str:
    if zone.key is None:
        raise ValueError("it was made from a file and has no name; use ZoneInfo(name)")
    key: str = zone.key
    return key


FAMILIES: Final[Mapping[str, Callable[[Any], Iterator[Form]]]] = MappingProxyType(
    {
        "decimal": _decimal_forms,
        "fractions": _fraction_forms,
        "numpy": numpy_forms,
        "pathlib": _path_forms,
        "uuid": _uuid_forms,
        "zoneinfo": _zone_forms,
    }
)
"""Modules that are imported when a value of theirs is met, and the forms each brings."""
