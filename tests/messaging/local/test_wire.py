"""Frames, whole and broken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drupe.core.message import decode_message
from drupe.errors import MessageError
from drupe.messaging.local.wire import FrameReader, Kind, frame, frame_number, read_number, read_text

FRAMES = st.lists(st.tuples(st.sampled_from(Kind), st.binary(max_size=40)))


@given(FRAMES, st.lists(st.integers(1, 20)))
def test_frames_come_whole_however_they_are_cut(frames, cuts):
    data = b"".join(frame(kind, content) for kind, content in frames)
    reader, read = FrameReader(), []
    for cut in cuts:
        read += reader.feed(data[:cut])
        data = data[cut:]
    read += reader.feed(data)

    assert read == frames


def test_a_frame_may_be_as_long_as_the_limit_and_no_longer():
    assert FrameReader(10).feed(frame(Kind.MESSAGE, b"x" * 10)) == [(Kind.MESSAGE, b"x" * 10)]

    with pytest.raises(MessageError, match="12 bytes"):
        FrameReader(10).feed(frame(Kind.MESSAGE, b"x" * 11)[:4])  # its head is enough


@pytest.mark.parametrize("data", [b"\0\0\0\0", b"\0\0\0\1\0", b"\0\0\0\1\x63", b"GET / HTTP/1.1\r\n"])
def test_what_is_no_frame_is_refused(data):
    with pytest.raises(MessageError):
        FrameReader().feed(data)


@given(st.lists(st.binary(max_size=60)))
def test_noise_ends_in_typed_errors_only(chunks):
    reader = FrameReader(50)
    try:
        for chunk in chunks:
            for _, content in reader.feed(chunk):
                for read in (decode_message, read_number, read_text):
                    try:
                        read(content)
                    except MessageError:
                        pass
    except MessageError:
        pass


@given(st.integers(0, 2**64 - 1))
def test_numbers_come_back(number):
    ((kind, content),) = FrameReader().feed(frame_number(Kind.MISSED, number))

    assert (kind, read_number(content)) == (Kind.MISSED, number)


@pytest.mark.parametrize("content", [b"\xff", b"x" * 1025])
def test_a_text_that_is_none_or_too_long_is_refused(content):
    with pytest.raises(MessageError):
        read_text(content)
