"""The copy of blocks into a file: progress is reported, and the CRC computed while they are written."""

import threading
import zlib
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import BinaryIO

Block = bytes | bytearray | memoryview
Progress = Callable[[int], object]
"""Is called again and again with the number of bytes that have been written since the last time."""

_BUFFER_BYTES = 1 << 20
_BUFFERS = 3


def silent(_nbytes: int) -> None:
    """Tells nobody."""


def copy(blocks: Iterable[Block], file: BinaryIO, on_progress: Progress) -> None:
    """Write blocks to a file."""
    for block in blocks:
        file.write(block)
        on_progress(len(block))


def copy_with_crc(blocks: Iterable[Block], file: BinaryIO, on_progress: Progress) -> int:
    """Write blocks to a file; returns their CRC, which a second thread computes meanwhile."""
    with _CrcBeside() as beside:
        for block in blocks:
            beside.add(memoryview(block))
            file.write(block)
            on_progress(len(block))
    return beside.crc


class _CrcBeside:
    """A thread that computes the CRC of what is added. It has copies, in a few buffers that are used again, and are no
    larger than what came: blocks are no longer valid when the next one is read, and to wait for each costs more than to
    copy it."""

    def __init__(self) -> None:
        self.crc = 0
        self._free, self._filled = SimpleQueue[bytearray](), SimpleQueue[tuple[bytearray, int] | None]()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "_CrcBeside":
        for _ in range(_BUFFERS):
            self._free.put(bytearray())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._filled.put(None)
        self._thread.join()

    def add(self, block: memoryview) -> None:
        """Add bytes; waits where the thread is far behind."""
        for start in range(0, len(block), _BUFFER_BYTES):
            part = block[start : start + _BUFFER_BYTES]
            buffer = self._free.get()
            if len(buffer) < len(part):
                buffer = bytearray(part)
            else:
                buffer[: len(part)] = part
            self._filled.put((buffer, len(part)))

    def _run(self) -> None:
        while (filled := self._filled.get()) is not None:
            buffer, size = filled
            self.crc = zlib.crc32(memoryview(buffer)[:size], self.crc)
            self._free.put(buffer)
