"""The codec: values to bytes and back, with their exact types, or not at all.

Two forms: MessagePack for speed, JSON for people. Plain data is encoded and decoded in C; any
other value is written under the name of its registered type. What could not be decoded again is
refused when it is encoded, naming its path. Decoding calls nothing that is not registered here:
a name in the data is looked up, never imported.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, TypeVar

import msgspec

from drupe.core.codec_class import form_of
from drupe.core.codec_json import JsonWalk, read_json
from drupe.core.codec_types import FAMILIES, standard_forms, wordless_forms
from drupe.core.codec_walk import Form, Walk, fits, title
from drupe.core.plain import MAX_DEPTH, PLAIN, SCALARS, pack, pack_plain
from drupe.errors import CodecError

T = TypeVar("T")

_TAGGED: Final = 1  # the one MessagePack extension there is: [name of a type, content]


class Codec:
    """A registry of types, and the two forms that follow from it.

    The standard library's value types and numpy's arrays and scalars are in it from the start.
    """

    def __init__(self) -> None:
        self._by_type: dict[type, Form] = {}
        self._by_name: dict[str, Form] = {}
        self._families = dict(FAMILIES)
        self._decode = self.decoder(Any).decode
        self._decode_tagged = self.decoder(tuple[str, Any]).decode
        self._packing = _PackWalk(self._find)
        self._json = JsonWalk(self._find)
        for form in (*wordless_forms(), *standard_forms()):
            self._add(form)

    # --- what can be saved -----------------------------------------------------------------------------

    def register(self, name: str, kind: type[T], dump: Callable[[T], Any], load: Callable[[Any], T]) -> None:
        """Make values of exactly this type savable.

        A class that is defined again, in a notebook or by a reload, takes the place of its former self.

        Args:
            name: what is written in place of the type; it must never change.
            kind: the type; subclasses have to be registered themselves.
            dump: gets the content of a value: anything that can itself be saved.
            load: gets the value back from its content.

        Raises:
            CodecError: the name or the type is taken.
        """
        former = self._form_named(name)
        if former is not None and title(former.type) != title(kind):
            raise CodecError(
                f"the name {name!r} is taken by {title(former.type)}; register {title(kind)} under another"
            )
        known = self._find(kind)
        if kind in PLAIN or (known is not None and known.name != name):
            raise CodecError(f"{title(kind)} is registered already{f' as {known.name!r}' if known else ''}")
        self._add(Form(name, kind, dump, load))

    def register_class(self, kind: type[T], *, name: str | None = None) -> type[T]:
        """Make an enum, a dataclass, a named tuple or a struct savable; usable as a decorator.

        Values are saved by their declared fields and made again by the class. The name written in
        place of the class is ``module:QualName`` unless one is given; it must never change.

        Raises:
            CodecError: the name is taken, or the class does not say what its values are made of.
        """
        form = form_of(kind, name or f"{kind.__module__}:{kind.__qualname__}")
        self.register(form.name, form.type, form.dump, form.load)
        return kind

    # --- MessagePack -----------------------------------------------------------------------------------

    def encode(self, value: Any, *, path: str = "") -> bytes:
        """Get a value as bytes from which `decode` makes an equal one of the same types.

        Args:
            value: what to encode. What it refers to twice is there twice after decoding.
            path: what the value is called in errors, for example ``inputs``.

        Raises:
            UnsavableError: it could not be decoded again; names the path of the item, and what to do.
        """
        packed = pack_plain(value)
        return pack(self._packing.write(value, path)) if packed is None else packed

    def decode(self, data: bytes) -> Any:
        """Get the value back.

        Raises:
            CodecError: these are not bytes that `encode` wrote, or a type is not registered here.
        """
        try:
            return self._decode(data)
        except CodecError:
            raise
        except Exception as error:
            raise CodecError(f"not a value that drupe wrote: {error}") from error

    def decoder(self, kind: Any) -> "msgspec.msgpack.Decoder[Any]":
        """Get msgspec's decoder of a type whose fields of type `Any` hold values of this codec.

        It raises `CodecError`, and whatever msgspec raises.
        """
        return msgspec.msgpack.Decoder(kind, ext_hook=self._revive)

    # --- JSON ------------------------------------------------------------------------------------------

    def to_json(self, value: Any, *, path: str = "", indent: int | None = None) -> str:
        """Get a value as JSON for people, from which `from_json` makes an equal one of the same types.

        Raises:
            UnsavableError: as for `encode`.
        """
        text = msgspec.json.encode(self._json.write(value, path))
        return (text if indent is None else msgspec.json.format(text, indent=indent)).decode()

    def from_json(self, text: str | bytes) -> Any:
        """Get the value back; any JSON is read, a ``{"$type": …}`` as a value of that type.

        Raises:
            CodecError: this is not JSON, or a type is not registered here, or its content is not right.
        """
        try:
            return read_json(text, self._load)
        except CodecError:
            raise
        except Exception as error:
            raise CodecError(f"not JSON that drupe can read: {error}") from error

    # --- the registry ----------------------------------------------------------------------------------

    def _add(self, form: Form) -> None:
        self._by_name[form.name] = form
        self._by_type[form.type] = form

    def _find(self, kind: type) -> Form | None:
        form = self._by_type.get(kind)
        if form is None and self._meet(kind.__module__):
            form = self._by_type.get(kind)
        return form

    def _form_named(self, name: str) -> Form | None:
        form = self._by_name.get(name)
        if form is None and self._meet(name):
            form = self._by_name.get(name)
        return form

    def _meet(self, name: str) -> bool:
        """Register the family that a dotted name begins with, if there is one that was not met before."""
        family = name.partition(".")[0]
        forms = self._families.get(family)
        if forms is None:
            return False
        try:
            module = import_module(family)  # a key of FAMILIES, a table that stands in the code
        except ImportError:
            return False
        for form in forms(module):
            self._by_type.setdefault(form.type, form)
            self._by_name.setdefault(form.name, form)
        self._families.pop(family, None)
        return True

    def _revive(self, code: int, data: memoryview) -> Any:
        if code != _TAGGED:
            raise CodecError(f"MessagePack extension {code} is none of drupe's")
        return self._load(*self._decode_tagged(data))

    def _load(self, name: str, content: Any) -> Any:
        form = self._form_named(name)
        if form is None:
            raise CodecError(f"no type {name!r} is registered here; import the module that registers it")
        try:
            return form.load(content)
        except Exception as error:
            raise CodecError(f"not the content of a {name!r}: {error}") from error


class _PackWalk(Walk):
    """Turns a value into something that MessagePack holds exactly, plain parts of it at once."""

    def tag(self, name: str, content: Any) -> Any:
        return msgspec.msgpack.Ext(_TAGGED, pack((name, content)))

    def is_key(self, key: Any) -> bool:
        return type(key) in SCALARS and fits(key)

    def container(self, value: Any, depth: int) -> Any:
        packed = pack_plain(value, MAX_DEPTH - depth)
        return super().container(value, depth) if packed is None else msgspec.Raw(packed)


CODEC: Final = Codec()
"""The codec of checkpoints, inputs and messages."""

saveable: Final = CODEC.register_class
"""Marks an enum, a dataclass, a named tuple or a struct as savable."""
