import dataclasses
import enum
import importlib.resources
import inspect
import math
import subprocess
import sys
import typing
import uuid
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath, PureWindowsPath
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drupe.core.attributes import Attributes
from drupe.core.codec import CODEC, Codec, saveable
from drupe.errors import CodecError, UnsavableError

# --- what comes back ---------------------------------------------------------------------------------------

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
FIXED_ZONES = st.builds(timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23)))
ZONES = st.none() | st.just(UTC) | FIXED_ZONES | st.sampled_from(["Europe/Zurich", "Asia/Kathmandu"]).map(ZoneInfo)
TIMES = st.one_of(
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.builds(time.replace, st.times(), fold=st.sampled_from([0, 1]), tzinfo=st.none() | FIXED_ZONES),
    st.builds(datetime.replace, st.datetimes(), fold=st.sampled_from([0, 1]), tzinfo=ZONES),
)
HASHABLE = st.recursive(
    st.one_of(
        SCALARS,
        TIMES,
        st.complex_numbers(),
        st.uuids(),
        st.decimals(allow_nan=False),
        st.fractions(),
        st.text("abc/.", min_size=1).map(PurePosixPath),
        st.text("abc/.", min_size=1).map(Path),
        st.text("abc", min_size=1).map(lambda name: PureWindowsPath("C:\\", name)),
    ),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)
PLAIN = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(SCALARS, inner), max_leaves=30)
VALUES = st.recursive(
    HASHABLE | st.binary().map(bytearray) | st.sets(HASHABLE, max_size=4),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.lists(inner, max_size=5).map(tuple),
        st.dictionaries(HASHABLE, inner, max_size=5),
        st.dictionaries(st.text() | st.sampled_from(["$", "$tuple", "$dict"]), inner, max_size=3),
        st.dictionaries(st.text(), inner, max_size=3).map(OrderedDict),
    ),
    max_leaves=20,
)


def exact(value):
    """The value in a form that compares by type and bit, so that 1, 1.0 and True, and 0.0 and -0.0, differ."""
    kind = type(value)
    if kind in (list, tuple):
        content = tuple(map(exact, value))
    elif kind in (dict, OrderedDict):
        content = tuple((exact(key), exact(item)) for key, item in value.items())
    elif kind in (set, frozenset):
        content = frozenset(map(exact, value))
    elif kind is float:
        content = "nan" if math.isnan(value) else value.hex()
    elif kind in (datetime, time):
        content = (value.replace(tzinfo=None).isoformat(), value.fold, repr(value.tzinfo))
    elif kind is ZoneInfo:
        content = value.key
    else:
        content = repr(value)
    return kind, content


@given(value=PLAIN)
def test_plain_values_come_back_exactly(value):
    assert exact(CODEC.decode(CODEC.encode(value))) == exact(value)


@given(value=VALUES)
def test_values_of_all_standard_types_come_back_exactly(value):
    assert exact(CODEC.decode(CODEC.encode(value))) == exact(value)


@given(value=VALUES)
def test_values_come_back_exactly_from_json_too(value):
    assert exact(CODEC.from_json(CODEC.to_json(value))) == exact(value)


@given(value=VALUES)
def test_encoding_a_decoded_value_gives_the_same_bytes(value):
    encoded = CODEC.encode(value)
    assert CODEC.encode(CODEC.decode(encoded)) == encoded


@given(value=PLAIN.filter(lambda value: not isinstance(value, int) or abs(value) < 2**63))
def test_a_plain_value_of_64_bits_is_ordinary_messagepack(value):
    try:
        bare = msgspec.msgpack.encode(value)
    except OverflowError:
        return
    assert CODEC.encode(value) == bare


@pytest.mark.parametrize(
    "value", [2**64 - 1, 2**64, -(2**63), -(2**63) - 1, -(10**5000), {2**70: [2**80]}], ids=lambda value: ""
)
def test_integers_of_any_size_come_back(value):
    assert CODEC.decode(CODEC.encode(value)) == value
    assert CODEC.from_json(CODEC.to_json(value)) == value


def test_the_same_set_is_the_same_bytes_in_every_interpreter():
    code = "from drupe.core.codec import CODEC; print(CODEC.encode({'a', 'b', 'c', ('d', 1), frozenset('xyz')}).hex())"
    seen = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            check=True, capture_output=True, text=True,
        ).stdout
        for seed in "123"
    }  # fmt: skip
    assert len(seen) == 1


def test_a_zone_comes_back_with_its_name_and_utc_as_itself():
    assert CODEC.decode(CODEC.encode(UTC)) is UTC
    named = timezone(timedelta(hours=2), "CEST")
    assert CODEC.decode(CODEC.encode(named)).tzname(None) == "CEST"
    assert CODEC.decode(CODEC.encode(ZoneInfo("Europe/Zurich"))) is ZoneInfo("Europe/Zurich")


# --- classes -----------------------------------------------------------------------------------------------


@saveable
class Metal(enum.Enum):
    CU = "copper"


@saveable
class Level(enum.IntEnum):
    LOW = 1


@saveable
class Axes(enum.Flag):
    X = 1
    Y = 2


@saveable
@dataclasses.dataclass(frozen=True)
class Cell:
    volume: float
    metals: tuple[Metal, ...] = ()
    derived: float = dataclasses.field(init=False, default=0.0)


@saveable
class Point(typing.NamedTuple):
    x: float
    y: float = 0.0


@saveable
class Fit(msgspec.Struct):
    energies: list[float]
    point: Point | None = None


@given(
    value=st.one_of(
        st.sampled_from([*Metal, *Level, Axes.X, Axes.X | Axes.Y, Axes(0)]),
        st.builds(Cell, st.floats(allow_nan=False), st.lists(st.sampled_from(Metal)).map(tuple)),
        st.builds(Point, st.floats(allow_nan=False), st.floats(allow_nan=False)),
        st.builds(
            Fit,
            st.lists(st.floats(allow_nan=False)),
            st.none() | st.builds(Point, st.integers(), st.floats(allow_nan=False)),
        ),
    )
)
def test_values_of_marked_classes_come_back_exactly(value):
    for back in (CODEC.decode(CODEC.encode({"v": [value]})), CODEC.from_json(CODEC.to_json({"v": [value]}))):
        assert back == {"v": [value]}
        assert type(back["v"][0]) is type(value)


def test_a_field_that_is_not_given_when_the_value_is_made_comes_back_too():
    cell = Cell(1.0)
    object.__setattr__(cell, "derived", 7.5)
    assert CODEC.decode(CODEC.encode(cell)).derived == 7.5


def test_a_field_that_was_added_since_takes_its_default():
    text = f'{{"${__name__}:Cell": {{"volume": 2.0}}}}'
    assert CODEC.from_json(text) == Cell(2.0)


def test_a_field_that_was_taken_away_since_is_an_error_that_names_it():
    with pytest.raises(CodecError, match="Cell has no field 'pressure'"):
        CODEC.from_json(f'{{"${__name__}:Cell": {{"volume": 2.0, "pressure": 1}}}}')


def test_a_class_that_is_defined_again_takes_the_place_of_its_former_self():
    codec = Codec()

    def define(more):
        return codec.register_class(
            dataclasses.make_dataclass("Cell", ["volume", *more], namespace={"__module__": __name__})
        )

    old = define([])
    saved = codec.encode(old(1))
    new = define([("metal", str, "Cu")])
    assert type(codec.decode(saved)) is new
    assert codec.decode(codec.encode(old(3))) == new(3)


def test_a_name_may_be_given_that_survives_moving_the_class():
    codec = Codec()
    codec.register_class(Point, name="point")
    assert codec.to_json(Point(1, 2)) == '{"$point":[1,2]}'


class Opaque:
    """Says nothing of what it is made of."""

    def __init__(self, inner=None):
        self.inner = inner

    def __repr__(self):
        return "Opaque()"


@dataclasses.dataclass
class Forgetful:
    kept: int
    asked: dataclasses.InitVar[int] = 0


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Opaque, "neither an enum nor a dataclass"),
        (tuple, "neither an enum"),
        (Forgetful, "takes 'asked' when it is made"),
    ],
)
def test_a_class_that_could_not_be_made_again_cannot_be_marked(kind, said):
    with pytest.raises(CodecError, match=said):
        Codec().register_class(kind)


# --- registering -------------------------------------------------------------------------------------------


def test_a_registered_type_is_saved_by_what_its_functions_say():
    codec = Codec()
    codec.register("opaque", Opaque, lambda value: value.inner, Opaque)
    back = codec.decode(codec.encode({"a": Opaque((1, 2))}))["a"]
    assert type(back) is Opaque
    assert back.inner == (1, 2)
    assert codec.to_json(Opaque((1,))) == '{"$opaque":{"$tuple":[1]}}'


def test_attribute_maps_are_saved_once_they_are_registered_and_the_path_leads_through_them():
    codec = Codec()
    codec.register("context", Attributes, dict, Attributes)
    value = {"ctx": Attributes(structure=Attributes(positions=[1, 2]))}
    back = codec.decode(codec.encode(value))
    assert back == value
    assert type(back["ctx"].structure) is Attributes
    value["ctx"].structure.positions.append(object())
    with pytest.raises(UnsavableError) as refused:
        codec.encode(value)
    assert refused.value.path == "ctx.structure.positions[2]"


def test_what_is_registered_in_one_codec_is_unknown_to_another():
    codec = Codec()
    codec.register("opaque", Opaque, lambda value: 1, Opaque)
    with pytest.raises(CodecError, match="no type 'opaque' is registered here"):
        Codec().decode(codec.encode(Opaque()))


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("tuple", Opaque, "the name 'tuple' is taken by tuple"),
        ("int", Opaque, "the name 'int' is taken"),
        ("numpy.float64", Opaque, "is taken by numpy.float64"),
        ("other", tuple, "tuple is registered already as 'tuple'"),
        ("other", uuid.UUID, "registered already as 'uuid.UUID'"),
        ("other", str, "str is registered already"),
        ("other", set, "set is registered already"),
    ],
)
def test_a_name_or_a_type_is_registered_once(name, kind, said):
    with pytest.raises(CodecError, match=said):
        Codec().register(name, kind, lambda value: None, lambda content: None)


# --- what is refused ---------------------------------------------------------------------------------------


class Str(str):
    __slots__ = ()


class Colour(enum.Enum):
    RED = 1


class Speed(enum.IntEnum):
    FAST = 1


class Word(enum.StrEnum):
    A = "a"


@dataclasses.dataclass
class Unmarked:
    x: int = 1


class Pair(typing.NamedTuple):
    x: int = 1


async def coroutine(): ...


REFUSED = [
    (object(), "a value of type object cannot be saved; save what it is made of, or register"),
    (Opaque(), "Opaque cannot be saved"),
    (Colour.RED, "@saveable"),
    (Speed.FAST, "@saveable"),
    (Word.A, "@saveable"),
    (Unmarked(), "@saveable"),
    (Pair(), "@saveable"),
    (Str("a"), "save str(…) of it"),
    (defaultdict(int), "save dict(…) of it"),
    (Counter(), "save dict(…) of it"),
    (deque(), "register its type"),
    (print, "save its name"),
    (lambda: 1, "save its name"),
    (int, "save its name"),
    (math, "save its name"),
    (range(3), "range cannot be saved"),
    (memoryview(b"a"), "memoryview cannot be saved"),
    ("\ud800", "not Unicode"),
    ({"\udfff": 1}, "not Unicode"),
]


@pytest.mark.parametrize(("value", "said"), REFUSED)
@pytest.mark.parametrize("write", [CODEC.encode, CODEC.to_json])
def test_what_could_not_be_loaded_again_is_refused_with_what_to_do(value, said, write):
    with pytest.raises(UnsavableError) as refused:
        write({"structure": {"positions": [1, 2, 3, value]}}, path="ctx")
    assert refused.value.path.startswith("ctx.structure.positions[3]")
    assert str(refused.value).startswith(f"{refused.value.path}: ")
    assert said in str(refused.value)


def test_a_path_that_its_text_does_not_name_is_refused():
    class Device(PurePosixPath):
        """Stands for the paths of Windows that some versions of Python do not read as they write them."""

        __slots__ = ()

        def __str__(self):
            return "elsewhere"

    codec = Codec()
    codec.encode(PurePosixPath("a"))
    codec.register("device", Device, codec._by_name["pathlib.PurePosixPath"].dump, Device)
    with pytest.raises(UnsavableError, match="as text, 'elsewhere', it names another path"):
        codec.encode(Device("here"))


def test_a_zone_without_a_name_is_refused():
    with importlib.resources.files("tzdata.zoneinfo").joinpath("UTC").open("rb") as file:
        nameless = ZoneInfo.from_file(file)
    with pytest.raises(UnsavableError, match="made from a file and has no name"):
        CODEC.encode(nameless)


def test_something_to_wait_for_is_refused_with_how_to_wait_for_it():
    waiting = coroutine()
    with pytest.raises(UnsavableError, match="to_context"):
        CODEC.encode(waiting)
    waiting.close()


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (Opaque(), ""),
        ([Opaque()], "[0]"),
        ({"a": Opaque()}, "a"),
        ({"a b": {"c": Opaque()}}, "['a b'].c"),
        ({7: (1, {2: Opaque()})}, "[7][1][2]"),
        ({(1, 2): Opaque()}, "[(1, 2)]"),
        ({Opaque(): 1}, "[Opaque()]"),
        ({"s": {Opaque()}}, "s[Opaque()]"),
        (Cell(1.0, (Metal.CU, Opaque())), "metals[1]"),
        ({"t": datetime(2020, 1, 1, tzinfo=type("Zone", (type(UTC).__base__,), {})())}, "t[2]"),
    ],
)
def test_the_path_of_what_is_refused_is_exact(value, path):
    with pytest.raises(UnsavableError) as refused:
        CODEC.encode(value)
    assert refused.value.path == path
    assert str(refused.value).startswith(path or "the value:")


def test_an_error_while_a_value_is_taken_apart_is_told_with_its_path():
    codec = Codec()
    codec.register("opaque", Opaque, lambda value: 1 / 0, Opaque)
    with pytest.raises(UnsavableError, match=r"a: this .*Opaque cannot be saved: division by zero") as refused:
        codec.encode({"a": Opaque()})
    assert isinstance(refused.value.__cause__, ZeroDivisionError)


def test_a_type_that_is_taken_apart_into_itself_is_refused():
    codec = Codec()
    codec.register("opaque", Opaque, lambda value: value, Opaque)
    with pytest.raises(UnsavableError, match="holds itself"):
        codec.encode([Opaque()])


def loop_of_lists():
    value = []
    value.append(value)
    value.append(value)
    return value


def loop_of_dicts():
    value = {"a": {}, "b": [1]}
    value["a"]["b"] = value["b"]
    value["b"] += [value, value, value]
    return value


def loop_through_a_tuple():
    value = [1]
    value.append((value, value))
    return value


@pytest.mark.parametrize("make", [loop_of_lists, loop_of_dicts, loop_through_a_tuple])
@pytest.mark.parametrize("write", [CODEC.encode, CODEC.to_json])
def test_a_value_that_holds_itself_is_refused_at_once(make, write):
    with pytest.raises(UnsavableError, match="holds itself") as refused:
        write(make(), path="ctx")
    assert refused.value.path.startswith("ctx")


def nested(depth, wrap, innermost=0):
    value = innermost
    for _ in range(depth):
        value = wrap(value)
    return value


@pytest.mark.parametrize(
    "wrap",
    [lambda inner: [inner], lambda inner: {"a": inner}, lambda inner: [1, {"b": inner}][1]],
)
@pytest.mark.parametrize("innermost", [0, 2**70, (), "\ud800"])
def test_a_value_may_be_nested_200_deep_and_no_deeper(wrap, innermost):
    limit = 200 if isinstance(innermost, int) else 198  # an empty tuple is a tag and a list
    if innermost != "\ud800":
        value = nested(limit, wrap, innermost)
        assert CODEC.decode(CODEC.encode(value)) == value
        assert CODEC.from_json(CODEC.to_json(value)) == value
    for write in (CODEC.encode, CODEC.to_json):
        with pytest.raises(UnsavableError):
            write(nested(201, wrap, innermost))


def test_tuples_may_be_nested_100_deep():
    value = nested(100, lambda inner: (inner,))
    assert CODEC.decode(CODEC.encode(value)) == value
    with pytest.raises(UnsavableError, match="nested more than"):
        CODEC.encode((value,))


def test_plain_data_below_the_depth_limit_is_counted_from_the_top():
    below = nested(150, lambda inner: [inner])
    above = nested(60, lambda inner: [inner, 2**70], below)
    with pytest.raises(UnsavableError, match="nested more than"):
        CODEC.encode(above)


def test_nested_sets_do_not_take_exponential_time():
    value = nested(90, lambda inner: frozenset([inner]))
    assert CODEC.decode(CODEC.encode(value)) == value


def test_a_value_that_the_rest_of_the_stack_cannot_hold_is_refused_with_that_reason():
    value = nested(90, lambda inner: (inner,))
    data = CODEC.encode(value)

    def deeper(frames, call):
        return call() if frames == 0 else deeper(frames - 1, call)

    left = sys.getrecursionlimit() - len(inspect.stack())
    with pytest.raises(UnsavableError, match="the value: it is nested too deep for what is left of the stack"):
        deeper(left - 60, lambda: CODEC.encode(value))
    with pytest.raises(CodecError):
        deeper(left - 60, lambda: CODEC.decode(data))


# --- bad data ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x01\x02",
        b"\xa1\xff",
        b"\x91" * 100_000,
        b"\xd4\x05x",
        b"\xd4\x01\x01",
        b"\xc7\x03\x01\x92\xa0\xc0",
        b"\xc7\x04\x01\x93\xa0\xc0\xc0",
        b"\x81\xd4\x05x\x01",
        b"\xdd\xff\xff\xff\xff",
        b"\xc7\x0c\xff" + b"\xff" * 12,
        CODEC.encode((1, 2))[:-1],
        CODEC.encode([(1, 2)]).replace(b"tuple", b"tupel"),
        CODEC.encode(2**70).replace(b"0x", b"zx"),
        CODEC.encode(date(2020, 1, 1)).replace(b"2020", b"20x0"),
        CODEC.encode(datetime(2020, 1, 1, fold=1, tzinfo=UTC)).replace(b"2020", b"20x0"),
        CODEC.encode(Decimal("1.5")).replace(b"1.5", b"1,5"),
        CODEC.encode(Fraction(1, 2)).replace(b"\x01\x02", b"\x01\x00"),
        "text",
        None,
    ],
)
def test_bytes_that_are_no_value_end_in_a_codec_error(data):
    with pytest.raises(CodecError):
        CODEC.decode(data)


def test_bytes_nested_without_end_end_in_a_codec_error():
    packed = b"\xc0"
    for _ in range(1000):
        packed = msgspec.msgpack.encode(msgspec.msgpack.Ext(1, msgspec.msgpack.encode(["tuple", msgspec.Raw(packed)])))
    with pytest.raises(CodecError):
        CODEC.decode(packed)
    for text in ("[" * 5000 + "]" * 5000, '{"$tuple":' * 300 + "1" + "}" * 300):
        with pytest.raises(CodecError):
            CODEC.from_json(text)


@given(value=VALUES, data=st.data())
def test_changed_bytes_end_in_a_value_or_a_codec_error(value, data):
    changed = bytearray(CODEC.encode(value))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed) - 1))
        changed[at] = data.draw(st.integers(0, 255))
    changed = bytes(changed[: data.draw(st.integers(0, len(changed)))])
    try:
        CODEC.decode(changed)
    except CodecError:
        pass


@given(data=st.binary(max_size=200))
def test_any_bytes_end_in_a_value_or_a_codec_error(data):
    for tagged in (data, b"\xc7" + bytes([len(data)]) + b"\x01" + data):
        try:
            CODEC.decode(tagged)
        except CodecError:
            pass


NAMES = st.sampled_from(
    [*CODEC._by_name, *Codec()._by_name, "numpy.ndarray", "numpy.datetime64", "uuid.UUID", "os.system"]
)


@given(name=NAMES, content=PLAIN)
def test_any_content_of_any_type_ends_in_a_value_or_a_codec_error(name, content):
    packed = msgspec.Raw(CODEC.encode(content))
    for read in (
        lambda: CODEC.decode(msgspec.msgpack.encode(CODEC._packing.tag(name, packed))),
        lambda: CODEC.from_json(CODEC.to_json({"n": content}).replace('"n"', f'"${name}"', 1)),
    ):
        try:
            read()
        except CodecError:
            pass


@pytest.mark.parametrize(
    "text", ["", "{", '{"$tuple": 1}', '{"$os.system": "true"}', '{"$bytes": "é"}', b"\xff", "1 2"]
)
def test_text_that_is_no_value_ends_in_a_codec_error(text):
    with pytest.raises(CodecError):
        CODEC.from_json(text)


def test_no_name_in_the_data_imports_a_module():
    code = (
        "import sys; from drupe.core.codec import CODEC; from drupe.errors import CodecError\n"
        "for name in ('antigravity:x', 'antigravity.x', 'xml.dom', 'numpyx.y', 'this'):\n"
        "    try: CODEC.from_json('{\"$%s\": 1}' % name)\n"
        "    except CodecError: pass\n"
        "    else: raise SystemExit(name)\n"
        "print(sorted({'antigravity', 'xml', 'this', 'numpy'} & sys.modules.keys()))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, check=True, capture_output=True, text=True
    )
    assert ran.stdout == "[]\n"


# --- JSON --------------------------------------------------------------------------------------------------


def test_json_is_for_people():
    value = {"a": (1, b"\x00"), "b": math.inf, 3: {"$x": 1}, "when": date(2020, 1, 2)}
    assert CODEC.to_json(value, indent=None) == (
        '{"$dict":[["a",{"$tuple":[1,{"$bytes":"AA=="}]}],["b",{"$float":"inf"}],[3,{"$dict":[["$x",1]]}],'
        '["when",{"$date":"2020-01-02"}]]}'
    )
    assert CODEC.to_json({"a": [1]}, indent=2) == '{\n  "a": [\n    1\n  ]\n}'


def test_ordinary_json_reads_as_ordinary_data():
    assert CODEC.from_json(b'{"a": [1, 2.5, null, {"$x": 1, "y": 2}]}') == {"a": [1, 2.5, None, {"$x": 1, "y": 2}]}


# --- the rest ----------------------------------------------------------------------------------------------


def test_a_typed_decoder_gives_values_of_the_codec():
    class Envelope(msgspec.Struct):
        body: typing.Any

    packed = msgspec.msgpack.encode(Envelope(msgspec.Raw(CODEC.encode((1, {2})))))
    assert CODEC.decoder(Envelope).decode(packed).body == (1, {2})


def test_a_family_that_is_not_installed_is_an_unknown_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    codec = Codec()
    with pytest.raises(CodecError, match=r"no type 'numpy\.ndarray' is registered"):
        codec.from_json('{"$numpy.ndarray": ["<f8", [0], {"$bytes": ""}]}')
    with pytest.raises(UnsavableError):
        codec.encode(type("array", (), {"__module__": "numpy"})())
