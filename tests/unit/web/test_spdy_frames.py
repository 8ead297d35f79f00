"""SPDY's frames: what is written is read again however it is cut, and nothing that comes does harm."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.web.spdy.frames import (
    DICTIONARY,
    MAX_CONTROL_BYTES,
    Control,
    Data,
    Decoder,
    Encoder,
    Kind,
    SpdyError,
    Status,
)

NUMBERS = st.integers(1, 2**31 - 1)
TEXTS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=40)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=20)
HEADERS = st.lists(st.tuples(NAMES, TEXTS), max_size=8)
CONTROLS = st.one_of(
    st.builds(Control, st.just(Kind.SYN_STREAM), NUMBERS, st.booleans(), HEADERS),
    st.builds(Control, st.sampled_from([Kind.SYN_REPLY, Kind.HEADERS]), NUMBERS, st.booleans(), HEADERS),
    st.builds(
        Control,
        st.sampled_from([Kind.RST_STREAM, Kind.GOAWAY, Kind.WINDOW_UPDATE]),
        NUMBERS,
        value=st.integers(0, 2**31),
    ),
    st.builds(Control, st.just(Kind.PING), value=st.integers(0, 2**32 - 1)),
    st.builds(Control, st.just(Kind.SETTINGS)),
)
FRAMES = st.lists(st.one_of(CONTROLS, st.builds(Data, NUMBERS, st.binary(max_size=300), st.booleans())))


def decoded(data: bytes, cuts: list[int]) -> list[Data | Control]:
    """In pieces, and with the pieces of one data frame put together again."""
    decoder, found = Decoder(), list[Data | Control]()
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    whole = True
    for start, end in zip(places, [*places[1:], len(data)], strict=True):
        for frame in decoder.feed(data[start:end]):
            last = found[-1] if found else None
            if isinstance(frame, Data) and not whole and isinstance(last, Data):
                found[-1] = Data(frame.stream, last.content + frame.content, frame.fin)
            else:
                found.append(frame)
            whole = not isinstance(frame, Data) or decoder._data is None
    return found


@given(FRAMES, st.lists(st.integers(0, 4000), max_size=20))
def test_frames_come_back_as_they_were(frames: list[Data | Control], cuts: list[int]) -> None:
    encoder = Encoder()
    data = b"".join(
        encoder.data(frame.stream, frame.content, fin=frame.fin)
        if isinstance(frame, Data)
        else encoder.control(frame)
        for frame in frames
    )
    expected = [
        Control(
            frame.kind, frame.stream, frame.fin, [(name, value) for name, value in frame.headers], frame.value
        )
        if isinstance(frame, Control) and frame.kind in (Kind.SYN_STREAM, Kind.SYN_REPLY, Kind.HEADERS)
        else frame
        for frame in frames
    ]
    assert decoded(data, cuts) == expected


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_nothing_that_comes_raises_anything_else(pieces: list[bytes]) -> None:
    decoder = Decoder()
    try:
        for piece in pieces:
            list(decoder.feed(piece))
    except SpdyError:
        return
    assert len(decoder._buffer) <= MAX_CONTROL_BYTES + 8


@given(st.integers(0, 20), st.binary(max_size=100), st.integers(0, 255))
def test_control_frames_of_any_content(kind: int, body: bytes, flags: int) -> None:
    frame = struct.pack(">HHI", 0x8003, kind, flags << 24 | len(body)) + body
    try:
        list(Decoder().feed(frame))
    except SpdyError:
        return


def test_the_dictionary_is_the_published_one() -> None:
    assert len(DICTIONARY) == 1423
    assert zlib.adler32(DICTIONARY) == 0xE3C6A7C2


def test_a_compressed_bomb_is_refused() -> None:
    compressor = zlib.compressobj(zdict=DICTIONARY)
    text = struct.pack(">III", 1, 1, 0) + b"x" + bytes(40_000_000)
    block = compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH)
    assert len(block) < MAX_CONTROL_BYTES
    frame = (
        struct.pack(">HHI", 0x8003, Kind.SYN_STREAM, len(block) + 10) + struct.pack(">IIH", 1, 0, 0) + block
    )
    with pytest.raises(SpdyError, match="too large"):
        list(Decoder().feed(frame))


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (struct.pack(">HHI", 0x8002, 1, 0), "version 2"),
        (struct.pack(">HHI", 0x8003, 1, MAX_CONTROL_BYTES + 1), "too large"),
        (struct.pack(">HHI", 0x8003, 1, 0), "cannot be read"),
        (struct.pack(">HHI", 0x8003, 1, 14) + bytes(14), "cannot be read"),
    ],
)
def test_what_is_no_frame(frame: bytes, why: str) -> None:
    with pytest.raises(SpdyError, match=why):
        list(Decoder().feed(frame))


def test_a_large_data_frame_is_never_held() -> None:
    decoder = Decoder()
    assert list(decoder.feed(struct.pack(">II", 1, 0xFFFFFF))) == []
    left = 0xFFFFFF
    while left:
        piece = bytes(min(left, 65536))
        left -= len(piece)
        assert list(decoder.feed(piece)) == [Data(1, piece)]
        assert not decoder._buffer


def test_unknown_kinds_are_passed_over() -> None:
    encoder = Encoder()
    unknown = struct.pack(">HHI", 0x8003, 99, 3) + b"abc"
    reset = Control(Kind.RST_STREAM, 3, value=Status.CANCEL)
    assert list(Decoder().feed(unknown + encoder.control(reset))) == [reset]
