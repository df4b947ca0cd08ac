"""The lookup tables of a SavedModel: what the constants and assets say that a table is filled with when it is loaded.

A layer that looks values up holds its table as a resource, whose `_initialize` is a function that captures the keys and
the values, or the file that has them, one a line. Captures are children of the traced function, and before TensorFlow
2.8 a list beside it. Nothing is run. (`CapturableResource`, tensorflow/python/trackable/resource.py;
tensorflow/core/protobuf/saved_object_graph.proto, 2.15.)
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ckpttool.errors import CorruptFileError
from ckpttool.formats.tensorflow import messages, trackables
from ckpttool.formats.tensorflow.messages import STRING
from ckpttool.formats.tensorflow.wire import SPAN, VARINT, fields, numbers, outline, signed, text
from ckpttool.io.budget import Budget, steps_of_text
from ckpttool.io.sources import Source
from ckpttool.object_graph import Node, ObjectGraph
from ckpttool.saved_model import LookupTable

TABLES = ("lookup_table", "_table")
"""The names under which layers hold their tables."""

_INITIALIZE = "_initialize"
_INT32, _INT64 = 3, 9
_WIDTHS = {_INT32: 4, _INT64: 8}
_MAX_CAPTURES = 100
_MAX_ENTRIES = 10_000_000

Elements = tuple[bytes, ...] | tuple[int, ...]


@dataclass(slots=True)
class _Objects:
    """The objects of a SavedModel, and of some what they are: constants by the names of their operations, files by
    their numbers, the functions that are called, and what functions capture."""

    nodes: list[Node] = field(default_factory=list)
    constants: dict[int, str] = field(default_factory=dict)
    files: dict[int, int] = field(default_factory=dict)
    functions: dict[int, list[str]] = field(default_factory=dict)
    captured: dict[str, list[int]] = field(default_factory=dict)


def read_objects(raw: memoryview, budget: Budget) -> _Objects:
    """The objects in a message."""
    found = _Objects()
    for number, value in fields(raw, {1: SPAN, 2: SPAN}, budget):
        assert isinstance(value, memoryview)
        if number == 1:
            _add_node(found, value, budget)
        else:
            _add_function(found, value, budget)
    return found


def _add_node(found: _Objects, raw: memoryview, budget: Budget) -> None:
    at, children = len(found.nodes), []
    for number, value in fields(raw, {1: SPAN, 5: SPAN, 6: SPAN, 9: SPAN}, budget):
        assert isinstance(value, memoryview)
        if number == 1:
            children.append(trackables.child(value, budget))
        elif number == 5:
            found.files[at] = _number_in(value, 1, budget)
        elif number == 6:
            found.functions[at] = [_name(one, budget) for one in _runs(value, 1, budget)]
        else:
            found.constants[at] = next((_name(one, budget) for one in _runs(value, 1, budget)), "")
    found.nodes.append(Node(tuple(children)))


def _add_function(found: _Objects, raw: memoryview, budget: Budget) -> None:
    """What a function captures, by its name (an entry of a map)."""
    names = [_name(one, budget) for one in _runs(raw, 1, budget)]
    for value in _runs(raw, 2, budget):
        packed = [signed(one) for run in _runs(value, 2, budget) for one in numbers(run, budget)]
        if names and packed:
            found.captured[names[-1]] = packed[:_MAX_CAPTURES]


def graph_of(found: _Objects) -> ObjectGraph:
    """The objects as a graph. Raises where it leads out of itself."""
    graph = ObjectGraph(tuple(found.nodes))
    trackables.check(graph)
    return graph


def tables_in(
    source: Source, graph: tuple[int, int] | None, found: _Objects, files: list[str]
) -> dict[int, LookupTable]:
    """The tables by the numbers of their objects; `graph` is the place of the graph with the constants, `files` are the
    assets by number."""
    captures = {node: _captures(found, node) for node in _tables(found)}
    wanted = {found.constants[one] for nodes in captures.values() for one in nodes if one in found.constants}
    constants = dict(_constants(source, *graph, wanted)) if wanted and graph is not None else {}
    tables = {}
    for node, nodes in captures.items():
        table = _table(found, nodes, constants, files)
        if table is not None:
            tables[node] = table
    return tables


def _tables(found: _Objects) -> list[int]:
    """The numbers of the objects that layers hold as tables."""
    held = (number for node in found.nodes for name, number in node.children if name in TABLES)
    return sorted({number for number in held if 0 <= number < len(found.nodes)})


def _captures(found: _Objects, table: int) -> list[int]:
    """What the function captures that fills a table, in order."""
    function = found.nodes[table].child(_INITIALIZE)
    if function is None or not 0 <= function < len(found.nodes):
        return []
    traces = [found.nodes[one] for _, one in found.nodes[function].children if 0 <= one < len(found.nodes)]
    children = [one for trace in traces for name, one in sorted(trace.children) if name.startswith("capture_")]
    return children or [one for name in found.functions.get(function, ()) for one in found.captured.get(name, ())]


def _table(
    found: _Objects, captures: list[int], constants: Mapping[str, Elements], files: list[str]
) -> LookupTable | None:
    """The table that is filled with what was captured: a file, or keys and values."""
    named = [files[found.files[one]] for one in captures if 0 <= found.files.get(one, -1) < len(files)]
    if len(named) == 1:
        return LookupTable(asset=named[0])
    held = [constants[found.constants[one]] for one in captures if found.constants.get(one) in constants]
    if len(held) == 2 and len(held[0]) == len(held[1]):
        return LookupTable(keys=held[0], values=held[1])
    return None


def _constants(source: Source, start: int, end: int, wanted: set[str]) -> Iterator[tuple[str, Elements]]:
    """The wanted constants of a graph, by name (NodeDef: name 1, op 2, attr 5)."""
    for _, begin, stop in outline(source, start, end, {1: SPAN}):
        raw = memoryview(source.read(begin, stop - begin))
        names = [text(one) for one in _runs(raw, 1, source.budget)]
        if names and names[-1] in wanted:
            elements = _value(raw, source.budget)
            if elements is not None:
                yield names[-1], elements


def _value(node: memoryview, budget: Budget) -> Elements | None:
    """The elements of a constant, None where they are neither texts nor whole numbers."""
    for entry in _runs(node, 5, budget):
        if [text(one) for one in _runs(entry, 1, budget)] == ["value"]:
            tensors = (tensor for value in _runs(entry, 2, budget) for tensor in _runs(value, 8, budget))
            return next((_elements(tensor, budget) for tensor in tensors), None)
    return None


def _elements(tensor: memoryview, budget: Budget) -> Elements | None:
    """The elements of a tensor (TensorProto: dtype 1, shape 2, content 4, int 7, string 8, int64 10)."""
    dtype, count, content, listed = 0, 1, memoryview(b""), list[int | bytes]()
    for number, value in fields(tensor, {1: VARINT, 2: SPAN, 4: SPAN, 7: SPAN, 8: SPAN, 10: SPAN}, budget):
        if not isinstance(value, memoryview):
            dtype = value
        elif number == 2:
            count = _count(messages.sizes(value, budget))
        elif number == 4:
            content = value
        elif number == 8:
            budget.spend(steps_of_text(text(value)))
            listed.append(bytes(value))
        else:
            listed.extend(signed(one) for one in numbers(value, budget))
    if dtype != STRING and dtype not in _WIDTHS:
        return None
    found = listed if not content else _unpacked(content, dtype, count)
    if len(found) == 1 and count > 1:
        budget.spend(count)
        found = found * count  # as TensorFlow writes equal elements
    if len(found) != count:
        raise CorruptFileError("a constant of another size", expected=f"{count:,} elements", found=f"{len(found):,}")
    kind = bytes if dtype == STRING else int
    return tuple(found) if all(isinstance(one, kind) for one in found) else None  # type: ignore[return-value]


def _unpacked(content: memoryview, dtype: int, count: int) -> list[int | bytes]:
    width = _WIDTHS.get(dtype, 0)
    if not width or len(content) != width * count:
        raise CorruptFileError(
            "a constant of another size", expected=f"{width * count:,} bytes", found=f"{len(content):,}"
        )
    return [int.from_bytes(content[at : at + width], "little", signed=True) for at in range(0, len(content), width)]


def _count(sizes: tuple[int, ...] | None) -> int:
    """How many elements a shape has; raises for shapes that are open or too large."""
    count = 1
    for size in sizes or ():
        count *= size
        if not 0 <= count <= _MAX_ENTRIES:
            raise CorruptFileError("a constant of an impossible size", found=f"{count:,} elements")
    if sizes is None:
        raise CorruptFileError("a constant of unknown shape")
    return count


def _runs(raw: memoryview, number: int, budget: Budget) -> Iterator[memoryview]:
    for _, value in fields(raw, {number: SPAN}, budget):
        assert isinstance(value, memoryview)
        yield value


def _name(raw: memoryview, budget: Budget) -> str:
    found = text(raw)
    budget.spend(steps_of_text(found))
    return found


def _number_in(raw: memoryview, number: int, budget: Budget) -> int:
    found = 0
    for _, value in fields(raw, {number: VARINT}, budget):
        assert not isinstance(value, memoryview)
        found = signed(value)
    return found
