"""The wire format of protobuf, as far as TensorFlow's files need it: the fields of one message, in order, not copied.

Nothing here calls itself: who wants the fields of an inner message asks for them, so no file decides how deep reading
goes. (protobuf.dev/programming-guides/encoding.)
"""

from collections.abc import Iterator, Mapping

from ckpttool.errors import CheckpointError, CorruptFileError
from ckpttool.io.budget import Budget
from ckpttool.io.sources import Source

VARINT, FIXED64, SPAN, FIXED32 = 0, 1, 2, 5
"""The wire types: a number of variable length, of 8 bytes, a run of bytes with its length before it, a number of 4."""

_FIXED = {FIXED64: 8, FIXED32: 4}
_MOST_VARINT = 10  # bytes of a number of 64 bits
_WHOLE = (1 << 64) - 1
_PAID_AT_ONCE = 256
_HEAD = 2 * _MOST_VARINT  # bytes of a tag and of a length
_WINDOW = 64 << 10


def fields(raw: memoryview, known: Mapping[int, int], budget: Budget) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message that are `known` by number and wire type: numbers as they are, runs of bytes in place.

    Others are skipped, as protobuf skips what it does not know. Every field costs a step.
    """
    at, end, unpaid = 0, len(raw), 0
    value: int | memoryview
    while at < end:
        tag = raw[at]  # of one byte nearly always
        tag, at = (tag, at + 1) if tag < 0x80 else varint(raw, at, end)
        wire, number = tag & 7, tag >> 3
        if wire == VARINT:
            value, at = varint(raw, at, end)
        else:
            start, at = _extent(raw, at, end, wire)
            run = raw[start:at]
            value = run if wire == SPAN else int.from_bytes(run, "little")
        if not number:
            raise _broken("a field without a number")
        unpaid += 1
        if unpaid == _PAID_AT_ONCE:
            budget.spend(unpaid)
            unpaid = 0
        if known.get(number) == wire:
            yield number, value
    budget.spend(unpaid)


def numbers(raw: memoryview, budget: Budget) -> Iterator[int]:
    """The numbers that are packed into one field."""
    at, end = 0, len(raw)
    budget.spend(end)
    while at < end:
        value, at = varint(raw, at, end)
        yield value


def outline(source: Source, start: int, end: int, known: Mapping[int, int]) -> Iterator[tuple[int, int, int]]:
    """The places of the known runs of bytes in a message of any size: number, first byte, byte behind the last.

    Only the heads of its fields are read.
    """
    window, first, at = memoryview(b""), 0, start
    while at < end:
        source.budget.spend(1)
        if at + _HEAD > first + len(window):
            first, window = at, memoryview(source.read(at, min(_WINDOW, end - at)))
        inside, stop = at - first, len(window)
        tag, inside = varint(window, inside, stop)
        wire, number = tag & 7, tag >> 3
        if wire == VARINT:
            at = first + varint(window, inside, stop)[1]
            continue
        size, inside = (_FIXED[wire], inside) if wire in _FIXED else varint(window, inside, stop)
        begin = first + inside
        at = begin + size
        if wire not in (*_FIXED, SPAN) or at > end:
            raise _broken(f"a field of wire type {wire} and {size:,} bytes at byte {begin:,}")
        if known.get(number) == wire == SPAN:
            yield number, begin, at


def varint(raw: memoryview, at: int, end: int) -> tuple[int, int]:
    """The number of variable length at a place, and the place behind it."""
    if at < end and raw[at] < 0x80:
        return raw[at], at + 1
    shift = value = 0
    for place in range(at, min(end, at + _MOST_VARINT)):
        byte = raw[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _WHOLE, place + 1
        shift += 7
    raise CorruptFileError("is damaged", found="a number without an end")


def signed(value: int) -> int:
    """A number of 64 bits as one with a sign."""
    return value - (1 << 64) if value >> 63 else value


def text(raw: memoryview) -> str:
    """A run of bytes as text; bytes that are no UTF-8 are shown as such."""
    return str(raw, "utf-8", "backslashreplace")


def _extent(raw: memoryview, at: int, end: int, wire: int) -> tuple[int, int]:
    """Where the value of a field begins and ends."""
    if wire == SPAN:
        size, at = varint(raw, at, end)
    elif wire in _FIXED:
        size = _FIXED[wire]
    else:  # groups, which nothing of TensorFlow's has, and what is no wire type
        raise _broken(f"a field of wire type {wire}")
    if at + size > end:
        raise _broken(f"a field of {size:,} bytes where {end - at:,} are left")
    return at, at + size


def _broken(found: str) -> CheckpointError:
    return CorruptFileError("is no valid message of protobuf", found=found)
