"""The operations in the graphs of a SavedModel that touch files or run code, in every graph and every function.

The saver's own operations are in every SavedModel: they write and read a checkpoint where the user says, and are left
out in the functions that are the saver's. (tensorflow/core/framework/graph.proto, function.proto, 2.15;
`_SaverDef` functions of tensorflow/python/saved_model/save.py.) Nothing is run.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ckpttool.formats.tensorflow.places import GRAPH
from ckpttool.formats.tensorflow.wire import LEN, Message, outline, text
from ckpttool.io.sources import FileSource, Source

_WRITES = """
    WriteFile SaveSlices Save SaveV2 MergeV2Checkpoints DistributedSave SaveDataset SaveDatasetV2 SnapshotDataset
    SnapshotDatasetV2 DatasetToTFRecord DatasetToTFRecordV2 CreateSummaryFileWriter CreateSummaryDbWriter
    WriteRawProtoSummary DebugIdentity DebugIdentityV2 FileSystemSetConfiguration
""".split()
_READS = """
    ReadFile MatchingFiles WholeFileReader WholeFileReaderV2 TextLineReader TextLineReaderV2 TFRecordReader
    TFRecordReaderV2 FixedLengthRecordReader FixedLengthRecordReaderV2 LMDBReader LMDBDataset SqlDataset TextLineDataset
    TFRecordDataset TFRecordDatasetV2 FixedLengthRecordDataset FixedLengthRecordDatasetV2 RecordInput LoadDataset
    LoadAndRemapMatrix RestoreV2 Restore RestoreSlice
""".split()
_CODE = "PyFunc PyFuncStateless EagerPyFunc RemoteCall RpcCall RpcClient RpcServer".split()

EFFECTS = {
    **dict.fromkeys(_WRITES, "writes files"),
    **dict.fromkeys(_READS, "reads files"),
    **dict.fromkeys(_CODE, "runs code outside the graph"),
}
"""The effect of each operation that acts outside the graph."""

_SAVERS = frozenset("SaveV2 MergeV2Checkpoints RestoreV2 Save SaveSlices Restore RestoreSlice".split())
_SAVER_FUNCTION = re.compile(r"__inference_(_?traced_(save|restore))(_\d+)*")
_SAVER_NODE = re.compile(r"save(_\d+)?/.*")  # of TensorFlow 1, whose graph has the saver in it
_LARGE = 64 << 10  # bytes of a node above which it is not read whole: it holds a constant


class Operation(NamedTuple):
    """An operation that acts outside its graph: its kind, its name, the function that it is in, empty for the graph
    itself, and what it does."""

    kind: str
    name: str
    function: str
    effect: str


def operations_in(directory: Path) -> Iterator[Operation]:
    """The operations of a SavedModel that act outside its graphs. Raises CheckpointError where it cannot be read."""
    with FileSource(directory / GRAPH) as source:
        for _, start, end in outline(source, 0, source.size, {2: LEN}):
            for _, begin, stop in outline(source, start, end, {2: LEN}):
                yield from _in_graph(source, begin, stop)


def _in_graph(source: Source, start: int, end: int) -> Iterator[Operation]:
    """The operations of a graph and of its functions."""
    for number, begin, stop in outline(source, start, end, {1: LEN, 2: LEN}):
        if number == 1:
            yield from _acting(source, begin, stop, "")
            continue
        for _, first, last in outline(source, begin, stop, {1: LEN}):
            yield from _in_function(source, first, last)


def _in_function(source: Source, start: int, end: int) -> Iterator[Operation]:
    """The operations of a function, whose name is in its signature."""
    places = list(outline(source, start, end, {1: LEN, 3: LEN}))
    names = (_first_texts(source, begin, stop)[0] for number, begin, stop in places if number == 1)
    function = next(names, "")
    for number, begin, stop in places:
        if number == 3:
            yield from _acting(source, begin, stop, function)


def _acting(source: Source, start: int, end: int, function: str) -> Iterator[Operation]:
    """The operation of a node, where it acts outside and is not the saver's."""
    name, kind = _first_texts(source, start, end)
    if kind not in EFFECTS:
        return
    of_saver = _SAVER_FUNCTION.fullmatch(function) if function else _SAVER_NODE.fullmatch(name)
    if not (kind in _SAVERS and of_saver):
        yield Operation(kind, name, function, EFFECTS[kind])


def _first_texts(source: Source, start: int, end: int) -> tuple[str, str]:
    """The fields 1 and 2 of a message as texts: those of a node are its name and its kind."""
    known = {1: LEN, 2: LEN}
    if end - start > _LARGE:
        places = outline(source, start, end, known)
        texts = {number: text(memoryview(source.read(at, min(stop - at, _LARGE)))) for number, at, stop in places}
        return texts.get(1, ""), texts.get(2, "")
    message = Message(memoryview(source.read(start, end - start)), known, source.budget)
    return message.text(1), message.text(2)
