"""The wire format of protobuf, as far as TensorFlow's files need it: the fields of one message, in order, not copied.

Nothing here calls itself: who wants the fields of an inner message asks for them, so no file decides how deep reading
goes. The bytes of a text or an inner message are its payload. (protobuf.dev/programming-guides/encoding.)
"""

from collections.abc import Iterator, Mapping

from ckpttool.errors import CheckpointError, CorruptFileError
from ckpttool.io.budget import Budget, steps_of_text
from ckpttool.io.sources import Source

VARINT, FIXED64, LEN, FIXED32 = 0, 1, 2, 5
"""The wire types: a number of variable length, a number of 8 bytes, a payload with its length before it, a number of 4
bytes."""

_FIXED = {FIXED64: 8, FIXED32: 4}
_MOST_VARINT = 10  # bytes of a number of 64 bits
_WHOLE = (1 << 64) - 1
_PAID_AT_ONCE = 256
_HEAD = 2 * _MOST_VARINT  # bytes of a tag and of a length
_WINDOW = 64 << 10
_EMPTY = memoryview(b"")


def fields(raw: memoryview, known: Mapping[int, int], budget: Budget) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message that are `known` by number and wire type: numbers as they are, payloads in place.

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
            payload = raw[start:at]
            value = payload if wire == LEN else int.from_bytes(payload, "little")
        if not number:
            raise _broken("a field without a number")
        unpaid += 1
        if unpaid == _PAID_AT_ONCE:
            budget.spend(unpaid)
            unpaid = 0
        if known.get(number) == wire:
            yield number, value
    if unpaid:
        budget.spend(unpaid)


def payloads(raw: memoryview, number: int, budget: Budget) -> Iterator[memoryview]:
    """The payloads of a message's fields of one number."""
    for _, payload in fields(raw, {number: LEN}, budget):
        assert isinstance(payload, memoryview)
        yield payload


def numbered_payloads(raw: memoryview, known: Mapping[int, int], budget: Budget) -> Iterator[tuple[int, memoryview]]:
    """The payloads of a message's fields of several numbers, each with its number; all of `known` are LEN."""
    return fields(raw, known, budget)  # type: ignore[return-value]  # a field of wire type LEN has a payload


class Message:
    """The values of a message's `known` fields, of which the last of each counts, as protobuf reads fields that are not
    repeated. A field that is absent is zero or empty."""

    __slots__ = ("_budget", "_values")

    def __init__(self, raw: memoryview, known: Mapping[int, int], budget: Budget) -> None:
        self._values, self._budget = dict(fields(raw, known, budget)), budget

    def __contains__(self, number: int) -> bool:
        return number in self._values

    def integer(self, number: int) -> int:
        """The number with a sign in a field."""
        value = self._values.get(number, 0)
        assert not isinstance(value, memoryview)
        return signed(value)

    def payload(self, number: int) -> memoryview:
        """The payload of a field."""
        value = self._values.get(number, _EMPTY)
        assert isinstance(value, memoryview)
        return value

    def text(self, number: int) -> str:
        """The payload of a field as text, its memory taken off the budget."""
        return paid_text(self.payload(number), self._budget)


def map_entry(raw: memoryview, budget: Budget) -> tuple[str, memoryview]:
    """The key and the payload of an entry of a map."""
    entry = Message(raw, {1: LEN, 2: LEN}, budget)
    return entry.text(1), entry.payload(2)


def packed_numbers(raw: memoryview, budget: Budget) -> Iterator[int]:
    """The numbers with a sign that are packed into one payload."""
    at, end = 0, len(raw)
    budget.spend(end)
    while at < end:
        value, at = varint(raw, at, end)
        yield signed(value)


def outline(source: Source, start: int, end: int, known: Mapping[int, int]) -> Iterator[tuple[int, int, int]]:
    """The places of the known payloads in a message of any size: number of the field, first byte, byte behind the last.

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
        if wire not in (*_FIXED, LEN):
            raise _broken(f"a field of wire type {wire} at byte {begin:,}")
        if at > end:
            raise _broken(f"a field of {size:,} bytes where {end - begin:,} are left: it was cut off, or is damaged")
        if known.get(number) == wire == LEN:
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
    """A payload as text; bytes that are no UTF-8 are shown as such."""
    return str(raw, "utf-8", "backslashreplace")


def paid_text(raw: memoryview, budget: Budget) -> str:
    """A payload as text, its memory taken off the budget."""
    result = text(raw)
    budget.spend(steps_of_text(result))
    return result


def _extent(raw: memoryview, at: int, end: int, wire: int) -> tuple[int, int]:
    """The places where the value of a field begins and ends."""
    if wire == LEN:
        size, at = varint(raw, at, end)
    elif wire in _FIXED:
        size = _FIXED[wire]
    else:  # groups, which nothing of TensorFlow's has, and what is no wire type
        raise _broken(f"a field of wire type {wire}")
    if at + size > end:
        raise _broken(f"a field of {size:,} bytes where {end - at:,} are left")
    return at, at + size


def _broken(actual: str) -> CheckpointError:
    return CorruptFileError("is no valid message of protobuf", found=actual)
