"""The listing of a file without weights for `ls` and `info`: an architecture or a spec, with the weights it expects."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ckpttool.errors import CheckpointError, UnsupportedError
from ckpttool.inspection.cost import Cost, InputShapes, LayerCost, cost_of_file
from ckpttool.io.texts import text_size
from ckpttool.model import Architecture
from ckpttool.model.generations.generation import generation_of
from ckpttool.model.sizes import Shape
from ckpttool.model.spec import Spec, SpecSlot, is_spec, spec_of
from ckpttool.model.text_files import architecture_in, spec_of_text, value_in
from ckpttool.notebook import Displayed

if TYPE_CHECKING:
    from ckpttool.model.summary import LayerGraph


@dataclass(frozen=True, slots=True)
class ExpectedLayer:
    """One layer of an architecture and the weights that it expects.

    `class_name` and `frozen` are None in a spec. `opaque` says that only the layer's own class knows its weights.
    """

    layer: str
    class_name: str | None
    frozen: bool | None
    slots: tuple[SpecSlot, ...]
    graph: LayerGraph | None = None
    opaque: bool = False
    cost: LayerCost | None = None


@dataclass(frozen=True, slots=True)
class Expected(Displayed):
    """The weights that an architecture expects, layer by layer.

    `kind` is "architecture" or "spec". `writer` is the version of Keras that wrote it, as far as that is known.
    `problem` says why its weights are not known; empty where they are. `cost` is that of a run, if asked for.
    """

    path: Path
    kind: str
    size: int
    writer: str
    model_class: str
    model_name: str
    layers: tuple[ExpectedLayer, ...]
    inputs: tuple[tuple[str, Shape | None], ...] = ()
    outputs: tuple[tuple[str, Shape | None], ...] = ()
    problem: str = ""
    cost: Cost | None = None

    @property
    def slots(self) -> tuple[SpecSlot, ...]:
        """All expected weights."""
        return tuple(slot for layer in self.layers for slot in layer.slots)

    def matching(self, globs: Sequence[str]) -> Expected:
        """The same architecture with the layers and weights that match a glob; with all of them without globs."""
        if not globs:
            return self
        matches = []
        for layer in self.layers:
            whole = any(fnmatchcase(layer.layer, glob) for glob in globs)
            slots = [slot for slot in layer.slots if whole or any(fnmatchcase(slot.label, glob) for glob in globs)]
            if whole or slots:
                matches.append(replace(layer, slots=tuple(slots)))
        return replace(self, layers=tuple(matches))


def expected_in(path: str | os.PathLike[str], cost: InputShapes | None = None) -> Expected | None:
    """The weights that the architecture or spec in a text file expects; None where the file is no such text.

    `cost` asks for what the model costs with inputs of these shapes, or of those that it declares where it is empty.
    Raises a CheckpointError for a spec that cannot be read, and where the cost cannot be counted.
    """
    size = text_size(path)
    if size is None:
        return None
    try:
        value = value_in(path)
        architecture = None if is_spec(value) else architecture_in(value)
    except CheckpointError:  # another kind of text: the readers of checkpoints have the better error for it
        return None
    if architecture is None:
        if cost is not None:
            raise UnsupportedError(
                "a spec lists weights, not what layers compute: it has no cost",
                path=os.fspath(path),
                hint="name the architecture or the whole model",
            )
        return _of_spec(Path(path), size, spec_of_text(path))
    return _with_cost(_of_architecture(Path(path), size, architecture), architecture, cost)


def expected_by_architecture(architecture: Architecture, name: str, cost: InputShapes | None = None) -> Expected:
    """The weights of an architecture that is in no file; `name` stands for its path.

    Raises a CheckpointError where the cost cannot be counted.
    """
    return _with_cost(_of_architecture(Path(name), 0, architecture), architecture, cost)


def _with_cost(expected: Expected, architecture: Architecture, cost: InputShapes | None) -> Expected:
    if cost is None:
        return expected
    file_costs = cost_of_file(expected.path, architecture, cost)
    costs = file_costs.by_layer()
    layers = tuple(replace(layer, cost=costs.get(layer.layer)) for layer in expected.layers)
    return replace(expected, layers=layers, cost=file_costs)


def expected_by_spec(spec: Spec) -> Expected:
    """The weights of a spec that is in no file."""
    return _of_spec(Path(spec.model), 0, spec)


def _of_spec(path: Path, size: int, spec: Spec) -> Expected:
    slots = _by_layer(spec.slots)
    names = [*spec.layers, *(layer for layer in slots if layer.partition("/")[0] not in spec.layers)]
    opaque = {part.layer for part in spec.opaque}
    layers = []
    for name in names:
        inside = [layer for layer in slots if layer == name or layer.startswith(f"{name}/")] or [name]
        layers += [
            ExpectedLayer(layer, None, None, tuple(slots.get(layer, ())), opaque=layer in opaque) for layer in inside
        ]
    return Expected(path, "spec", size, writer="", model_class="", model_name=spec.model, layers=tuple(layers))


def _of_architecture(path: Path, size: int, architecture: Architecture) -> Expected:
    from ckpttool.model.summary import graph_of, outputs_with_shapes

    problem, spec = "", None
    try:
        spec = spec_of(architecture)
    except CheckpointError as error:
        problem = error.what
    return Expected(
        path,
        "architecture",
        size,
        _writer(architecture.config),
        architecture.class_name,
        architecture.name,
        tuple(_layers(architecture, spec, graph_of(architecture))),
        architecture.inputs,
        outputs_with_shapes(architecture),
        problem,
    )


def _layers(architecture: Architecture, spec: Spec | None, graph: Mapping[str, Any]) -> Iterator[ExpectedLayer]:
    """The layers in the order of the config, after the weights of the model itself."""
    slots = _by_layer(spec.slots if spec else ())
    opaque = {part.layer for part in spec.opaque} if spec else set()
    listed = {layer.path for layer in architecture.layers}
    for name in (name for name in slots if name not in listed):
        yield ExpectedLayer(name, None, None, tuple(slots[name]))
    for layer in architecture.layers:
        if layer.is_model and any(path.startswith(f"{layer.path}/") for path in listed):
            continue
        slots_of_layer = tuple(slots.get(layer.path, ()))
        is_opaque = layer.path in opaque
        yield ExpectedLayer(
            layer.path, layer.class_name, not layer.trainable, slots_of_layer, graph.get(layer.path), is_opaque
        )


def _by_layer(slots: Iterable[SpecSlot]) -> dict[str, list[SpecSlot]]:
    by_layer: dict[str, list[SpecSlot]] = {}
    for slot in slots:
        by_layer.setdefault(slot.layer, []).append(slot)
    return by_layer


def _writer(config: Any) -> str:
    """The writer of an architecture: the version that the config states, else the generation whose form it has."""
    version = config.get("keras_version") if isinstance(config, Mapping) else None
    if isinstance(version, str) and version:
        return f"Keras {version}"
    return f"Keras {generation_of(config).value} (inferred from the config)"
