"""Forms for the classes that users mark as saveable: enums, dataclasses, named tuples and structs.

Their forms follow from what they declare. A value is made again by its class, so that a field
which was added since takes its default; what a class keeps beside its fields is not saved.
"""

import inspect
from enum import Enum, Flag
from typing import Any

import msgspec

from drupe.core.codec_walk import Form, title
from drupe.errors import CodecError


def form_of(cls: type, name: str) -> Form:
    """Get the form of a class that declares what its values are made of.

    Raises:
        CodecError: it does not, or not completely.
    """
    if issubclass(cls, Flag):  # a combination of flags has no name
        return Form(name, cls, lambda value: value.value, cls)
    if issubclass(cls, Enum):
        return Form(name, cls, lambda value: value.name, lambda content: cls[content])
    if hasattr(cls, "__dataclass_fields__"):
        return _dataclass_form(cls, name)
    if issubclass(cls, msgspec.Struct):
        return _fields_form(cls, name, cls.__struct_fields__)
    if issubclass(cls, tuple) and hasattr(cls, "_make"):
        return Form(name, cls, list, cls._make)
    raise CodecError(
        f"{title(cls)} is neither an enum nor a dataclass, a named tuple or a struct, so drupe cannot tell what it is made of; "
        "register it with two functions: CODEC.register(name, type, dump, load)"
    )


def _fields_form(cls: type, name: str, fields: tuple[str, ...], later: tuple[str, ...] = ()) -> Form:
    """Get a form of named fields; those in ``later`` are set once the value is made, past whatever forbids it."""

    def dump(value: Any) -> Any:
        return {field: getattr(value, field) for field in (*fields, *later)}

    def load(content: Any) -> Any:
        unknown = content.keys() - {*fields, *later}
        if unknown:
            raise ValueError(f"{title(cls)} has no field {min(unknown)!r} (any more)")
        made = cls(**{field: content[field] for field in fields if field in content})
        for field in later:
            if field in content:
                object.__setattr__(made, field, content[field])
        return made

    return Form(name, cls, dump, load)


def _dataclass_form(cls: Any, name: str) -> Form:
    import dataclasses  # who has one has paid for it

    fields = dataclasses.fields(cls)
    given = tuple(field.name for field in fields if field.init)
    asked = [parameter for parameter in inspect.signature(cls).parameters if parameter not in given]
    if asked:
        raise CodecError(
            f"{title(cls)} takes {asked[0]!r} when it is made and does not keep it in a field, so it could not be made again; "
            "keep it, or register the class with two functions: CODEC.register(name, type, dump, load)"
        )
    return _fields_form(cls, name, given, tuple(field.name for field in fields if not field.init))
