"""The message of a SavedModel, `saved_model.pb`: its graphs' tags, signatures, assets and objects, but not their nodes.

(tensorflow/core/protobuf/saved_model.proto, meta_graph.proto, saved_object_graph.proto, 2.21.) The nodes of a graph may
be large. They are passed over in the file: neither read nor run.
"""

from dataclasses import dataclass, field

from ckpttool.errors import CorruptFileError, UnsafeFileError
from ckpttool.formats.tensorflow import lookup_tables, messages, trackables
from ckpttool.formats.tensorflow.asset_files import ASSET, COLLECTION, asset_files
from ckpttool.formats.tensorflow.messages import DTYPES
from ckpttool.formats.tensorflow.saved_objects import read_objects
from ckpttool.formats.tensorflow.wire import (
    LEN,
    VARINT,
    Message,
    map_entry,
    numbered_payloads,
    outline,
    paid_text,
    payloads,
)
from ckpttool.io.budget import Budget
from ckpttool.io.sources import Source
from ckpttool.object_graph import ObjectGraph
from ckpttool.saved_model import KerasObject, LookupTable, Signature, Tensor, VariableType

MAX_MESSAGE = 256 << 20  # bytes of a part that is read at once: the objects, or a signature
MAX_GRAPHS = 100  # one for each use: serving, training
_META_GRAPH = 2
_INFO, _GRAPH, _SIGNATURE, _OBJECTS = 1, 2, 5, 7
_SIGNATURE_STEPS = 20
# Operations among the signatures that nobody calls (tensorflow/python/saved_model/constants.py, 2.15).
_NO_SIGNATURES = frozenset({"__saved_model_init_op", "__saved_model_train_op"})


@dataclass(slots=True)
class Graphs:
    """The contents of the message, of all its graphs together."""

    tensorflow_version: str | None = None
    tags: list[tuple[str, ...]] = field(default_factory=list)
    signatures: dict[str, Signature] = field(default_factory=dict)
    variables: int = 0
    functions: int = 0
    assets: list[str] = field(default_factory=list)
    keras_objects: list[KerasObject] = field(default_factory=list)
    objects: ObjectGraph = field(default_factory=lambda: ObjectGraph(()))
    tables: dict[int, LookupTable] = field(default_factory=dict)
    variable_types: dict[int, VariableType] = field(default_factory=dict)


def read_graphs(source: Source) -> Graphs:
    """The contents of a `saved_model.pb`. Raises CorruptFileError where it is none."""
    result = Graphs()
    graphs = list(outline(source, 0, source.size, {_META_GRAPH: LEN}))
    if not graphs:
        raise CorruptFileError("is no graph of a SavedModel", expected="a message with at least one graph")
    if len(graphs) > MAX_GRAPHS:
        raise UnsafeFileError("holds too many graphs", expected=f"{MAX_GRAPHS:,} at most", found=f"{len(graphs):,}")
    for _, start, end in graphs:
        _add_graph(result, source, start, end)
    return result


_KNOWN = dict.fromkeys((_INFO, _GRAPH, COLLECTION, _SIGNATURE, ASSET, _OBJECTS), LEN)


def _add_graph(result: Graphs, source: Source, start: int, end: int) -> None:
    """Add the contents of one graph; of several graphs, the first that has objects gives the objects and the tables."""
    nodes, objects = None, None
    files: dict[int, list[str]] = {COLLECTION: [], ASSET: []}
    for number, begin, stop in outline(source, start, end, _KNOWN):
        if number == _GRAPH:
            result.functions += _function_count(source, begin, stop)
            nodes = begin, stop
            continue
        raw = _part(source, begin, stop)
        if number == _OBJECTS:
            objects = read_objects(raw, source.budget)
            result.variables += objects.variables
            result.keras_objects.extend(objects.keras_objects)
        elif number in _ADD:
            _ADD[number](result, raw, source.budget)
        if number in (COLLECTION, ASSET):
            files[number] += [file.name for file in asset_files(number, raw, source.budget)]
    assets = files[ASSET] or files[COLLECTION]  # as TensorFlow reads them
    result.assets += assets
    if objects is not None and not result.objects.nodes:
        result.objects = trackables.checked_graph(objects.nodes)
        result.variable_types = objects.variable_types
        result.tables = lookup_tables.tables_in(source, nodes, objects, assets)


def _part(source: Source, start: int, end: int) -> memoryview:
    """A part of the message, read whole. Raises UnsafeFileError where it is too large for that."""
    if end - start > MAX_MESSAGE:
        raise UnsafeFileError(
            "a part of the graph is too large", expected=f"{MAX_MESSAGE:,} bytes at most", found=f"{end - start:,}"
        )
    source.budget.spend(end - start >> 10)
    return memoryview(source.read(start, end - start))


def _function_count(source: Source, start: int, end: int) -> int:
    """The number of functions in a graph's libraries."""
    libraries = outline(source, start, end, {2: LEN})
    return sum(1 for _, begin, stop in libraries for _ in outline(source, begin, stop, {1: LEN}))


def _add_info(result: Graphs, raw: memoryview, budget: Budget) -> None:
    """Add the tags of a graph, and the version of TensorFlow that wrote it."""
    tags = []
    for number, value in numbered_payloads(raw, {4: LEN, 5: LEN}, budget):
        if number == 4:
            tags.append(paid_text(value, budget))
        else:
            result.tensorflow_version = result.tensorflow_version or paid_text(value, budget)
    result.tags.append(tuple(tags))


def _add_variables(result: Graphs, raw: memoryview, budget: Budget) -> None:
    """Count the variables of TensorFlow 1, which are a collection (tensorflow/core/framework/variable.proto)."""
    key, value = map_entry(raw, budget)
    if key == "variables":
        count = sum(1 for variables in payloads(value, 2, budget) for _ in payloads(variables, 1, budget))
        result.variables = max(result.variables, count)


def _add_signature(result: Graphs, raw: memoryview, budget: Budget) -> None:
    """Add a signature; the first of a name counts."""
    name, value = map_entry(raw, budget)
    if name in _NO_SIGNATURES or name in result.signatures:
        return
    budget.spend(_SIGNATURE_STEPS)
    tensors: dict[int, list[Tensor]] = {1: [], 2: []}
    for number, entry in numbered_payloads(value, {1: LEN, 2: LEN}, budget):
        tensors[number].append(_tensor(*map_entry(entry, budget), budget))
    inputs, outputs = (tuple(sorted(tensors[number], key=lambda tensor: tensor.name)) for number in (1, 2))
    result.signatures[name] = Signature(name, inputs, outputs)


def _tensor(name: str, raw: memoryview, budget: Budget) -> Tensor:
    """An input or output of a signature (TensorInfo)."""
    budget.spend(_SIGNATURE_STEPS)
    message = Message(raw, {2: VARINT, 3: LEN}, budget)
    dtype, sizes = message.integer(2), messages.sizes(message.payload(3), budget) if 3 in message else None
    shape = None if sizes is None else tuple(None if size < 0 else size for size in sizes)
    return Tensor(name, DTYPES[dtype][0] if dtype in DTYPES else f"number {dtype}", shape)


_ADD = {
    _INFO: _add_info,
    COLLECTION: _add_variables,
    _SIGNATURE: _add_signature,
}


def read_metadata(source: Source) -> list[KerasObject]:
    """The objects that `keras_metadata.pb` lists (keras/protobuf/saved_metadata.proto, 2.15)."""
    nodes = payloads(_part(source, 0, source.size), 1, source.budget)
    objects = (Message(node, {2: VARINT, 4: LEN, 5: LEN}, source.budget) for node in nodes)
    return [KerasObject(node.integer(2), node.text(4), node.text(5)) for node in objects]
