"""Messages of protobuf: known fields in order, all others passed over, broken ones told, none of it without end."""

from pathlib import Path

import pytest

from ckpttool import CheckpointError, CorruptFileError, UnsafeFileError
from ckpttool.formats.tensorflow.wire import FIXED32, FIXED64, SPAN, VARINT, fields, numbers, outline, signed, text
from ckpttool.io.budget import Budget
from ckpttool.io.sources import FileSource
from tests.formats.tensorflow.writer import fixed, number, span, varint


def read(raw: bytes, known: dict[int, int]) -> list[tuple[int, object]]:
    """The known fields of a message."""
    found = fields(memoryview(raw), known, Budget(len(raw)))
    return [(field, bytes(value) if isinstance(value, memoryview) else value) for field, value in found]


def test_fields() -> None:
    """Fields come in their order with their values, unknown ones and those of another wire type do not."""
    raw = (
        number(1, 300) + span(2, b"abc") + fixed(3, b"\1\2\0\0") + varint(4 << 3 | 1) + bytes(7) + b"\1" + number(9, 1)
    )
    known = {1: VARINT, 2: SPAN, 3: FIXED32, 4: FIXED64}
    assert read(raw, known) == [(1, 300), (2, b"abc"), (3, 513), (4, 1 << 56)]
    assert read(raw, {1: SPAN, 2: VARINT}) == []
    assert read(number(1, 1) + number(1, 2), {1: VARINT}) == [(1, 1), (1, 2)]


def test_numbers() -> None:
    """Numbers may be packed, and negative."""
    assert list(numbers(memoryview(varint(5) + varint(300) + varint(-1)), Budget(0))) == [5, 300, (1 << 64) - 1]
    assert [signed(value) for value in (0, 5, (1 << 64) - 1, 1 << 63)] == [0, 5, -1, -(1 << 63)]


def test_text() -> None:
    """Bytes that are no UTF-8 do not hide, and become no surrogates."""
    assert text(memoryview("ä".encode())) == "ä"
    assert text(memoryview(b"a\xffb\xed\xa0\x80")).isascii()


_BROKEN = {
    "group": varint(1 << 3 | 3) + varint(1 << 3 | 4),
    "end of a group": varint(1 << 3 | 4),
    "wire type 6": varint(1 << 3 | 6),
    "no number": varint(0) + varint(1),
    "longer than the message": varint(1 << 3 | 2) + varint(5) + b"abcd",
    "as long as can be": varint(1 << 3 | 2) + varint((1 << 64) - 1),
    "varint without an end": varint(1 << 3) + b"\x80" * 10 + b"\1",
    "varint cut off": varint(1 << 3) + b"\x80",
    "tag cut off": b"\x88",
    "fixed cut off": varint(1 << 3 | 5) + b"\0\0\0",
}


@pytest.mark.parametrize("what", _BROKEN)
def test_broken(what: str, tmp_path: Path) -> None:
    """What is no message is told, be it read in whole or in outline."""
    with pytest.raises(CorruptFileError):
        read(_BROKEN[what], {1: VARINT})
    path = tmp_path / "message"
    path.write_bytes(_BROKEN[what])
    source = FileSource(path)
    if what != "no number":
        with pytest.raises(CheckpointError):
            list(outline(source, 0, source.size, {1: SPAN}))
    source.close()


def test_outline(tmp_path: Path) -> None:
    """The places of fields of any size are found without reading what is in them."""
    large = b"x" * 100_000
    raw = number(1, 5) + span(2, large) + fixed(3, b"abcd") + span(7, b"no") + span(2, b"tail")
    path = tmp_path / "message"
    path.write_bytes(raw)
    source = FileSource(path)
    found = list(outline(source, 0, source.size, {2: SPAN, 1: SPAN}))
    assert [raw[start:end] for field, start, end in found if field == 2] == [large, b"tail"]
    assert len(found) == 2
    source.close()


def test_fields_cost() -> None:
    """A flood of fields is worth no more than its file."""
    raw = number(1, 1) * 1_500_000
    with pytest.raises(UnsafeFileError):
        list(fields(memoryview(raw), {}, Budget(len(raw))))
