"""The graphs of two models as one, in which layers and connections say what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ckpttool.comparison.change import ADDED, REMOVED, ConfigChange
from ckpttool.comparison.result import Diff
from ckpttool.inspection.graph import Connection, GraphLayer, ModelGraph

CONFIG, WEIGHTS = "config", "weights"

_Ends = tuple[int | None, ...]


def compared_graph(a: ModelGraph, b: ModelGraph, pairs: Mapping[str, str], diff: Diff) -> ModelGraph:
    """The graph of `b` with the layers and connections that only `a` has, and changes as `diff` has them.

    `pairs` are paths of layers in `a` to those of the same layers in `b`; the others are paired where their paths are
    equal. A model says so when a layer inside it changed.
    """
    union = _Union.of(a, b, pairs)
    changes = _changes(union, diff)
    layers = [*b.layers, *union.removed_layers()]
    shown = tuple(replace(layer, change=changes.get(number, "")) for number, layer in enumerate(layers))
    connections = (*_with_added(union), *_removed(union))
    return replace(b, layers=shown, connections=connections, other=a.path, notes=(*b.notes, *diff.notes))


@dataclass(frozen=True, slots=True)
class _Union:
    """The layers of two graphs: `new` has the number in the common graph of each layer of `a`, `removed` those layers
    of `a` that `b` does not have, `added` the numbers of the layers that only `b` has."""

    a: ModelGraph
    b: ModelGraph
    new: Mapping[int, int]
    removed: Sequence[int]
    added: frozenset[int]

    @classmethod
    def of(cls, a: ModelGraph, b: ModelGraph, pairs: Mapping[str, str]) -> _Union:
        """The union, with the layers that only `a` has behind those of `b`."""
        places = {layer.path: number for number, layer in reversed(list(enumerate(b.layers)))}
        new, taken = dict[int, int](), set[int]()
        for number, layer in enumerate(a.layers):
            place = places.get(pairs.get(layer.path, ""))
            if place is not None and place not in taken:
                new[number] = place
                taken.add(place)
        for number, layer in enumerate(a.layers):
            place = places.get(layer.path)
            if number not in new and layer.path not in pairs and place is not None and place not in taken:
                new[number] = place
                taken.add(place)
        removed = [number for number in range(len(a.layers)) if number not in new]
        new |= {number: len(b.layers) + at for at, number in enumerate(removed)}
        return cls(a, b, new, removed, frozenset(range(len(b.layers))) - taken)

    def removed_layers(self) -> Iterator[GraphLayer]:
        """The layers that only `a` has, with the numbers of the common graph."""
        for number in self.removed:
            layer = self.a.layers[number]
            model = None if layer.model is None else self.new[layer.model]
            inputs, outputs = (self._moved(ends) for ends in (layer.inputs, layer.outputs))
            yield replace(layer, model=model, inputs=inputs, outputs=outputs)

    def _moved(self, ends: _Ends) -> _Ends:
        return tuple(None if end is None else self.new[end] for end in ends)

    def from_a(self) -> Iterator[Connection]:
        """The connections of `a`, with the numbers of the common graph."""
        for connection in self.a.connections:
            yield replace(connection, source=self.new[connection.source], target=self.new[connection.target])


def _changes(union: _Union, diff: Diff) -> dict[int, str]:
    """The change of each layer by its number in the common graph."""
    kinds: dict[int, set[str]] = {}
    old = {layer.path: union.new[number] for number, layer in reversed(list(enumerate(union.a.layers)))}
    new = {layer.path: number for number, layer in reversed(list(enumerate(union.b.layers)))}
    for change in filter(_is_of_layer, diff.config):
        _note(kinds, _nearest(new, change.new_layer), CONFIG)
    for move in diff.moves:
        _note(kinds, _nearest(new, move.new_layer), CONFIG)
    for pair in (*diff.changed, *diff.reshaped, *diff.retyped):
        _note(kinds, _nearest(new, pair.b.layer), WEIGHTS)
    for units, places in ((diff.removed, old), (diff.added, new)):
        for unit in units:
            _note(kinds, _nearest(places, unit.layer), WEIGHTS)
    alone = dict.fromkeys(union.added, "added")
    alone |= {union.new[number]: "removed" for number in union.removed}
    _note_models(union, kinds, alone)
    return {number: ", ".join(sorted(noted)) for number, noted in kinds.items()} | alone


def _is_of_layer(change: ConfigChange) -> bool:
    return bool(change.new_layer) and change.kind not in (ADDED, REMOVED)


def _note(kinds: dict[int, set[str]], number: int | None, kind: str) -> None:
    if number is not None:
        kinds.setdefault(number, set()).add(kind)


def _nearest(places: Mapping[str, int], path: str) -> int | None:
    """The number of the layer at a path, or of the innermost layer around it."""
    for _ in range(64):
        if path in places or not path:
            return places.get(path)
        path = path.rpartition("/")[0]
    return None


def _note_models(union: _Union, kinds: dict[int, set[str]], alone: Mapping[int, str]) -> None:
    """Note the changes of layers at the models around them, the innermost models first."""
    layers = [*union.b.layers, *union.removed_layers()]
    models = {number: layer.model for number, layer in enumerate(layers)}
    for number in sorted(models, key=lambda number: -_depth(models, number)):
        model = models[number]
        if model is not None:
            inside = {CONFIG} if number in alone else kinds.get(number, set())
            kinds.setdefault(model, set()).update(inside)


def _depth(models: Mapping[int, int | None], number: int) -> int:
    depth, model = 0, models[number]
    while model is not None:
        depth, model = depth + 1, models[model]
    return depth


def _key(connection: Connection) -> tuple[int, ...]:
    return connection.source, connection.target, connection.source_call, connection.output, connection.call


def _with_added(union: _Union) -> Iterator[Connection]:
    """The connections of `b`; those that `a` does not have are marked."""
    before = Counter(map(_key, union.from_a()))
    for connection in union.b.connections:
        is_old = before[_key(connection)] > 0
        before[_key(connection)] -= 1
        yield connection if is_old else replace(connection, change="added")


def _removed(union: _Union) -> Iterator[Connection]:
    """The connections that only `a` has."""
    after = Counter(map(_key, union.b.connections))
    for connection in union.from_a():
        if after[_key(connection)] > 0:
            after[_key(connection)] -= 1
        else:
            yield replace(connection, change="removed")
