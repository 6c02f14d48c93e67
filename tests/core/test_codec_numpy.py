import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from drupe.core.codec import CODEC
from drupe.errors import CodecError, UnsavableError

ELEMENTS = st.one_of(
    npst.boolean_dtypes(),
    npst.integer_dtypes(endianness="?"),
    npst.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    npst.complex_number_dtypes(endianness="?", sizes=(64, 128)),
    npst.datetime64_dtypes(endianness="?"),
    npst.timedelta64_dtypes(endianness="?"),
    npst.byte_string_dtypes(),
    npst.unicode_string_dtypes(endianness="?"),
    st.just(np.dtype("V8")),
)
ARRAYS = ELEMENTS.flatmap(
    lambda element: st.builds(
        lambda shape, data: (
            np.frombuffer(data[: element.itemsize * int(np.prod(shape))], element).reshape(shape)
            if element.kind in "iufcmMV"
            else np.zeros(shape, element)
        ),
        npst.array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=3),
        st.binary(min_size=16 * 27, max_size=16 * 27),
    )
)


def back_from(value):
    there = CODEC.decode(CODEC.encode({"a": (value,)}))["a"][0]
    people = CODEC.from_json(CODEC.to_json({"a": (value,)}))["a"][0]
    assert type(there) is type(people) is type(value)
    return there, people


@given(array=ARRAYS)
def test_an_array_comes_back_with_its_bytes_shape_and_element_type(array):
    for back in back_from(array):
        assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes())
        assert back.dtype.str == array.dtype.str


def test_an_array_comes_back_writable_whatever_the_order_it_had():
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))[::-1]
    array.flags.writeable = False
    for back in back_from(array):
        assert (back == array).all()
        back[0, 0] = 7


SCALARS = [
    np.bool_(True),
    *(kind(7) for kind in (np.int8, np.int16, np.int32, np.int64, np.longlong)),
    *(kind(7) for kind in (np.uint8, np.uint16, np.uint32, np.uint64, np.ulonglong)),
    np.uint64(2**64 - 1),
    np.int64(-(2**63)),
    np.float16(0.1),
    np.float32(0.1),
    np.float64(0.1),
    np.float64("-inf"),
    np.longdouble(1) / 3,
    np.complex64(1 + 2j),
    np.complex128(1 - 2j),
    np.str_("Å"),
    np.bytes_(b"\xff"),
    np.datetime64("2020-01-02"),
    np.datetime64("2020-01-02T03:04:05.678", "us"),
    np.timedelta64(25, "s"),
    np.timedelta64(3),
]


@pytest.mark.parametrize("scalar", SCALARS, ids=lambda scalar: f"{type(scalar).__name__}-{scalar}")
def test_a_scalar_comes_back_with_its_type(scalar):
    for back in back_from(scalar):
        assert back == scalar
        assert back.dtype == scalar.dtype


def test_a_scalar_may_be_a_key_and_a_nan_stays_one():
    assert CODEC.decode(CODEC.encode({np.int64(1): 2})) == {np.int64(1): 2}
    assert all(np.isnan(back) for back in back_from(np.float32("nan")))
    assert all(np.isnat(back) for back in back_from(np.datetime64("NaT")))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.array([object()]), "its elements are of type object"),
        (np.array([1, "a"], dtype=object), "its elements are of type object"),
        (np.zeros(2, dtype=[("x", "f8"), ("y", "i4")]), "save each field as an array"),
        (np.zeros(2, dtype="longdouble"), None),
        (
            np.zeros(2, dtype=np.dtypes.StringDType()) if hasattr(np.dtypes, "StringDType") else np.array([{}]),
            "its elements",
        ),
        (np.ma.masked_array([1], [True]), "numpy.ma.*cannot be saved"),
        (np.clongdouble(1), "cannot be saved; "),
        (np.void(b"ab"), "cannot be saved; "),
        (np.dtype("f8"), "cannot be saved; "),
        (np, "save its name"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_numpy_could_not_give_back_is_refused(value, said):
    if said is None:
        assert back_from(value)[0].dtype == value.dtype
        return
    with pytest.raises(UnsavableError, match=said) as refused:
        CODEC.encode({"a": [value]}, path="ctx")
    assert refused.value.path == "ctx.a[0]"


@pytest.mark.parametrize(
    "content",
    [
        ["|O", [1], {"$bytes": "AAAAAAAAAAA="}],
        ["<f8,<f8", [1], {"$bytes": ""}],
        ["<f8", [2], {"$bytes": "AAAAAAAAAAA="}],
        ["<f8", [], {"$bytes": "AAAAAAAAAAAAAAAAAAAAAA=="}],
        ["<f8", [-1, -1], {"$bytes": "AAAAAAAAAAA="}],
        ["<f8", [2**70, 0], {"$bytes": ""}],
        ["<f8", [0] * 100, {"$bytes": ""}],
        ["<f8", "x", {"$bytes": ""}],
        ["<f3", [0], {"$bytes": ""}],
        ["<M8[xy]", [0], {"$bytes": ""}],
        [1, [0], {"$bytes": ""}],
        ["<f8", [0]],
        None,
    ],
)
@pytest.mark.parametrize("name", ["ndarray", "datetime64"])
def test_content_that_is_no_array_ends_in_a_codec_error(name, content):
    with pytest.raises(CodecError):
        CODEC.from_json(json.dumps({f"$numpy.{name}": content}))
