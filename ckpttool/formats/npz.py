"""`model.weights.npz`: arrays in a zip, without a pickle ever being opened.

Keras's own writer puts each layer's variables into one pickled object array (`NpzIOStore`,
keras/src/saving/saving_lib.py, 3.15), which only running the pickle would reveal; those are refused, plain arrays read.
"""

import ast
import math
from collections.abc import Iterator
from typing import NamedTuple

from ckpttool.checkpoint import Refusal, Weight
from ckpttool.errors import CheckpointError, CorruptFileError, UnsafeFileError, UnsupportedError, ambiguous
from ckpttool.formats.archive import Archive
from ckpttool.formats.builder import Parts
from ckpttool.formats.hdf5.values import MAX_DECLARED, MAX_RATIO
from ckpttool.formats.weight_paths import section_of, split
from ckpttool.io import scalars
from ckpttool.io.sources import Inflated, Source

_CODES = {
    "b1": "bool", "i1": "int8", "i2": "int16", "i4": "int32", "i8": "int64", "u1": "uint8", "u2": "uint16",
    "u4": "uint32", "u8": "uint64", "f2": "float16", "f4": "float32", "f8": "float64", "c8": "complex64",
    "c16": "complex128",
}  # fmt: skip
_MAX_HEADER = 64 << 10


class _Array(NamedTuple):
    """The values of one `.npy` member."""

    source: Source
    start: int
    nbytes: int

    def pieces(self, limit: int) -> Iterator[bytes]:
        """All bytes in C order, `limit` at a time."""
        for at in range(0, self.nbytes, limit):
            yield self.source.read(self.start + at, min(limit, self.nbytes - at))

    def part(self, start: int, stop: int) -> "_Array | None":
        """The bytes from `start` up to `stop`; None where they are inflated on the way."""
        return None if isinstance(self.source, Inflated) else _Array(self.source, self.start + start, stop - start)

    def stored_nbytes(self) -> int | None:
        """All of them; None where they are inflated on the way."""
        return None if isinstance(self.source, Inflated) else self.nbytes


def read(parts: Parts, source: Source) -> None:
    """Add the arrays of an `.npz`, in stored order; members that are no plain arrays are refused."""
    archive = Archive(source)
    parts.refusals.extend(archive.refusals)
    for name in archive.infos:
        path = name.removesuffix(".npy")
        if path != name and path in archive.infos:
            parts.refuse("ambiguous", path, "stored with and without .npy, of which readers take either")
            continue
        try:
            member = archive.source(archive.member(name))
            parts.weights[path] = _weight(path, member)
        except CheckpointError as error:
            parts.refusals.append(Refusal.from_error(error, path))
    if not parts.weights and any(refusal.kind == "pickle" for refusal in parts.refusals):
        raise UnsafeFileError(
            "keeps its weights as pickled objects, which are never opened: they can run code",
            expected="plain arrays",
            hint="load it with the Keras that wrote it and save it again as .keras",
            kind="pickle",
        )


def _weight(path: str, source: Source) -> Weight:
    start, header = _header(source)
    try:
        fields = ast.literal_eval(header)
        if len(fields) < header.count(":"):
            raise ambiguous("a .npy header that repeats a key, of which readers take either")
        code, shape, fortran = fields["descr"], scalars.sizes(fields["shape"]), fields["fortran_order"]
    except (ValueError, SyntaxError, KeyError, TypeError, RecursionError, MemoryError) as error:
        raise CorruptFileError("a damaged .npy header") from error
    if not isinstance(code, str) or "O" in code:
        raise UnsafeFileError("a pickled object, which is never opened", kind="pickle")
    dtype = _CODES.get(code[1:])
    if dtype is None or shape is None or (fortran and len(shape) > 1):
        raise UnsupportedError(f"an array of type {code} in an order that is not read")
    nbytes = math.prod(shape) * (scalars.digits(code[2:]) or 0)
    if nbytes > source.size - start:
        is_bomb = nbytes > MAX_DECLARED and nbytes > MAX_RATIO * source.size
        raise (UnsafeFileError if is_bomb else CorruptFileError)(
            "declares more than is stored", expected=f"{source.size - start:,} bytes at most", found=f"{nbytes:,}"
        )
    section = section_of(split(path))
    values = _Array(source, start, nbytes)
    return Weight(path, shape, dtype, nbytes, section, big_endian=code[0] == ">", values=values)


def _header(source: Source) -> tuple[int, str]:
    """The place at which the values of a `.npy` begin, and its header (NumPy's format description, versions 1 to 3)."""
    head = source.read(0, min(12, source.size))
    if head[:6] != b"\x93NUMPY" or len(head) < 12:
        raise CorruptFileError("no .npy array")
    wide = head[6] >= 2
    size = int.from_bytes(head[8:12] if wide else head[8:10], "little")
    start = (12 if wide else 10) + size
    if size > _MAX_HEADER or start > source.size:
        raise CorruptFileError("a .npy header of absurd size")
    return start, source.read(start - size, size).decode("latin-1")
