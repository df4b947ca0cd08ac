"""Snappy, in which some programs at Google pack the blocks of their tables (google/snappy, format_description.txt)."""

from ckpttool.errors import CheckpointError, CorruptFileError, UnsafeFileError
from ckpttool.formats.tensorflow.wire import varint
from ckpttool.io.budget import Budget

_MOST_A_BYTE = 22  # three bytes of an element make 64 at most
_SLACK = 64
_LONG = 60  # from this length on a literal has its length in bytes of its own
_COPY_BYTES = {1: 1, 2: 2, 3: 4}  # bytes of an offset, by kind of copy
_BYTES_A_STEP = 8  # bits
_ELEMENTS_A_STEP = 2  # bits


def decompress(raw: memoryview, budget: Budget) -> memoryview:
    """The decompressed bytes of a block. Raises UnsafeFileError where it declares more than Snappy can pack into it."""
    size, at = varint(raw, 0, len(raw))
    if size > _MOST_A_BYTE * len(raw) + _SLACK:
        raise UnsafeFileError(
            "a compressed block claims more than Snappy can pack into it",
            expected=f"{_MOST_A_BYTE * len(raw) + _SLACK:,} bytes at most",
            found=f"{size:,} bytes",
        )
    budget.spend((size >> _BYTES_A_STEP) + (len(raw) >> _ELEMENTS_A_STEP))
    output = bytearray()
    while at < len(raw):
        at = _literal(raw, at, output) if raw[at] & 3 == 0 else _copy(raw, at, output)
        if len(output) > size:
            break
    if len(output) != size:
        raise _damaged(f"{len(output):,} bytes where {size:,} are declared")
    return memoryview(bytes(output))


def _literal(raw: memoryview, at: int, output: bytearray) -> int:
    """Append the bytes of a literal to the output; returns the place behind it."""
    length = raw[at] >> 2
    at += 1
    if length >= _LONG:
        extra = length - _LONG + 1
        length = int.from_bytes(raw[at : at + extra], "little")
        at += extra
    end = at + length + 1
    if end > len(raw):
        raise _damaged("a literal beyond the end")
    output += raw[at:end]
    return end


def _copy(raw: memoryview, at: int, output: bytearray) -> int:
    """Append a copy of bytes that are in the output; returns the place behind the element."""
    tag, width = raw[at], _COPY_BYTES[raw[at] & 3]
    offset = int.from_bytes(raw[at + 1 : at + 1 + width], "little")
    length = (tag >> 2) + 1
    if width == 1:
        length, offset = (tag >> 2 & 7) + 4, offset | tag >> 5 << 8
    if at + 1 + width > len(raw) or not 0 < offset <= len(output):
        raise _damaged(f"a copy from {offset:,} bytes back, where {len(output):,} are decompressed")
    start = len(output) - offset
    while length > 0:  # a copy may reach into the bytes that it appends
        piece = output[start : start + length]
        output += piece
        length -= len(piece)
    return at + 1 + width


def _damaged(actual: str) -> CheckpointError:
    return CorruptFileError("a block is no valid Snappy", found=actual)
