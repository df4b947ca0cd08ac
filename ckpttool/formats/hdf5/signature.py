"""The signature of HDF5, and the places in a file where readers look for it."""

from ckpttool.io.sources import Source

SIGNATURE = b"\x89HDF\r\n\x1a\n"


def find_signature(source: Source) -> int:
    """The offset of the HDF5 signature (0, 512, 1024, 2048 ...), or -1 where there is none."""
    offset = 0
    while offset + len(SIGNATURE) <= source.size:
        if source.read(offset, len(SIGNATURE)) == SIGNATURE:
            return offset
        offset = max(512, offset * 2)
    return -1


def other_signature(source: Source, start: int) -> int:
    """The place behind `start` at which another HDF5 file may begin, -1 where there is none."""
    offset = max(512, start * 2)
    while offset + len(SIGNATURE) <= source.size:
        if source.read(offset, len(SIGNATURE)) == SIGNATURE:
            return offset
        offset *= 2
    return -1
