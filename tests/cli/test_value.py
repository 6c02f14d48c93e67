"""Text becomes what the ports take, where only one meaning is possible; whether it is right is for the ports to say."""

import datetime
import enum
import io
import sys
import uuid
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from drupe.cli import value
from drupe.core.spec import ProcessSpec
from drupe.errors import InputError


class Colour(enum.Enum):
    RED = "r"
    BLUE = 2


def gathered(*pairs: str, file: str | None = None, **ports: Any) -> dict[str, Any]:
    spec = ProcessSpec()
    for name, valid_type in ports.items():
        spec.input(name.replace("__", "."), valid_type=valid_type)
    return value.gather(spec.inputs, file=file, pairs=pairs)


@pytest.mark.parametrize(
    ("valid_type", "text", "expected"),
    [
        (None, "3", 3),
        (None, "three", "three"),
        (None, '{"a": [1, null]}', {"a": [1, None]}),
        (None, "", ""),
        (float, "3", 3.0),
        (float, "3.5", 3.5),
        (float, "1e-9", 1e-9),
        (float, "three", "three"),
        (float, "true", True),
        (int, "3", 3),
        (int, "3.0", 3.0),
        (int, "true", True),
        (str, "3", "3"),
        (str, "true", "true"),
        (str, "null", "null"),
        (str, '"3"', "3"),
        (str, "[1]", "[1]"),
        (bool, "true", True),
        (bool, "Yes", True),
        (bool, "off", False),
        (bool, "1", 1),
        ((int, str), "3", 3),
        ((int, str), "three", "three"),
        ((int, float), "3", 3),
        (int | None, "null", None),
        (float | None, "3", 3.0),
        ((float, type(None)), "3", 3.0),
        (((float, complex), str), "x", "x"),
        (complex, "1+2j", 1 + 2j),
        (complex, "2", 2 + 0j),
        (complex, "2.5", 2.5 + 0j),
        (Path, "/tmp/x", Path("/tmp/x")),
        (Path, "12", Path("12")),
        (Path, '"a b"', Path("a b")),
        (PurePosixPath, "x", PurePosixPath("x")),
        (tuple, "[1, 2]", (1, 2)),
        (frozenset, "[1, 1]", frozenset({1})),
        (set, "3", 3),
        (Colour, "RED", Colour.RED),
        (Colour, "r", Colour.RED),
        (Colour, "2", Colour.BLUE),
        (Colour, "green", "green"),
        (Decimal, "1.10", Decimal("1.10")),
        (datetime.date, "2026-01-31", datetime.date(2026, 1, 31)),
        (uuid.UUID, "12345678123456781234567812345678", uuid.UUID(int=0x12345678123456781234567812345678)),
        ((float, complex), "3", 3),
        (list, '{"$tuple": [1]}', (1,)),
    ],
)
def test_a_pair_becomes_what_its_port_takes(valid_type: Any, text: str, expected: Any) -> None:
    found = gathered(f"x={text}", x=valid_type)["x"]

    assert repr(found) == repr(expected)
    assert type(found) is type(expected)


def test_dotted_names_nest_and_only_the_first_equals_sign_counts() -> None:
    assert gathered("cell.a=1", "cell.name=a=b", cell__a=float, cell__name=str) == {"cell": {"a": 1.0, "name": "a=b"}}


def test_a_namespace_may_be_given_whole() -> None:
    assert gathered('cell={"a": 1}', cell__a=float) == {"cell": {"a": 1.0}}


def test_the_values_of_a_dynamic_namespace_get_its_type() -> None:
    spec = ProcessSpec()
    spec.input_namespace("weights", valid_type=float)

    assert value.gather(spec.inputs, pairs=["weights.any=3"]) == {"weights": {"any": 3.0}}


def test_what_no_port_takes_is_left_for_the_ports_to_refuse() -> None:
    assert gathered("y=3", "x.deeper=4", x=float) == {"y": 3, "x": {"deeper": 4}}


@pytest.mark.parametrize("pair", ["x", "=3", "a..b=3", ".a=3", ""])
def test_what_is_no_pair_is_refused(pair: str) -> None:
    with pytest.raises(InputError, match="write name=value"):
        gathered(pair)


def test_a_name_with_a_value_has_no_names_within() -> None:
    with pytest.raises(InputError, match="'cell' has a value of its own already, 3"):
        gathered("cell=3", "cell.a=4")


# --- files -------------------------------------------------------------------------------------------------


def test_a_file_gives_inputs_and_pairs_go_before_it(tmp_path: Path) -> None:
    path = tmp_path / "inputs.json"
    path.write_text('{"x": 1, "cell": {"a": 2, "b": 3}, "where": "/tmp"}')

    found = gathered("cell.a=5", file=str(path), x=float, cell__a=int, cell__b=float, where=Path)

    assert found == {"x": 1.0, "cell": {"a": 5, "b": 3.0}, "where": Path("/tmp")}
    assert type(found["x"]) is type(found["cell"]["b"]) is float


def test_a_number_in_a_file_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "inputs.json"
    path.write_text('{"x": 1}')

    assert gathered(file=str(path), x=str) == {"x": 1}


def test_a_dash_reads_the_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"x": 1}'))

    assert gathered(file="-", x=float) == {"x": 1.0}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"x": 1,\n "y": }', "not JSON: line 2, column 7"),
        ("", "not JSON: line 1, column 1"),
        ('{"x": NaN}', "JSON is malformed"),
        ('{"x": {"$nothing": 1}}', "no type 'nothing'"),
        ("[1]", "expected an object with the names of inputs, got [1]"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_file_that_has_no_inputs_says_where_it_goes_wrong(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "inputs.json"
    path.write_text(text)

    with pytest.raises(InputError) as caught:
        gathered(file=str(path))

    assert str(path) in str(caught.value)
    assert named in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.json cannot be read"):
        gathered(file=str(tmp_path / "gone.json"))
