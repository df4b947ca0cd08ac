"""The cost of running a model once: operations, memory of its outputs, memory of its parameters."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ckpttool.alignment.architectures import load_architecture
from ckpttool.checkpoint import Checkpoint
from ckpttool.errors import CheckpointError, ConfigError, UnknownFormatError
from ckpttool.escape import brief, first_of
from ckpttool.formats import open_checkpoint
from ckpttool.inspection.slot_sizes import nbytes_of
from ckpttool.inspection.stored_weights import StoredWeights, stored_weights
from ckpttool.io import dtypes
from ckpttool.io.texts import is_text_file
from ckpttool.model import Architecture, architecture_of, plain_saved_models
from ckpttool.model.architecture_parts import model_args
from ckpttool.model.arguments import Args
from ckpttool.model.graph import read_references
from ckpttool.model.layers.call_inputs import differ
from ckpttool.model.layers.table import CHAINS
from ckpttool.model.layers.work import elements
from ckpttool.model.peak_memory import Peak, peak_of
from ckpttool.model.shape_inference import is_model
from ckpttool.model.sizes import MAX_RANK, MAX_SIZE, Inputs, Shape, Size, total
from ckpttool.model.spec import SpecSlot, spec_of
from ckpttool.model.work_inference import WorkStep, work_steps
from ckpttool.notebook import Displayed

InputShapes = Sequence[Shape] | Mapping[str, Shape]
"""The input shapes, batch included: in the order of the model's inputs, or by their names."""


@dataclass(frozen=True, slots=True)
class LayerCost:
    """The cost of all calls of one layer.

    `macs` are multiply-adds, `flops` floating-point operations: two for each multiply-add, one for each other
    operation; both None where what the layer computes is not known, and `reason` then says why. `outputs_nbytes` is the
    memory of its outputs in bytes, None where a shape is not known.
    """

    layer: str
    class_name: str
    calls: int
    macs: int | None
    flops: int | None
    outputs_nbytes: int | None
    reason: str = ""

    __repr__ = brief

    def with_others(self, layer: str, others: Sequence[LayerCost]) -> LayerCost:
        """The cost of this layer and others, as that of one layer of this name."""
        costs = (self, *others)
        macs, flops, nbytes = (
            total(*(getattr(cost, key) for cost in costs)) for key in ("macs", "flops", "outputs_nbytes")
        )
        reason = next((cost.reason for cost in costs if cost.reason), "")
        return LayerCost(layer, "", sum(cost.calls for cost in costs), macs, flops, nbytes, reason)


@dataclass(frozen=True, slots=True)
class Cost(Displayed):
    """The cost of one run of a model in inference, for inputs of these shapes.

    `layers` are those that are no models, in the order of the config. `parameters` are the bytes of the weights by
    dtype, None where they are not known, and `problem` then says why. `peak` is the memory of the outputs that are
    needed at once, at most. `stored` are the weights as the file has them, None for an architecture alone.
    """

    inputs: tuple[tuple[str, Shape | None], ...]
    layers: tuple[LayerCost, ...]
    parameters: Mapping[str, int] | None = field(default_factory=dict)
    peak: Peak = field(default_factory=lambda: Peak(0, ""))
    problem: str = ""
    stored: StoredWeights | None = None

    def __repr__(self) -> str:
        bound = " at least" if self.unknown else ""
        return f"<Cost{bound} {self.macs:,} multiply-adds, {self.flops:,} operations, {self.outputs_nbytes:,} bytes>"

    @property
    def macs(self) -> int:
        """The multiply-adds of all layers for which they are known."""
        return sum(layer.macs or 0 for layer in self.layers)

    @property
    def flops(self) -> int:
        """The floating-point operations of all layers for which they are known."""
        return sum(layer.flops or 0 for layer in self.layers)

    @property
    def outputs_nbytes(self) -> int:
        """The memory of all outputs of all layers, as far as it is known: what training keeps of a forward pass."""
        return sum(layer.outputs_nbytes or 0 for layer in self.layers)

    @property
    def unknown(self) -> tuple[LayerCost, ...]:
        """The layers whose operations are not known; where there are any, the sums are lower bounds."""
        return tuple(layer for layer in self.layers if layer.flops is None)

    @property
    def unsized(self) -> tuple[LayerCost, ...]:
        """The layers whose outputs have an unknown size."""
        return tuple(layer for layer in self.layers if layer.outputs_nbytes is None)

    def by_layer(self) -> Mapping[str, LayerCost]:
        """The costs of layers by their path."""
        return {layer.layer: layer for layer in self.layers}


def cost(path: str | os.PathLike[str], inputs: InputShapes = ()) -> Cost:
    """The cost of one run of the model at a path: a whole model of any Keras, or an architecture in JSON or YAML.

    `inputs` are the input shapes, batch included, in the order of the model's inputs or by their names; those that it
    declares, with the batch of the others or of 1, where they are not given. Raises CheckpointError.
    """
    if is_text_file(path):
        return cost_of_file(path, load_architecture(path), inputs)
    with open_checkpoint(path) as checkpoint:
        checkpoint.require_one_view()
        return cost_of_checkpoint(checkpoint, architecture_of(checkpoint), inputs)


def cost_of(architecture: Architecture, inputs: InputShapes = ()) -> Cost:
    """The cost of an architecture for inputs of these shapes, else of those that it declares, with a batch of 1.

    Raises CheckpointError where its connections cannot be followed, or where the shapes do not fit.
    """
    args = model_args(architecture)
    names = _input_names(args, architecture)
    shapes = _inputs(names, dict(architecture.inputs), inputs)
    steps: dict[str, list[WorkStep]] = {}
    for step in work_steps(args, shapes):
        steps.setdefault(step.path, []).append(step)
    layers = tuple(_layer(path, calls) for path, calls in steps.items())
    peak = peak_of(args, shapes, _size)
    parameters, problem = _parameters(architecture)
    return Cost(tuple(zip(names, shapes, strict=True)), layers, parameters, peak, problem)


def cost_of_checkpoint(checkpoint: Checkpoint, architecture: Architecture | None, inputs: InputShapes = ()) -> Cost:
    """The cost of the model in a checkpoint. Raises CheckpointError, also where it stores no architecture."""
    if architecture is None and (plain := plain_saved_models.refusal(checkpoint)) is not None:
        raise plain
    if architecture is None:
        raise UnknownFormatError(
            "stores no architecture, only weights: what the model costs does not follow from these",
            path=str(checkpoint.path),
            hint="name the model with --arch: a whole model, or its architecture in JSON or YAML",
        )
    return replace(cost_of_file(checkpoint.path, architecture, inputs), stored=stored_weights(checkpoint))


def cost_of_file(path: str | os.PathLike[str], architecture: Architecture, inputs: InputShapes = ()) -> Cost:
    """The cost of the architecture that the file at a path has. Raises a CheckpointError that names the path."""
    try:
        return cost_of(architecture, inputs)
    except CheckpointError as error:
        raise error.at(path=os.fspath(path)) from error.__cause__


def _input_names(args: Args, architecture: Architecture) -> tuple[str, ...]:
    """The names of the inputs of a model, in the order of its `input_layers`."""
    if is_model(args) and args.class_name in CHAINS:
        return tuple(name for name, _ in architecture.inputs)[:1]
    return tuple(tensor.layer for tensor in read_references(args.config.get("input_layers")))


def _inputs(names: Sequence[str], declared: Mapping[str, Shape | None], inputs: InputShapes) -> Inputs:
    """The input shapes: given, else declared, with as many examples as the others where the batch is open."""
    if isinstance(inputs, Mapping):
        unknown = [name for name in inputs if name not in names]
        if unknown:
            raise ConfigError("an input that the model does not have", expected=", ".join(names), found=unknown[0])
        by_name = dict(inputs)
    else:
        if len(inputs) > len(names):
            raise ConfigError("more shapes than inputs", expected=f"{len(names)}", found=f"{len(inputs)}")
        by_name = dict(zip(names, inputs, strict=False))
    for name, shape in by_name.items():
        if not all(0 < size <= MAX_SIZE for size in shape if size is not None) or len(shape) > MAX_RANK:
            raise ConfigError(f"input {name!r}: no possible shape", expected="sizes of at least 1", found=str(shape))
        expected = declared.get(name)
        if expected is not None and (len(expected) != len(shape) or any(map(differ, expected, shape))):
            raise ConfigError(f"input {name!r}: this shape does not fit", expected=str(expected), found=str(shape))
    batches = {shape[0] for shape in by_name.values() if shape}
    if len(batches) > 1:
        shown = ", ".join(map(str, by_name.values()))
        raise ConfigError("inputs of different batches", expected="the same first size in all", found=shown)
    batch = batches.pop() if batches else 1
    return tuple(by_name.get(name, _with_batch(declared.get(name), batch)) for name in names)


def _with_batch(shape: Shape | None, batch: Size) -> Shape | None:
    return (batch, *shape[1:]) if shape and shape[0] is None else shape


def _layer(path: str, steps: Sequence[WorkStep]) -> LayerCost:
    works = [step.work for step in steps]
    known = [work for work in works if work is not None]
    is_known = len(known) == len(works)
    return LayerCost(
        path,
        steps[0].args.class_name,
        len(steps),
        sum(work.macs for work in known) if is_known else None,
        sum(work.flops for work in known) if is_known else None,
        _nbytes(steps),
        next((step.reason for step in steps if step.reason), ""),
    )


def _nbytes(steps: Sequence[WorkStep]) -> int | None:
    """The bytes of all outputs of a layer."""
    sizes = [_size(step.args, shape) for step in steps for shape in step.outputs]
    return total(*sizes) if all(step.outputs for step in steps) else None


def _size(args: Args, shape: Shape | None) -> int | None:
    """The bytes of an output of a layer in the dtype in which it computes; None where they are not known."""
    item, count = dtypes.itemsize(_dtype(args)), elements(shape)
    return None if item is None or count is None else item * count


def _dtype(args: Args) -> str:
    """The dtype of a layer's outputs: that in which it computes; that of an input is the one it declares."""
    try:
        return args.policy.compute_dtype
    except CheckpointError:
        return ""


def _parameters(architecture: Architecture) -> tuple[Mapping[str, int] | None, str]:
    """The bytes of the weights by dtype; None where they are not known, and why they are not."""
    try:
        spec = spec_of(architecture)
    except CheckpointError as error:
        return None, error.what
    if spec.opaque:
        return None, f"only its own class knows the weights of {_first_of([part.layer for part in spec.opaque])}"
    by_dtype: dict[str, list[SpecSlot]] = {}
    for slot in spec.slots:
        if slot.index is not None:  # no weight twice, as in `layer.weights`
            by_dtype.setdefault(slot.dtype, []).append(slot)
    sizes = {dtype: nbytes_of(slots) for dtype, slots in by_dtype.items()}
    known = {dtype: size for dtype, size in sizes.items() if size is not None}
    if len(known) < len(sizes):
        open_sizes = [slot.layer for slots in by_dtype.values() for slot in slots if nbytes_of([slot]) is None]
        return None, f"the config leaves the shapes of weights open, of {_first_of(open_sizes)}"
    return known, ""


def _first_of(layers: Sequence[str]) -> str:
    """The first of some layers, and how many more there are."""
    return first_of(list(dict.fromkeys(layers)), 1)
