"""The graph of a model, or of two models with what changed from one to the other."""

from __future__ import annotations

import os

from ckpttool.alignment.architectures import load_architecture, open_model
from ckpttool.comparison.checkpoints import Progress, ignored
from ckpttool.comparison.configs import layer_pairs
from ckpttool.comparison.graph_changes import compared_graph
from ckpttool.equivalence.checkpoints import diff
from ckpttool.inspection.graph import ModelGraph, graph_of

_Path = str | os.PathLike[str]


def graph(a: _Path, b: _Path | None = None, progress: Progress = ignored) -> ModelGraph:
    """The graph of the model at a path: a whole model of any Keras, or an architecture in JSON or YAML.

    With a second path it is the graph of the model there, with what changed from the first: layers and connections that
    were added or removed, layers whose config or weights are others. `progress` is then called with the number of bytes
    that were compared. Raises CheckpointError.
    """
    if b is None:
        return graph_of(load_architecture(a), os.fspath(a))
    before, after = (graph_of(load_architecture(path), os.fspath(path)) for path in (a, b))
    with open_model(a) as first, open_model(b) as second:
        result = diff(first, second, progress=progress)
        pairs = layer_pairs(first, second, {move.layer: move.new_layer for move in result.moves})
    return compared_graph(before, after, pairs, result)
