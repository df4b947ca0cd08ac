"""The graph of a model, or of two models with what changed from one to the other."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from ckpttool.alignment.architectures import ARCHITECTURE, load_architecture, open_model
from ckpttool.checkpoint import Checkpoint
from ckpttool.comparison.checkpoints import Progress, Scope, no_progress
from ckpttool.comparison.configs import layer_pairs
from ckpttool.comparison.graph_changes import compared_graph
from ckpttool.equivalence.checkpoints import diff
from ckpttool.inspection.graph import ModelGraph, graph_of
from ckpttool.model import Architecture, architecture_of
from ckpttool.model.spec import spec_of

Side = str | os.PathLike[str] | Architecture
"""The path of a model, of its architecture or of its weights; or an architecture that is in no file."""


def graph(
    a: Side, b: Side | None = None, progress: Progress = no_progress, architecture: Architecture | None = None
) -> ModelGraph:
    """The graph of the model at a path: a whole model of any Keras, or an architecture in JSON or YAML.

    With a second path it is the graph of the model there, with what changed from the first: layers and connections that
    were added or removed, layers whose config or weights are others. `progress` is then called with the number of bytes
    that were compared. `architecture` is that of a file which stores weights alone. Raises CheckpointError.
    """
    if b is None:
        return _graph(a, architecture)
    before, after = (_graph(side, architecture) for side in (a, b))
    with _opened(a) as first, _opened(b) as second:
        result = diff(first, second, Scope(architecture=architecture), progress)
        one, other = (_with_config(side, architecture) for side in (first, second))
        pairs = layer_pairs(one, other, {move.layer: move.new_layer for move in result.moves})
    return compared_graph(before, after, pairs, result)


def _graph(side: Side, architecture: Architecture | None) -> ModelGraph:
    if isinstance(side, Architecture):
        return graph_of(side, side.name)
    path = os.fspath(side)
    if architecture is None:
        return graph_of(load_architecture(side), path)
    with _opened(side) as checkpoint:
        checkpoint.require_one_view()
        own = architecture_of(checkpoint)
        notes = () if own else _misfit(checkpoint, architecture)
    result = graph_of(own or architecture, path)
    return replace(result, notes=(*result.notes, *notes))


def _misfit(checkpoint: Checkpoint, architecture: Architecture) -> tuple[str, ...]:
    """A note where the weights do not fit the architecture that is said to be theirs."""
    from ckpttool.verification import verify  # few graphs are of weights alone

    verdict = verify(checkpoint, spec_of(architecture))
    if verdict.ok:
        return ()
    return (f"the weights do not fit this architecture ({len(verdict.failures):,} do not): see `ckpttool verify`",)


def _opened(side: Side) -> Checkpoint:
    if not isinstance(side, Architecture):
        return open_model(side)
    return Checkpoint(Path(side.name), ARCHITECTURE, 0, {}, config=side.config)


def _with_config(checkpoint: Checkpoint, architecture: Architecture | None) -> Checkpoint:
    if checkpoint.config is not None or architecture is None:
        return checkpoint
    return replace(checkpoint, config=architecture.config)
