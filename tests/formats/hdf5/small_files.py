"""Small HDF5 files made for one test, as bytes, and ways to break them."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import Any

import h5py
import numpy as np

from ckpttool.errors import CheckpointError, CorruptFileError
from ckpttool.formats.hdf5 import chunk_child
from ckpttool.formats.hdf5.chunks import ChunkReader
from ckpttool.formats.hdf5.headers import lookup3
from ckpttool.formats.hdf5.tree import Tree, read_tree
from ckpttool.formats.hdf5.values import problem, values_of
from ckpttool.io.budget import Budget
from ckpttool.io.sources import FileSource, SourceFile
from tests.floods import ENDLESS


class Memory:
    """Bytes in memory as a source that is as strict as a file."""

    def __init__(self, data: bytes) -> None:
        self.data, self.size, self.budget = data, len(data), Budget(len(data))

    def read(self, offset: int, size: int) -> bytes:
        """Exactly `size` bytes from `offset` on."""
        if offset < 0 or size < 0 or offset + size > self.size:
            raise CorruptFileError("points beyond its own end")
        return self.data[offset : offset + size]

    def fill(self, offset: int, buffer: memoryview) -> None:
        """The whole of `buffer`, filled from `offset` on."""
        buffer[:] = self.read(offset, len(buffer))


class ChunksRead(ChunkReader):
    """The reader of chunked datasets, answered in this process, which takes no time to start. test_chunks.py has the
    process of its own."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._source = FileSource(path)
        self._reader = chunk_child._Reader(h5py.File(SourceFile(self._source), "r"))

    def close(self) -> None:
        """Close the file."""
        super().close()
        self._reader._file.close()
        self._source.close()

    def _answer(self, request: dict[str, str | int]) -> bytes:
        kind, body = chunk_child._answer(self._reader, json.dumps(request).encode())
        assert kind == b"D", body
        return body


def written(libver: str, write: Callable[[h5py.File], Any]) -> bytes:
    """The bytes of a file that `write` fills."""
    stream = BytesIO()
    with h5py.File(stream, "w", libver=libver) as file:
        write(file)
    return stream.getvalue()


def tree_of(write: Callable[[h5py.File], Any], libver: str = "earliest") -> Tree:
    """The tree of a file that `write` fills."""
    return read_tree(Memory(written(libver, write)))


def kinds(tree: Tree) -> dict[str, str]:
    """The refusals by place."""
    return {refusal.place: refusal.kind for refusal in tree.refusals}


def address_of(data: bytes, path: str) -> int:
    """The address of the object header of a group or dataset."""
    with h5py.File(BytesIO(data)) as file:
        return int(h5py.h5o.get_info(file[path].id).addr)


def like_keras(file: h5py.File) -> None:
    """Three small layers as Keras stores them, with attributes and one chunked dataset."""
    file.attrs["model_config"] = '{"class_name": "Sequential"}' * 5
    file.attrs["layer_names"] = np.array([b"dense", b"dense_1"])
    for name in ("dense", "dense_1", "bn"):
        group = file.create_group(f"layers/{name}/vars")
        group.attrs["name"] = name
        group["0"] = np.arange(12, dtype="<f4").reshape(3, 4)
        group["1"] = np.float64(2)
    group.create_dataset("2", data=np.arange(10), chunks=(5,), compression="gzip")


def crowded(file: h5py.File) -> None:
    """Many links and attributes, which newer files keep in heaps."""
    for number in range(60):
        file.create_group(f"group {number}")
        file.attrs[f"attribute {number}"] = "text" * number
    file.create_dataset("typed", (2,), np.dtype([("a", "<i4"), ("b", "S3")]))


SMALL = {f"{low} {write.__name__}": (low, write) for low in ("earliest", "latest") for write in (like_keras, crowded)}


def read_all(data: bytes) -> Tree:
    """The tree of a file with everything asked that can be asked without a child process."""
    tree = read_tree(Memory(data))
    reader = ChunkReader("never opened")
    for path, owner in [*tree.groups.items(), *tree.attributes.items()]:
        for name in ("name", "model_config", "layer_names", "weight_names", "dtype"):
            tree.attribute(path, name)
        for name in owner.names()[:50]:
            tree.attribute(path, name)
    for path, dataset in tree.datasets.items():
        if problem(tree.file, dataset) is None and dataset.layout.kind != "chunked":
            assert sum(map(len, values_of(tree.file, path, dataset, reader).pieces(1 << 20))) == dataset.nbytes
    return tree


@contextmanager
def that_ends() -> Iterator[None]:
    """Ends a block that would go on for ever: after a minute of the process's own time, on systems that have timers."""
    if not hasattr(signal, "SIGVTALRM"):
        yield
        return

    def too_long(*_: object) -> None:
        raise AssertionError(f"takes longer than {ENDLESS} s")

    previous = signal.signal(signal.SIGVTALRM, too_long)
    signal.setitimer(signal.ITIMER_VIRTUAL, ENDLESS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, previous)


def survives(data: bytes) -> bool:
    """Whether a broken file is read all the same; fails on errors of other kinds and on work without end."""
    with that_ends(), suppress(CheckpointError):
        return read_all(data).file.budget.steps > 0
    return False


def with_checksums(data: bytearray) -> bytes:
    """The file with the checksums of its newer structures put right, as an attacker would."""
    for mark, size in ((b"FRHP", 142), (b"BTHD", 34)):
        at = data.find(mark)
        while at >= 0 and at + size + 4 <= len(data):
            data[at + size : at + size + 4] = lookup3(bytes(data[at : at + size])).to_bytes(4, "little")
            at = data.find(mark, at + 1)
    at = data.find(b"OHDR")
    while 0 <= at < len(data) - 5:
        flags = data[at + 5]
        prefix = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        end = at + prefix + width + int.from_bytes(data[at + prefix : at + prefix + width], "little")
        if end + 4 <= len(data):
            data[end : end + 4] = lookup3(bytes(data[at:end])).to_bytes(4, "little")
        at = data.find(b"OHDR", at + 1)
    return bytes(data)
