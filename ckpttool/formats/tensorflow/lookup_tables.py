"""The lookup tables of a SavedModel: the keys and values with which each table is filled when the model is loaded.

A layer that looks values up has its table as a resource. The function `_initialize` of that resource captures the keys
and the values as constants, or the asset file that has them, one a line. Captures are children of the traced function,
and before TensorFlow 2.8 a list beside it. Nothing is run.
(`CapturableResource`, tensorflow/python/trackable/resource.py;
tensorflow/core/protobuf/saved_object_graph.proto, 2.15.)
"""

from collections.abc import Iterator, Mapping

from ckpttool.errors import CorruptFileError
from ckpttool.formats.tensorflow import messages
from ckpttool.formats.tensorflow.messages import STRING
from ckpttool.formats.tensorflow.saved_objects import Objects
from ckpttool.formats.tensorflow.wire import (
    LEN,
    VARINT,
    Message,
    fields,
    map_entry,
    outline,
    packed_numbers,
    payloads,
    text,
)
from ckpttool.io.budget import Budget, steps_of_text
from ckpttool.io.sources import Source
from ckpttool.saved_model import LookupTable

TABLES = ("lookup_table", "_table")
"""The names under which layers hold their tables."""

_INITIALIZE = "_initialize"
_INT32, _INT64 = 3, 9
_WIDTHS = {_INT32: 4, _INT64: 8}
_MAX_ENTRIES = 10_000_000

Elements = tuple[bytes, ...] | tuple[int, ...]


def tables_in(
    source: Source, graph: tuple[int, int] | None, objects: Objects, files: list[str]
) -> dict[int, LookupTable]:
    """The tables by the numbers of their objects; `graph` is the place of the graph with the constants, `files` are the
    assets by number."""
    captures = {table: _captures(objects, table) for table in _tables(objects)}
    wanted = {objects.constants[node] for nodes in captures.values() for node in nodes if node in objects.constants}
    values = dict(constants(source, *graph, wanted)) if wanted and graph is not None else {}
    tables = {number: _table(objects, nodes, values, files) for number, nodes in captures.items()}
    return {number: table for number, table in tables.items() if table is not None}


def _tables(objects: Objects) -> list[int]:
    """The numbers of the objects that are tables of layers."""
    numbers = {number for node in objects.nodes for name, number in node.children if name in TABLES}
    return sorted(number for number in numbers if 0 <= number < len(objects.nodes))


def _captures(objects: Objects, table: int) -> list[int]:
    """The objects that the function captures which fills a table, in order."""
    nodes = objects.nodes
    function = nodes[table].child(_INITIALIZE)
    if function is None or not 0 <= function < len(nodes):
        return []
    traces = [nodes[number] for _, number in nodes[function].children if 0 <= number < len(nodes)]
    children = [number for trace in traces for name, number in sorted(trace.children) if name.startswith("capture_")]
    names = objects.functions.get(function, ())
    return children or [number for name in names for number in objects.captured.get(name, ())]


def _table(
    objects: Objects, captures: list[int], constants: Mapping[str, Elements], files: list[str]
) -> LookupTable | None:
    """The table that is filled from the captured objects: one file, or keys and values. None where they are others."""
    captured_files = [files[objects.files[node]] for node in captures if 0 <= objects.files.get(node, -1) < len(files)]
    if len(captured_files) == 1:
        return LookupTable(asset=captured_files[0])
    captured = [constants[objects.constants[node]] for node in captures if objects.constants.get(node) in constants]
    if len(captured) == 2 and len(captured[0]) == len(captured[1]):
        return LookupTable(keys=captured[0], values=captured[1])
    return None


def constants(source: Source, start: int, end: int, wanted: set[str]) -> Iterator[tuple[str, Elements]]:
    """The wanted constants of a graph, by name (NodeDef: name 1, op 2, attr 5)."""
    for _, begin, stop in outline(source, start, end, {1: LEN}):
        raw = memoryview(source.read(begin, stop - begin))
        name = Message(raw, {1: LEN}, source.budget).text(1)
        elements = constant(raw, source.budget) if name in wanted else None
        if elements is not None:
            yield name, elements


def constant(node: memoryview, budget: Budget) -> Elements | None:
    """The elements of a constant, None where they are neither texts nor whole numbers."""
    for entry in payloads(node, 5, budget):
        key, value = map_entry(entry, budget)
        if key == "value":
            return next((_elements(tensor, budget) for tensor in payloads(value, 8, budget)), None)
    return None


def _elements(tensor: memoryview, budget: Budget) -> Elements | None:
    """The elements of a tensor (TensorProto: dtype 1, shape 2, content 4, int 7, string 8, int64 10)."""
    dtype, count, content, listed = 0, 1, memoryview(b""), list[int | bytes]()
    for number, value in fields(tensor, {1: VARINT, 2: LEN, 4: LEN, 7: LEN, 8: LEN, 10: LEN}, budget):
        if not isinstance(value, memoryview):
            dtype = value
        elif number == 2:
            count = _element_count(messages.sizes(value, budget))
        elif number == 4:
            content = value
        elif number == 8:
            budget.spend(steps_of_text(text(value)))
            listed.append(bytes(value))
        else:
            listed.extend(packed_numbers(value, budget))
    if dtype != STRING and dtype not in _WIDTHS:
        return None
    elements = listed if not content else _unpacked(content, dtype, count)
    if len(elements) == 1 and count > 1:  # TensorFlow writes equal elements once
        budget.spend(count)
        elements = elements * count
    if len(elements) != count:
        raise CorruptFileError("a constant of another size", expected=f"{count:,} elements", found=f"{len(elements):,}")
    kind = bytes if dtype == STRING else int
    return tuple(elements) if all(isinstance(element, kind) for element in elements) else None  # type: ignore[return-value]


def _unpacked(content: memoryview, dtype: int, count: int) -> list[int | bytes]:
    """The whole numbers whose bytes are the content of a tensor."""
    width = _WIDTHS.get(dtype, 0)
    if not width or len(content) != width * count:
        raise CorruptFileError(
            "a constant of another size", expected=f"{width * count:,} bytes", found=f"{len(content):,}"
        )
    return [int.from_bytes(content[at : at + width], "little", signed=True) for at in range(0, len(content), width)]


def _element_count(sizes: tuple[int, ...] | None) -> int:
    """The number of elements of a shape. Raises CorruptFileError for a shape that is open or too large."""
    count = 1
    for size in sizes or ():
        count *= size
        if not 0 <= count <= _MAX_ENTRIES:
            raise CorruptFileError("a constant of an impossible size", found=f"{count:,} elements")
    if sizes is None:
        raise CorruptFileError("a constant of unknown shape")
    return count
