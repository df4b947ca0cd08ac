"""The message of a SavedModel, `saved_model.pb`: what it says of its graphs, without the graphs, which may be large.

(tensorflow/core/protobuf/saved_model.proto, meta_graph.proto, saved_object_graph.proto, 2.21.) The nodes of a graph are
passed over where they stand; nothing of them is kept or run.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from ckpttool.errors import CorruptFileError, UnsafeFileError
from ckpttool.formats.tensorflow import lookup_tables, messages
from ckpttool.formats.tensorflow.messages import DTYPES
from ckpttool.formats.tensorflow.wire import SPAN, VARINT, fields, outline, text
from ckpttool.io.budget import Budget, steps_of_text
from ckpttool.io.sources import Source
from ckpttool.object_graph import ObjectGraph
from ckpttool.saved_model import LookupTable, Signature, Tensor

MAX_MESSAGE = 256 << 20  # bytes of what is read at once: the objects, or the signatures
MAX_GRAPHS = 100  # one for each use: serving, training
_META_GRAPH = 2
_INFO, _GRAPH, _COLLECTION, _SIGNATURE, _ASSET, _OBJECTS = 1, 2, 4, 5, 6, 7
_SIGNATURE_STEPS = 20
_INIT_OP = "__saved_model_init_op"  # which is no signature that anyone asks
_STRING_KEYS = {1: SPAN, 2: SPAN}


@dataclass(frozen=True, slots=True)
class KerasObject:
    """An object of Keras in a SavedModel: its number, what kind of object it is, and its metadata in JSON."""

    number: int
    identifier: str
    metadata: str = ""


@dataclass(slots=True)
class Graphs:
    """What the message says, of all its graphs together."""

    tensorflow_version: str | None = None
    tags: list[tuple[str, ...]] = field(default_factory=list)
    signatures: dict[str, Signature] = field(default_factory=dict)
    variables: int = 0
    functions: int = 0
    assets: list[str] = field(default_factory=list)
    keras_objects: list[KerasObject] = field(default_factory=list)
    objects: ObjectGraph = field(default_factory=lambda: ObjectGraph(()))
    tables: dict[int, LookupTable] = field(default_factory=dict)


def read_graphs(source: Source) -> Graphs:
    """What a `saved_model.pb` says. Raises where it is none."""
    found = Graphs()
    graphs = list(outline(source, 0, source.size, {_META_GRAPH: SPAN}))
    if not graphs:
        raise CorruptFileError("is no graph of a SavedModel", expected="a message with at least one graph")
    if len(graphs) > MAX_GRAPHS:
        raise UnsafeFileError("holds too many graphs", expected=f"{MAX_GRAPHS:,} at most", found=f"{len(graphs):,}")
    for _, start, end in graphs:
        graph, before = None, len(found.assets)
        objects = memoryview(b"")
        known = dict.fromkeys((_INFO, _GRAPH, _COLLECTION, _SIGNATURE, _ASSET, _OBJECTS), SPAN)
        for number, begin, stop in outline(source, start, end, known):
            if number == _GRAPH:
                found.functions += _count_of_functions(source, begin, stop)
                graph = begin, stop
                continue
            raw = _message(source, begin, stop)
            _PARTS[number](found, raw, source.budget)
            objects = raw if number == _OBJECTS else objects
        if objects and not found.objects.nodes:
            _add_tables(found, source, graph, objects, found.assets[before:])
    return found


def _add_tables(
    found: Graphs, source: Source, graph: tuple[int, int] | None, objects: memoryview, assets: list[str]
) -> None:
    """The objects of a graph, and what its lookup tables are filled with."""
    read = lookup_tables.read_objects(objects, source.budget)
    found.objects = lookup_tables.graph_of(read)
    found.tables = lookup_tables.tables_in(source, graph, read, assets)


def _message(source: Source, start: int, end: int) -> memoryview:
    if end - start > MAX_MESSAGE:
        raise UnsafeFileError(
            "a part of the graph is too large", expected=f"{MAX_MESSAGE:,} bytes at most", found=f"{end - start:,}"
        )
    source.budget.spend(end - start >> 10)
    return memoryview(source.read(start, end - start))


def _count_of_functions(source: Source, start: int, end: int) -> int:
    libraries = outline(source, start, end, {2: SPAN})
    return sum(1 for _, begin, stop in libraries for _ in outline(source, begin, stop, {1: SPAN}))


def _add_info(found: Graphs, raw: memoryview, budget: Budget) -> None:
    """The tags of a graph, and the TensorFlow that wrote it."""
    tags = []
    for number, value in fields(raw, {4: SPAN, 5: SPAN}, budget):
        assert isinstance(value, memoryview)
        if number == 4:
            tags.append(_short(value, budget))
        else:
            found.tensorflow_version = found.tensorflow_version or _short(value, budget)
    found.tags.append(tuple(tags))


def _add_collection(found: Graphs, raw: memoryview, budget: Budget) -> None:
    """The variables of TensorFlow 1, which stand in a collection (tensorflow/core/framework/variable.proto)."""
    key, value = _entry(raw, budget)
    if key == "variables":
        lists = (bytes_list for _, bytes_list in spans(value, 2, budget))
        found.variables = max(found.variables, sum(1 for one in lists for _ in spans(one, 1, budget)))


def _add_signature(found: Graphs, raw: memoryview, budget: Budget) -> None:
    name, value = _entry(raw, budget)
    if name == _INIT_OP or name in found.signatures:
        return
    budget.spend(_SIGNATURE_STEPS)
    ends: dict[int, list[Tensor]] = {1: [], 2: []}
    for number, end in fields(value, _STRING_KEYS, budget):
        assert isinstance(end, memoryview)
        ends[number].append(_tensor(*_entry(end, budget), budget))
    inputs, outputs = (tuple(sorted(ends[number], key=lambda tensor: tensor.name)) for number in (1, 2))
    found.signatures[name] = Signature(name, inputs, outputs)


def _tensor(name: str, raw: memoryview, budget: Budget) -> Tensor:
    """An end of a signature (TensorInfo)."""
    budget.spend(_SIGNATURE_STEPS)
    dtype, sizes = 0, None
    for number, value in fields(raw, {2: VARINT, 3: SPAN}, budget):
        if isinstance(value, memoryview):
            sizes = messages.sizes(value, budget)
        elif number == 2:
            dtype = value
    shape = None if sizes is None else tuple(None if size < 0 else size for size in sizes)
    return Tensor(name, DTYPES[dtype][0] if dtype in DTYPES else f"number {dtype}", shape)


def _add_asset(found: Graphs, raw: memoryview, budget: Budget) -> None:
    """A file that the graph reads when it is loaded (AssetFileDef)."""
    found.assets.extend(_short(value, budget) for _, value in spans(raw, 2, budget))


def _add_objects(found: Graphs, raw: memoryview, budget: Budget) -> None:
    """The objects of the graph: how many variables there are, and those of Keras."""
    for number, (_, node) in enumerate(spans(raw, 1, budget)):
        for kind, value in fields(node, {4: SPAN, 7: SPAN}, budget):
            assert isinstance(value, memoryview)
            if kind == 7:
                found.variables += 1
                continue
            user = dict(fields(value, {1: SPAN, 3: SPAN}, budget))
            identifier = _text_in(user, 1, budget)
            if identifier.startswith("_tf_keras"):
                found.keras_objects.append(KerasObject(number, identifier, _text_in(user, 3, budget)))


_PARTS = {
    _INFO: _add_info,
    _COLLECTION: _add_collection,
    _SIGNATURE: _add_signature,
    _ASSET: _add_asset,
    _OBJECTS: _add_objects,
}


def read_metadata(source: Source) -> list[KerasObject]:
    """The objects that `keras_metadata.pb` lists (keras/protobuf/saved_metadata.proto, 2.15)."""
    found = []
    raw = _message(source, 0, source.size)
    for _, node in spans(raw, 1, source.budget):
        values = dict(fields(node, {2: VARINT, 4: SPAN, 5: SPAN}, source.budget))
        number = values.get(2, 0)
        assert not isinstance(number, memoryview)
        identifier, metadata = _text_in(values, 4, source.budget), _text_in(values, 5, source.budget)
        found.append(KerasObject(number, identifier, metadata))
    return found


def spans(raw: memoryview, number: int, budget: Budget) -> Iterator[tuple[int, memoryview]]:
    """The runs of bytes in the fields of one number."""
    for field_number, value in fields(raw, {number: SPAN}, budget):
        assert isinstance(value, memoryview)
        yield field_number, value


def _entry(raw: memoryview, budget: Budget) -> tuple[str, memoryview]:
    """The key and the value of an entry of a map."""
    found = dict(fields(raw, _STRING_KEYS, budget))
    value = found.get(2, memoryview(b""))
    assert isinstance(value, memoryview)
    return _text_in(found, 1, budget), value


def _text_in(found: dict[int, int | memoryview], number: int, budget: Budget) -> str:
    value = found.get(number, memoryview(b""))
    assert isinstance(value, memoryview)
    return _short(value, budget)


def _short(raw: memoryview, budget: Budget) -> str:
    found = text(raw)
    budget.spend(steps_of_text(found))
    return found
