"""Operations that touch files only with some settings or inputs, in one graph or function of a SavedModel.

A table is filled from an asset, which TensorFlow looks up when it loads the model, or from a file that is named in the
graph; a data set is cached in memory or in a file; texts are printed to the screen or into a file.
(tensorflow/core/api_def/base_api, 2.15.) Nothing is run.
"""

import re
from collections.abc import Iterator, Set
from itertools import chain, islice
from typing import NamedTuple

from ckpttool.formats.tensorflow import lookup_tables
from ckpttool.formats.tensorflow.wire import LEN, Message, map_entry, outline, payloads, text
from ckpttool.io.sources import Source

Place = tuple[int, int]
"""The first byte of a message in its file, and the byte behind its last."""

_SETTINGS = {
    "DecodeProtoV2": ("descriptor_source", re.compile(rb"(local://|bytes://.*)?", re.DOTALL), "reads files"),
    "EncodeProto": ("descriptor_source", re.compile(rb"(local://|bytes://.*)?", re.DOTALL), "reads files"),
    "FixedUnigramCandidateSampler": ("vocab_file", re.compile(rb""), "reads files"),
    "PrintV2": ("output_stream", re.compile(rb"(stderr|stdout|log\((info|warning|error)\))?"), "writes files"),
}
"""The setting of an operation that may name a file, the values that name none, and the effect of the others."""

TABLES = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})
"""The operations that fill a table from a file."""

_CACHES = frozenset({"CacheDataset", "CacheDatasetV2"})
_FILE = 1  # the input of these that is the name of a file
_IN_MEMORY = (b"",)
_SAME = frozenset({"Identity", "PlaceholderWithDefault"})
_MOST_STEPS = 20  # from an operation to what its file is
_LARGE = 64 << 10  # bytes of a node above which it is not read whole: it holds a constant

CONDITIONAL = frozenset({*_SETTINGS, *TABLES, *_CACHES})
"""The operations whose effect depends on how they are used."""


class Scope(NamedTuple):
    """A graph or a function: its nodes by name, with their kinds and places, and those that are names of assets."""

    source: Source
    nodes: dict[str, tuple[str, Place]]
    assets: Set[str]


def effect_of(kind: str, place: Place, scope: Scope) -> str | None:
    """The effect of a conditional operation as it is used, None where it touches no file."""
    if kind in _SETTINGS:
        setting, harmless, effect = _SETTINGS[kind]
        return None if harmless.fullmatch(_setting(scope.source, place, setting)) else effect
    file = file_of(scope, place)
    if kind in _CACHES:
        return None if _constant(scope, file) == _IN_MEMORY else "writes files"
    return None if is_handed_in(scope, file) else "reads files"


def is_handed_in(scope: Scope, file: str | None) -> bool:
    """Whether a file is an asset, or what a function is called with, and so no name in the graph."""
    if file is None or file in scope.assets:
        return file is not None
    return file not in scope.nodes or scope.nodes[file][0].startswith("Placeholder")


def file_of(scope: Scope, place: Place) -> str | None:
    """The node, or the argument of the function, that the file of an operation comes from; None where it has none."""
    return origin(scope, next(islice(inputs_of(scope.source, *place), _FILE, None), None))


def origin(scope: Scope, name: str | None) -> str | None:
    """The node, or the argument of the function, that makes what a node hands on; None where it is not found."""
    for _ in range(_MOST_STEPS):
        kind, place = scope.nodes.get(name or "", ("", (0, 0)))
        if kind not in _SAME:
            return name
        name = next(inputs_of(scope.source, *place), None)
    return None


def _constant(scope: Scope, name: str | None) -> object:
    """The elements of a constant; None for any other node."""
    kind, place = scope.nodes.get(name or "", ("", (0, 0)))
    if kind != "Const" or place[1] - place[0] > _LARGE:
        return None
    return lookup_tables.constant(_whole(scope.source, place), scope.source.budget)


def _setting(source: Source, place: Place, key: str) -> bytes:
    """A text among the settings of a node, empty where it has none (NodeDef: attr 5; AttrValue: s 2)."""
    for entry in payloads(_whole(source, place), 5, source.budget):
        name, value = map_entry(entry, source.budget)
        if name == key:
            return bytes(Message(value, {2: LEN}, source.budget).payload(2))
    return b""


def functions_named(source: Source, place: Place) -> Iterator[str]:
    """The functions among the settings of a node (AttrValue: func 10, list 1; ListValue: func 9; NameAttrList: name
    1)."""
    for entry in payloads(_whole(source, place), 5, source.budget):
        _, value = map_entry(entry, source.budget)
        listed = (name for several in payloads(value, 1, source.budget) for name in payloads(several, 9, source.budget))
        for function in chain(payloads(value, 10, source.budget), listed):
            yield Message(function, {1: LEN}, source.budget).text(1)


def _whole(source: Source, place: Place) -> memoryview:
    return memoryview(source.read(place[0], place[1] - place[0]))


def inputs_of(source: Source, start: int, end: int) -> Iterator[str]:
    """The names of the nodes whose outputs go into a node (NodeDef: input 3)."""
    for _, begin, stop in outline(source, start, end, {3: LEN}):
        yield text(memoryview(source.read(begin, min(stop - begin, _LARGE)))).partition(":")[0]
