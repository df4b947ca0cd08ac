"""Input shapes in the entries of layers: those of calls for layers that Keras 3 does not have, and open sizes for
nested models that are called with other sizes than their config says.

Up to TensorFlow 2.9 Keras did not check these sizes (a model of convolutions works on images of any size); Keras 3
refuses the call (`Functional.input_spec`, keras/src/models/functional.py, 3.15).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ckpttool.conversion.config.entries import with_shapes
from ckpttool.conversion.journal import Edit, Journal
from ckpttool.errors import ConfigError
from ckpttool.model.arguments import Args
from ckpttool.model.graph import read_references
from ckpttool.model.parts import part_of
from ckpttool.model.shape_inference import Step, is_model
from ckpttool.model.sizes import Inputs, Shape, read_shape
from ckpttool.model.slots import in_weights_order
from ckpttool.paths import join_path

OPEN_INPUT = Edit(
    "open-input",
    "leaves open the sizes of a nested model's input that a call gives otherwise",
    "always: old Keras did not look at them, and no weight depends on them",
)
EDITS = (OPEN_INPUT,)


def fitted(model: Args, steps: Sequence[Step], label: str, journal: Journal) -> list[Mapping[str, Any]]:
    """The entries of a model's layers with shapes that fit their calls; `label` is that of the model."""
    return [_fitted(entry, step, label, journal) for entry, step in zip(model.config["layers"], steps, strict=True)]


def _fitted(entry: Mapping[str, Any], step: Step, label: str, journal: Journal) -> Mapping[str, Any]:
    opened = _opened(entry, [call.inputs for call in step.calls])
    if opened is not entry:
        journal.edit(OPEN_INPUT, join_path(label, step.args.name))
    return with_shapes(opened, step)


def _opened(entry: Mapping[str, Any], calls: Sequence[Inputs]) -> Mapping[str, Any]:
    """The entry of a nested model, or of one in a TimeDistributed, with open sizes of its inputs where calls have other
    ones than its config; the same object where no size has to be opened."""
    args = Args.of(entry)
    if args.class_name == "TimeDistributed" and not args.foreign and isinstance(args.config.get("layer"), Mapping):
        steps = [tuple(map(_step, inputs)) for inputs in calls]
        inner = _opened(args.config["layer"], steps)
        return entry if inner is args.config["layer"] else {**entry, "config": {**args.config, "layer": inner}}
    if not is_model(args):
        return entry
    opened = entry
    for at, name in enumerate(_inputs(args)):
        shapes = [inputs[at] for inputs in calls if at < len(inputs) and inputs[at] is not None]
        opened = _with_open(opened, name, shapes)
    # Where a weight depends on the size, the model cannot have been called with another.
    return entry if opened is entry or _shapes(opened) != _shapes(entry) else opened


def _step(shape: Shape | None) -> Shape | None:
    return None if shape is None or len(shape) < 2 else (shape[0], *shape[2:])


def _inputs(model: Args) -> list[str]:
    """The names of the layers that take the inputs of a model; in a Sequential one, that of the first layer."""
    if model.class_name == "Sequential":
        return [layer.name for layer in model.layers("layers")[:1]]
    return [tensor.layer for tensor in read_references(model.config.get("input_layers"))]


def _with_open(model: Mapping[str, Any], name: str, shapes: Sequence[Shape | None]) -> Mapping[str, Any]:
    """The entry of a model whose input of this name has open sizes where one of the shapes differs."""
    entries = model["config"]["layers"]
    at = next((at for at, entry in enumerate(entries) if Args.of(entry).name == name), None)
    if at is None:
        return model
    args = Args.of(entries[at])
    opening = (
        _opened(entries[at], [(shape,) for shape in shapes]) if is_model(args) else _open(entries[at], args, shapes)
    )
    if opening is entries[at]:
        return model
    return {**model, "config": {**model["config"], "layers": [*entries[:at], opening, *entries[at + 1 :]]}}


def _open(entry: Mapping[str, Any], args: Args, shapes: Sequence[Shape | None]) -> Mapping[str, Any]:
    declared = read_shape(args.config.get("batch_shape")) if args.class_name == "InputLayer" else None
    if declared is None:
        return entry
    fitting = [shape for shape in shapes if shape is not None and len(shape) == len(declared)]
    sizes = [size if all(shape[at] == size for shape in fitting) else None for at, size in enumerate(declared)]
    sizes[0] = declared[0]
    return entry if sizes == list(declared) else {**entry, "config": {**args.config, "batch_shape": sizes}}


def _shapes(entry: Mapping[str, Any]) -> list[Shape | None]:
    """The shapes of the weights of a model by its config, none where the config makes no sense."""
    args = Args.of(entry)
    try:
        return [slot.shape for _, slot in in_weights_order(part_of(args.class_name, args))]
    except ConfigError:
        return []
