"""The sorted table of keys and values that a `.index` file is: LevelDB's format, with TensorFlow's footer.

    file   = data block*, block of metadata, block of the index, footer of 48 bytes
    block  = entries, restart offsets, their number, 1 byte of compression, masked CRC-32C of all but itself
    entry  = length of the key's start shared with the key before, of its rest, and of the value; then rest and value

(tensorflow/core/lib/io/format.cc, table_builder.cc, 2.15.)
"""

from collections.abc import Iterator

from ckpttool.errors import CheckpointError, CorruptFileError, UnknownFormatError, UnsafeFileError, UnsupportedError
from ckpttool.formats.tensorflow.crc32c import crc32c, unmasked
from ckpttool.formats.tensorflow.snappy import decompress
from ckpttool.formats.tensorflow.wire import varint
from ckpttool.io.sources import Source

MAGIC = bytes.fromhex("57fb808b247547db")
FOOTER = 48
_TRAILER = 5  # bytes behind a block: its compression, its checksum
_NONE, _SNAPPY = 0, 1
MAX_KEY = 64 << 10
MAX_KEYS = 64  # times the file: what all keys together may weigh
_ENTRY_STEPS = 6

Handle = tuple[int, int]
"""The place at which a block begins, and its size without its trailer."""


def is_table(source: Source) -> bool:
    """Whether a file ends as a table does."""
    return source.size >= FOOTER and source.read(source.size - len(MAGIC), len(MAGIC)) == MAGIC


def read_table(source: Source) -> Iterator[tuple[bytes, memoryview]]:
    """The keys and values of a table, in order. Keys must ascend: a key that is there twice would hide a value."""
    if not is_table(source):
        raise UnknownFormatError(
            "is no index of a TensorFlow checkpoint, or was cut off",
            expected=f"{MAGIC.hex(' ')} at its end",
            found=f"{source.size:,} bytes",
            hint="fetch it again",
        )
    last, weight = None, 0
    for handle in _data_blocks(source):
        for key, value in _entries(source, handle):
            weight += len(key)
            if weight > MAX_KEYS * source.size:
                raise UnsafeFileError(
                    "keys weigh far more than the file", expected=f"{MAX_KEYS * source.size:,} bytes at most"
                )
            if last is not None and key <= last:
                raise CorruptFileError("keys do not ascend", found=f"{_shown(key)} behind {_shown(last)}")
            last = key
            yield key, value


def _data_blocks(source: Source) -> Iterator[Handle]:
    """The places of the data blocks, which ascend and do not overlap."""
    footer = memoryview(source.read(source.size - FOOTER, FOOTER))
    at = 0
    for _ in range(2):  # the first is that of the block of metadata, which TensorFlow leaves empty
        handle, at = _handle(footer, at)
    reached = 0
    for _, value in _entries(source, handle):
        block, _ = _handle(value, 0)
        if block[0] < reached:
            raise CorruptFileError(
                "blocks overlap", found=f"one at byte {block[0]:,}, the one before ends at {reached:,}"
            )
        reached = block[0] + block[1] + _TRAILER
        yield block


def _handle(raw: memoryview, at: int) -> tuple[Handle, int]:
    offset, at = varint(raw, at, len(raw))
    size, at = varint(raw, at, len(raw))
    return (offset, size), at


def _block(source: Source, handle: Handle) -> memoryview:
    """The content of a block, its checksum compared."""
    offset, size = handle
    if offset + size + _TRAILER > source.size - FOOTER:
        raise CorruptFileError("a block lies beyond the end", found=f"{size:,} bytes at byte {offset:,}")
    source.budget.spend(size >> 8)
    raw = memoryview(source.read(offset, size + _TRAILER))
    if crc32c(raw[: size + 1]) != unmasked(int.from_bytes(raw[size + 1 :], "little")):
        raise CorruptFileError(
            f"the block at byte {offset:,} does not have the checksum that it states",
            hint="the file is damaged; fetch it again, or take another save",
        )
    if raw[size] == _SNAPPY:
        return decompress(raw[:size], source.budget)
    if raw[size] != _NONE:
        raise UnsupportedError("a block is compressed in an unknown way", found=f"compression {raw[size]}")
    return raw[:size]


def _entries(source: Source, handle: Handle) -> Iterator[tuple[bytes, memoryview]]:
    """The entries of a block."""
    raw = _block(source, handle)
    end, at, key = _end_of_entries(raw), 0, b""
    while at < end:
        shared, at = varint(raw, at, end)
        rest, at = varint(raw, at, end)
        size, at = varint(raw, at, end)
        if shared > len(key) or at + rest + size > end:
            raise CorruptFileError("an entry lies beyond its block", found=f"{shared:,}, {rest:,} and {size:,} bytes")
        if shared + rest > MAX_KEY:
            raise UnsafeFileError("a key is too long", expected=f"{MAX_KEY:,} bytes at most")
        source.budget.spend(_ENTRY_STEPS + (shared + rest >> 6))
        key = key[:shared] + raw[at : at + rest].tobytes()
        at += rest + size
        yield key, raw[at - size : at]


def _end_of_entries(raw: memoryview) -> int:
    """The place at which the restart offsets begin, which is the end of the entries."""
    restarts = int.from_bytes(raw[-4:], "little") if len(raw) >= 4 else -1
    end = len(raw) - 4 - 4 * restarts
    if restarts < 0 or end < 0:
        raise _no_room(len(raw))
    return end


def _no_room(size: int) -> CheckpointError:
    return CorruptFileError("a block has no room for its restart offsets", found=f"{size:,} bytes")


def _shown(key: bytes) -> str:
    return repr(key[:60])[1:]
