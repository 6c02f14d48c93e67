"""The saved form of a process: read back as it was written, refused when it is something else."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drupe.core.codec import CODEC
from drupe.core.lifecycle import State
from drupe.core.snapshot import FORMAT, Snapshot
from drupe.errors import SnapshotError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def snapshot(**given):
    """A snapshot of a process, but for what is given."""
    sample = {
        "pid": "p",
        "kind": "m:C",
        "state": State.WAITING,
        "created": 1.0,
        "inputs": msgspec.Raw(CODEC.encode({"x": 1})),
        "data": msgspec.Raw(CODEC.encode({"outputs": {}, "stage": {}})),
    }
    return Snapshot(**{**sample, **given})


@given(
    state=st.sampled_from(State),
    status=st.none() | TEXT,
    before=st.none() | TEXT,
    paused=st.booleans(),
    cursor=st.integers(0, 2**40),
    created=st.floats(allow_nan=False),
    contents=st.dictionaries(TEXT, st.integers() | TEXT | st.lists(st.booleans())),
)
def test_what_was_encoded_is_decoded(contents, **given):
    written = snapshot(data=msgspec.Raw(CODEC.encode(contents)), **given)
    read = Snapshot.decode(written.encode())
    assert read == written
    assert read.contents() == contents
    assert read.given() == {"x": 1}


def test_the_inputs_may_be_left_out():
    whole = snapshot()
    fields = {name: getattr(whole, name) for name in whole.__struct_fields__ if name != "inputs"}
    read = Snapshot.decode(Snapshot(**fields).encode())
    assert read.contents() == {"outputs": {}, "stage": {}}
    assert len(read.encode()) < len(whole.encode())


def test_every_torn_end_is_refused():
    data = snapshot().encode()
    for end in range(len(data)):
        with pytest.raises(SnapshotError):
            Snapshot.decode(data[:end])


@given(st.binary(max_size=60))
def test_other_bytes_are_refused_or_read_and_never_break(data):
    with contextlib.suppress(SnapshotError):
        assert isinstance(Snapshot.decode(data), Snapshot)


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_never_breaks_the_reader(at, bit):
    data = bytearray(snapshot().encode())
    data[at % len(data)] ^= 1 << bit
    with contextlib.suppress(SnapshotError):
        found = Snapshot.decode(bytes(data))
        assert isinstance(found.contents(), dict)
        assert isinstance(found.given(), dict)


def test_a_newer_format_is_refused_saying_so():
    newer = msgspec.msgpack.encode({"format": FORMAT + 1, "anything": "else"})
    with pytest.raises(SnapshotError, match=f"format {FORMAT + 1}.*upgrade"):
        Snapshot.decode(newer)


@pytest.mark.parametrize("raw", [b"\xc1", CODEC.encode([1]), CODEC.encode("text")])
def test_contents_that_are_no_mapping_are_refused_naming_the_process(raw):
    with pytest.raises(SnapshotError, match="of p"):
        snapshot(data=msgspec.Raw(raw)).contents()
    with pytest.raises(SnapshotError, match="of p"):
        snapshot(inputs=msgspec.Raw(raw)).given()
