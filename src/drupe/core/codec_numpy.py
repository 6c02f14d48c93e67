"""Forms of numpy's arrays and scalars. Nothing here imports numpy: it is handed in by who met a value of it.

An array keeps its shape, its element type down to the byte order, and its bytes; it comes back
writable and in C order. What has Python objects or fields inside is refused: the bytes of the
former are addresses, and the type of the latter is more than a name.
"""

import re
from collections.abc import Iterator
from math import prod
from typing import Any, Final

from drupe.core.codec_walk import Form

_ELEMENT: Final = r"[<>|](?:[biufcSUV]\d{1,9}|[mM]8(?:\[\d{0,9}[a-zA-Zμ]{1,2}\])?)"
_WHOLE: Final = ("int8", "int16", "int32", "int64", "longlong", "uint8", "uint16", "uint32", "uint64", "ulonglong")


def numpy_forms(numpy: Any) -> Iterator[Form]:
    """Get the forms of arrays and of scalars; the latter keep their type and read as plain values."""
    yield Form("numpy.ndarray", numpy.ndarray, _dump_array, lambda content: _load_array(numpy, *content))
    yield Form("numpy.bool", numpy.bool_, bool, numpy.bool_)
    yield Form("numpy.str", numpy.str_, str, numpy.str_)
    yield Form("numpy.bytes", numpy.bytes_, bytes, numpy.bytes_)
    yield Form("numpy.longdouble", numpy.longdouble, str, numpy.longdouble)
    for name in _WHOLE:
        yield Form(f"numpy.{name}", getattr(numpy, name), int, getattr(numpy, name))
    for name in ("float16", "float32", "float64"):
        yield Form(f"numpy.{name}", getattr(numpy, name), float, getattr(numpy, name))
    for name in ("complex64", "complex128"):
        yield Form(f"numpy.{name}", getattr(numpy, name), _dump_complex, _complex_loader(getattr(numpy, name)))
    for name in ("datetime64", "timedelta64"):
        yield Form(f"numpy.{name}", getattr(numpy, name), _dump_array, _scalar_loader(numpy))


def _dump_array(array: Any) -> Any:
    element = array.dtype
    if element.fields is not None or not re.fullmatch(_ELEMENT, element.str):
        raise ValueError(
            f"its elements are of type {element}; use numbers, text or times, or save each field as an array"
        )
    return [element.str, list(array.shape), array.tobytes()]


def _load_array(numpy: Any, element: str, shape: list[int], data: bytes) -> Any:
    if not re.fullmatch(_ELEMENT, element):
        raise ValueError(f"no element type {element!r}")
    dtype = numpy.dtype(element)
    if prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"{len(data)} bytes are not {shape} of {element}")
    return numpy.ndarray(shape, dtype, data).copy()


def _scalar_loader(numpy: Any) -> Any:
    return lambda content: _load_array(numpy, *content)[()]


def _dump_complex(value: Any) -> list[float]:
    return [float(value.real), float(value.imag)]


def _complex_loader(kind: Any) -> Any:
    return lambda content: kind(complex(*content))
