"""Messages of protobuf: known fields in order, all others passed over, broken ones told, none of it without end."""

from pathlib import Path

import pytest

from ckpttool import CheckpointError, CorruptFileError, UnsafeFileError
from ckpttool.formats.tensorflow.wire import (
    FIXED32,
    FIXED64,
    LEN,
    VARINT,
    Message,
    fields,
    map_entry,
    numbered_payloads,
    outline,
    packed_numbers,
    payloads,
    signed,
    text,
)
from ckpttool.io.budget import Budget
from ckpttool.io.sources import FileSource
from tests.formats.tensorflow.writer import fixed, number, span, varint


def read(raw: bytes, known: dict[int, int]) -> list[tuple[int, object]]:
    """The known fields of a message."""
    values = fields(memoryview(raw), known, Budget(len(raw)))
    return [(field, bytes(value) if isinstance(value, memoryview) else value) for field, value in values]


def test_fields() -> None:
    """Fields come in their order with their values, unknown ones and those of another wire type do not."""
    raw = (
        number(1, 300) + span(2, b"abc") + fixed(3, b"\1\2\0\0") + varint(4 << 3 | 1) + bytes(7) + b"\1" + number(9, 1)
    )
    known = {1: VARINT, 2: LEN, 3: FIXED32, 4: FIXED64}
    assert read(raw, known) == [(1, 300), (2, b"abc"), (3, 513), (4, 1 << 56)]
    assert read(raw, {1: LEN, 2: VARINT}) == []
    assert read(number(1, 1) + number(1, 2), {1: VARINT}) == [(1, 1), (1, 2)]


def test_numbers() -> None:
    """Numbers may be packed, and negative."""
    assert list(packed_numbers(memoryview(varint(5) + varint(300) + varint(-1)), Budget(0))) == [5, 300, -1]
    assert [signed(value) for value in (0, 5, (1 << 64) - 1, 1 << 63)] == [0, 5, -1, -(1 << 63)]


def test_last_value_of_a_field() -> None:
    """Of a field that is written twice the last value counts; one that is absent is zero or empty."""
    raw = number(1, 5) + number(1, -2) + span(2, b"old") + span(2, b"new") + span(9, b"unknown")
    message = Message(memoryview(raw), {1: VARINT, 2: LEN, 3: VARINT, 4: LEN}, Budget(0))
    assert [at in message for at in (1, 2, 3, 9)] == [True, True, False, False]
    assert (message.integer(1), message.text(2), message.payload(2)) == (-2, "new", b"new")
    assert (message.integer(3), message.text(4), message.payload(4)) == (0, "", b"")


def test_payloads() -> None:
    """Payloads come in the order of their fields, numbers and other fields are passed over."""
    raw = memoryview(span(2, b"a") + number(2, 7) + span(1, b"b") + span(2, b"c") + span(3, b"d"))
    assert list(payloads(raw, 2, Budget(0))) == [b"a", b"c"]
    assert list(numbered_payloads(raw, {1: LEN, 2: LEN}, Budget(0))) == [(2, b"a"), (1, b"b"), (2, b"c")]
    assert map_entry(raw, Budget(0)) == ("b", b"c")
    assert map_entry(memoryview(b""), Budget(0)) == ("", b"")


def test_texts_are_paid() -> None:
    """A text that is read takes its memory off the budget."""
    budget = Budget(0, 5_000)
    message = Message(memoryview(span(1, b"x" * 100_000)), {1: LEN}, budget)
    assert len(message.text(1)) == 100_000
    assert budget.steps < 5_000 - 1_500
    with pytest.raises(UnsafeFileError):
        [message.text(1) for _ in range(10)]


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


@pytest.mark.parametrize("case", _BROKEN)
def test_broken(case: str, tmp_path: Path) -> None:
    """Bytes that are no message are an error, be they read in whole or in outline."""
    with pytest.raises(CorruptFileError):
        read(_BROKEN[case], {1: VARINT})
    path = tmp_path / "message"
    path.write_bytes(_BROKEN[case])
    source = FileSource(path)
    if case != "no number":
        with pytest.raises(CheckpointError):
            list(outline(source, 0, source.size, {1: LEN}))
    source.close()


def test_outline(tmp_path: Path) -> None:
    """The places of fields of any size are found without reading what is in them."""
    large = b"x" * 100_000
    raw = number(1, 5) + span(2, large) + fixed(3, b"abcd") + span(7, b"no") + span(2, b"tail")
    path = tmp_path / "message"
    path.write_bytes(raw)
    source = FileSource(path)
    parts = list(outline(source, 0, source.size, {2: LEN, 1: LEN}))
    assert [raw[start:end] for field, start, end in parts if field == 2] == [large, b"tail"]
    assert len(parts) == 2
    source.close()


def test_fields_cost() -> None:
    """A flood of fields is worth no more than its file."""
    raw = number(1, 1) * 1_500_000
    with pytest.raises(UnsafeFileError):
        list(fields(memoryview(raw), {}, Budget(len(raw))))
