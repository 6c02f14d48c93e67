import enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drupe.core.plain import is_plain, pack_plain


class Word(enum.StrEnum):
    A = "a"


class Text(str):
    __slots__ = ()


ODD = st.sampled_from([(), {1}, Word.A, Text("a"), 1j, bytearray(), object(), type("D", (dict,), {})()])
KEYS = st.text(max_size=3) | st.integers() | st.booleans() | st.none()
PLAIN = st.recursive(
    KEYS | st.floats() | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=40) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=60,
)
MANY = [[0.5], {"a": [{"b": 1}]}] * 20
"""More containers than are looked at one by one."""


@pytest.mark.untraced
@given(value=PLAIN)
def test_plain_values_are_plain_among_few_and_among_many(value):
    assert is_plain(value)
    assert is_plain([value, *MANY])
    assert is_plain({"many": MANY, "value": value})


@pytest.mark.untraced
@given(before=st.lists(PLAIN, max_size=3), odd=ODD)
@pytest.mark.parametrize("many", [[], MANY], ids=["few", "many"])
def test_one_odd_item_or_key_at_any_depth_is_enough(many, before, odd):
    for hidden in (odd, [odd], {"a": odd}, {"a": [[odd]]}):
        assert not is_plain(hidden)
        assert not is_plain([*many, *before, hidden])
        assert not is_plain([hidden, *before, *many])
        assert not is_plain({"a": [*before, {"b": hidden}], "many": many})
    for key in ((), Word.A, Text("a"), frozenset()):
        assert not is_plain([*many, *before, {"other": 1, key: 2}])
        assert not is_plain([{"other": 1, key: 2}, *before, *many])
        assert not is_plain([{"a": [{key: 2}]}, *many])


@pytest.mark.parametrize("many", [[], MANY], ids=["few", "many"])
@pytest.mark.parametrize("depth", [3, 5, 15, 16, 17, 200])
def test_the_depth_is_counted_alike_among_few_and_among_many(many, depth):
    value = [0]
    for _ in range(depth - 2):
        value = [value]
    assert is_plain([*many, value], depth) == (depth >= 4 or not many)  # the many are four deep themselves
    assert not is_plain([*many, [value]], depth)


def test_a_plain_value_that_messagepack_has_no_room_for_is_not_packed():
    assert pack_plain([2**64 - 1]) is not None
    assert pack_plain([2**64]) is None
    assert pack_plain(["\ud800"]) is None
