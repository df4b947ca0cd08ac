"""The operations in the graphs of a SavedModel that touch files, ask servers or run code, or are not
TensorFlow's own, in every graph and every function.

The saver's own operations are in every SavedModel: they write and read a checkpoint where the user says. They are left
out in the functions that are the saver's, and in a graph, as of TensorFlow 1, where their file is what is fed.
(tensorflow/core/framework/graph.proto, function.proto, 2.15; `_SaverDef` functions of
tensorflow/python/saved_model/save.py; tensorflow/python/training/saver.py, 1.15.) Nothing is run.
"""

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence, Set
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from ckpttool.dangers.tensorflow_calls import registered_operations
from ckpttool.formats.tensorflow import adapt_steps, lookup_tables
from ckpttool.formats.tensorflow.asset_files import ASSET, COLLECTION, AssetFile, asset_files
from ckpttool.formats.tensorflow.conditional_operations import (
    CONDITIONAL,
    Place,
    Scope,
    effect_of,
    functions_named,
    inputs_of,
)
from ckpttool.formats.tensorflow.handed_files import Function, files_named, tables_of_arguments
from ckpttool.formats.tensorflow.places import GRAPH
from ckpttool.formats.tensorflow.saved_objects import Objects, read_objects
from ckpttool.formats.tensorflow.wire import LEN, Message, outline, text
from ckpttool.io.sources import FileSource, Source

_WRITES = """
    WriteFile SaveSlices Save SaveV2 MergeV2Checkpoints DistributedSave SaveDataset SaveDatasetV2 SnapshotDataset
    SnapshotDatasetV2 DatasetToTFRecord DatasetToTFRecordV2 CreateSummaryFileWriter CreateSummaryDbWriter
    WriteRawProtoSummary DebugIdentity DebugIdentityV2 DebugIdentityV3 DebugNanCount DebugNumericSummary DumpTensor
    CalibrationStatisticsSaver ExperimentalDatasetToTFRecord FileSystemSetConfiguration
""".split()
_READS = """
    ReadFile MatchingFiles WholeFileReader WholeFileReaderV2 TextLineReader TextLineReaderV2 TFRecordReader
    TFRecordReaderV2 FixedLengthRecordReader FixedLengthRecordReaderV2 LMDBReader LMDBDataset SqlDataset TextLineDataset
    TFRecordDataset TFRecordDatasetV2 FixedLengthRecordDataset FixedLengthRecordDatasetV2 RecordInput LoadDataset
    LoadAndRemapMatrix RestoreV2 Restore RestoreSlice DTensorRestoreV2 CSVDataset CSVDatasetV2 ExperimentalCSVDataset
    ExperimentalLMDBDataset ExperimentalMatchingFilesDataset ExperimentalSqlDataset GenerateVocabRemapping
    ImmutableConst ListSnapshotChunksDataset MatchingFilesDataset Skipgram
    SnapshotChunkDataset SnapshotDatasetReader SnapshotNestedDatasetReader
""".split()
_CODE = """
    PyFunc PyFuncStateless EagerPyFunc RemoteCall Rpc TryRpc RpcCall RpcClient RpcServer XlaCustomCall XlaCustomCallV2
""".split()
_SERVERS = """
    BigQueryReader DataServiceDataset DataServiceDatasetV2 DataServiceDatasetV3 DataServiceDatasetV4
    GcsConfigureBlockCache GcsConfigureCredentials RegisterDataset RegisterDatasetV2
""".split()

EFFECTS = {
    **dict.fromkeys(_WRITES, "writes files"),
    **dict.fromkeys(_READS, "reads files"),
    **dict.fromkeys(_CODE, "runs code outside the graph"),
    **dict.fromkeys(_SERVERS, "asks or tells a server"),
    "Abort": "ends the process",
}
"""The effect of each operation that acts outside the graph."""

_SAVERS = frozenset("SaveV2 MergeV2Checkpoints RestoreV2 Save SaveSlices Restore RestoreSlice".split())
_SAVER_FUNCTION = re.compile(r"__inference_(_?traced_(save|restore))(_\d+)*")
_FILE_INPUT = {"MergeV2Checkpoints": 1}  # the input of a saver's operation that is the file; of others the first
_HANDS_ON = frozenset("StringJoin ShardedFilename Pack Identity PlaceholderWithDefault".split())
_MAX_STEPS = 20  # from an operation to what its file is
_DEFAULT_FILE = (b"model",)  # of `tf.train.Saver` and `tf.train.Checkpoint`, in whose place the user's is fed
_META_GRAPH, _META_INFO, _GRAPH, _OBJECTS = 2, 1, 2, 7
_KNOWN = dict.fromkeys((_META_INFO, _GRAPH, COLLECTION, ASSET, _OBJECTS), LEN)
_LARGE = 64 << 10  # bytes of a node above which it is not read whole: it holds a constant


CUSTOM = ""
"""The effect of an operation that TensorFlow does not have itself."""


class Operation(NamedTuple):
    """An operation that acts outside its graph, or that is not TensorFlow's own: its kind, its name, the function that
    it is in, empty for the graph itself, and its effect, which of one that is not TensorFlow's own is not known."""

    kind: str
    name: str
    function: str
    effect: str


def operations_in(directory: Path) -> Iterator[Operation]:
    """The operations of a SavedModel that act outside its graphs or are not TensorFlow's own. Raises CheckpointError
    where it cannot be read."""
    with FileSource(directory / GRAPH) as source:
        for _, start, end in outline(source, 0, source.size, {_META_GRAPH: LEN}):
            parts = list(outline(source, start, end, _KNOWN))
            assets = {file.constant for part in parts for file in _assets(source, *part)}
            graphs = [(begin, stop) for number, begin, stop in parts if number == _GRAPH]
            functions = {name: len(arguments) for graph in graphs for name, arguments, _ in _functions(source, *graph)}
            operations = [operation for graph in graphs for operation in _in_graph(source, *graph, functions, assets)]
            objects = [(begin, stop) for number, begin, stop in parts if number == _OBJECTS]
            operations += _handed(source, graphs, functions, assets, objects)
            harmless = _adapt_steps(source, graphs, operations, objects)
            operations = [operation for operation in operations if operation.function not in harmless]
            yield from operations
            kinds = {operation.kind for operation in operations}
            listed = (_listed(source, begin, stop) for number, begin, stop in parts if number == _META_INFO)
            names = (name for names in listed for name in names if name not in functions)
            yield from (Operation(name, "", "", CUSTOM) for name in names if _is_custom(name) and name not in kinds)


def _assets(source: Source, number: int, start: int, end: int) -> Iterator[AssetFile]:
    """The assets in a part of a graph."""
    if number in (COLLECTION, ASSET):
        yield from asset_files(number, memoryview(source.read(start, end - start)), source.budget)


def _functions(source: Source, start: int, end: int) -> Iterator[tuple[str, list[str], list[Place]]]:
    """The functions of a graph's libraries: their names, those of their arguments, and the places of their nodes."""
    for _, begin, stop in outline(source, start, end, {2: LEN}):
        for _, first, last in outline(source, begin, stop, {1: LEN}):
            fields = list(outline(source, first, last, {1: LEN, 3: LEN}))
            heads = [(at, to) for number, at, to in fields if number == 1][:1]
            name = next((_first_texts(source, *head)[0] for head in heads), "")
            arguments = [_first_texts(source, *at)[0] for head in heads for at in _arguments(source, *head)]
            yield name, arguments, [(at, to) for number, at, to in fields if number == 3]


def _arguments(source: Source, start: int, end: int) -> Iterator[Place]:
    """The arguments in the signature of a function (OpDef: input_arg 2; ArgDef: name 1)."""
    return ((begin, stop) for _, begin, stop in outline(source, start, end, {2: LEN}))


def _scopes(source: Source, graph: Place, assets: Set[str]) -> Iterator[Function]:
    """A graph and its functions."""
    nodes = ((begin, stop) for _, begin, stop in outline(source, *graph, {1: LEN}))
    yield Function("", (), _scope(source, nodes, assets))
    for name, arguments, places in _functions(source, *graph):
        yield Function(name, arguments, _scope(source, places, frozenset()))


def _scope(source: Source, places: Iterable[Place], assets: Set[str]) -> Scope:
    return Scope(source, {name: (kind, place) for name, kind, place in _named(source, places)}, assets)


def _handed(
    source: Source, graphs: Sequence[Place], counts: Mapping[str, int], assets: Set[str], objects: Sequence[Place]
) -> Iterator[Operation]:
    """The operations that fill tables from files which are handed to their functions, and are named where that is."""
    scopes = (scope for graph in graphs for scope in _scopes(source, graph, assets))
    tables = {argument: kind for scope in scopes for argument, kind in tables_of_arguments(scope)}
    if tables:
        scopes = (scope for graph in graphs for scope in _scopes(source, graph, assets))
        files = files_named(tables, scopes, counts, _objects(source, objects))
        yield from (Operation(*file, "reads files") for file in files)


def _objects(source: Source, places: Sequence[Place]) -> Objects:
    """The objects of a graph, of which protobuf reads the last."""
    raw = [memoryview(source.read(start, stop - start)) for start, stop in places[-1:]]
    return read_objects(raw[0], source.budget) if raw else Objects()


def _adapt_steps(
    source: Source, graphs: Sequence[Place], operations: Iterable[Operation], objects: Sequence[Place]
) -> Set[str]:
    """The functions that call Python's where Keras adapts a layer, and nowhere else; nothing else acts in them."""
    kinds: dict[str, set[str]] = {}
    for operation in operations:
        kinds.setdefault(operation.function, set()).add(operation.kind)
    steps = {
        function for function, acts in kinds.items() if acts == {adapt_steps.CALLS} and adapt_steps.is_one(function)
    }
    if not steps or len(objects) != 1:
        return frozenset()
    nodes = (place for graph in graphs for _, *place in outline(source, *graph, {1: LEN}))
    of_functions = (place for graph in graphs for _, _, places in _functions(source, *graph) for place in places)
    named = {name for begin, stop in chain(nodes, of_functions) for name in _named_in(source, begin, stop)}
    named |= {name for graph in graphs for name in _gradients(source, *graph)}
    return adapt_steps.steps_of_layers(steps - named, _objects(source, objects))


def _named_in(source: Source, start: int, end: int) -> Iterator[str]:
    """The names of what may be functions that a node calls."""
    kind = _first_texts(source, start, end)[1]
    yield kind
    if kind != "Const":  # whose values may be large
        yield from functions_named(source, (start, end))


def _gradients(source: Source, start: int, end: int) -> Iterator[str]:
    """The functions that are gradients of others in a graph's libraries (GradientDef: function_name 1, gradient_func
    2)."""
    for _, begin, stop in outline(source, start, end, {2: LEN}):
        for _, first, last in outline(source, begin, stop, {2: LEN}):
            yield from _first_texts(source, first, last)


def _in_graph(source: Source, start: int, end: int, functions: Container[str], assets: Set[str]) -> Iterator[Operation]:
    """The operations of a graph and of its functions. A node may have the name of a function as its kind."""
    savers = _Savers(source, (start, end))
    nodes = list(_named(source, ((begin, stop) for _, begin, stop in outline(source, start, end, {1: LEN}))))
    for name, kind, place in nodes:
        savers.add(name, kind, place)
        yield from _reported(name, kind, "", functions)
    yield from savers.reported()
    yield from _conditional(source, "", nodes, assets)
    for function, _, places in _functions(source, start, end):
        nodes = list(_named(source, places))
        for name, kind, _ in nodes:
            yield from _reported(name, kind, function, functions)
        yield from _conditional(source, function, nodes, frozenset())


def _named(source: Source, places: Iterable[Place]) -> Iterator[tuple[str, str, Place]]:
    """The nodes at these places: their names, kinds and places."""
    for place in places:
        yield *_first_texts(source, *place), place


def _conditional(
    source: Source, function: str, nodes: Sequence[tuple[str, str, Place]], assets: Set[str]
) -> Iterator[Operation]:
    """The operations of a graph or function that touch files as they are used there."""
    scope = Scope(source, {name: (kind, place) for name, kind, place in nodes}, assets)
    for name, kind, place in nodes:
        effect = effect_of(kind, place, scope) if kind in CONDITIONAL else None
        if effect is not None:
            yield Operation(kind, name, function, effect)


def _reported(name: str, kind: str, function: str, functions: Container[str]) -> Iterator[Operation]:
    """The operation of a node, where it acts outside and is not the saver's, or is not TensorFlow's own."""
    if kind in _SAVERS and (not function or _SAVER_FUNCTION.fullmatch(function)):
        return  # those of a graph are asked for their files
    if kind in EFFECTS:
        yield Operation(kind, name, function, EFFECTS[kind])
    elif _is_custom(kind) and kind not in functions:
        yield Operation(kind, name, function, CUSTOM)


class _Savers:
    """The operations of a graph that save and restore, and what leads to the names of their files."""

    def __init__(self, source: Source, graph: Place) -> None:
        self._source = source
        self._graph = graph
        self._kinds: dict[str, str] = {}
        self._inputs: dict[str, list[str]] = {}
        self._savers: list[str] = []

    def add(self, name: str, kind: str, place: Place) -> None:
        """Add a node of the graph, if it may be one of these."""
        if kind in _SAVERS or kind in _HANDS_ON or kind.startswith("Placeholder"):
            self._kinds[name] = kind
            self._inputs[name] = list(inputs_of(self._source, *place))
        if kind in _SAVERS:
            self._savers.append(name)

    def reported(self) -> Iterator[Operation]:
        """The operations whose file is not what is fed."""
        ends = {name: self._file(name) for name in self._savers}
        constants = {end for end in ends.values() if end not in self._kinds}
        values = dict(lookup_tables.constants(self._source, *self._graph, constants)) if constants else {}
        for name, end in ends.items():
            is_fed = self._kinds.get(end, "").startswith("Placeholder") or values.get(end) == _DEFAULT_FILE
            if not is_fed:
                yield Operation(self._kinds[name], name, "", EFFECTS[self._kinds[name]])

    def _file(self, name: str) -> str:
        """The node that the file of an operation comes from."""
        at = _FILE_INPUT.get(self._kinds[name], 0)
        for _ in range(_MAX_STEPS):
            inputs = self._inputs[name]
            if at >= len(inputs):
                return name
            name, at = inputs[at], 0
            if self._kinds.get(name) not in _HANDS_ON:
                return name
        return ""


def _is_custom(kind: str) -> bool:
    return kind not in registered_operations()


def _listed(source: Source, start: int, end: int) -> Iterator[str]:
    """The operations that a graph says it uses (MetaInfoDef: stripped_op_list 2; OpList: op 1; OpDef: name 1)."""
    for _, begin, stop in outline(source, start, end, {2: LEN}):
        for _, first, last in outline(source, begin, stop, {1: LEN}):
            yield _first_texts(source, first, last)[0]


def _first_texts(source: Source, start: int, end: int) -> tuple[str, str]:
    """The fields 1 and 2 of a message as texts: those of a node are its name and its kind."""
    known = {1: LEN, 2: LEN}
    if end - start > _LARGE:
        places = outline(source, start, end, known)
        texts = {number: text(memoryview(source.read(at, min(stop - at, _LARGE)))) for number, at, stop in places}
        return texts.get(1, ""), texts.get(2, "")
    message = Message(memoryview(source.read(start, end - start)), known, source.budget)
    return message.text(1), message.text(2)
