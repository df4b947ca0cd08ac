"""The output shapes and the inputs of each layer, as far as a config has them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from ckpttool.errors import CheckpointError
from ckpttool.escape import brief
from ckpttool.model.architecture_parts import model_args
from ckpttool.model.arguments import Args
from ckpttool.model.config import Architecture
from ckpttool.model.graph import Call, Tensor
from ckpttool.model.output_rule import Outputs
from ckpttool.model.shape_inference import Step, is_model, outputs_of, steps_of
from ckpttool.model.sizes import Shape


class LayerGraph(NamedTuple):
    """The output shapes of a layer, for each of its calls, and the tensors that go into them.

    The tensors name layers by their path. The layers of a Sequential model are connected by their order, so `inbound`
    is empty.
    """

    outputs: tuple[Outputs, ...]
    inbound: tuple[Tensor, ...] = ()

    def __repr__(self) -> str:
        return brief(self)

    @property
    def shapes(self) -> tuple[Shape | None, ...]:
        """The output shapes of all calls; calls with the same output shapes count once."""
        return tuple(shape for outputs in dict.fromkeys(self.outputs) for shape in outputs)


def graph_of(architecture: Architecture) -> Mapping[str, LayerGraph]:
    """The graph of each layer, by its path; empty where the config is invalid."""
    try:
        return dict(_walk(model_args(architecture), (), ""))
    except CheckpointError:
        return {}


def _walk(model: Args, inputs: tuple[Shape | None, ...], prefix: str) -> Iterator[tuple[str, LayerGraph]]:
    chained = model.class_name == "Sequential"
    for step in steps_of(model, inputs):
        path = f"{prefix}{step.args.name}"
        yield path, LayerGraph(step.outputs, () if chained else _inbound(step, prefix))
        if is_model(step.args):
            yield from _walk(step.args, step.inputs, f"{path}/")


def _inbound(step: Step, prefix: str) -> tuple[Tensor, ...]:
    tensors = dict.fromkeys(tensor for call in step.calls for tensor in call.tensors)
    return tuple(replace(tensor, layer=f"{prefix}{tensor.layer}") for tensor in tensors)


def outputs_with_shapes(architecture: Architecture) -> tuple[tuple[str, Shape | None], ...]:
    """The output layers of a model with the output shapes: computed, else those in the config."""
    declared, computed = architecture.outputs, model_outputs(architecture)
    if len(declared) != len(computed):
        return declared
    return tuple((name, shape or dims) for (name, dims), shape in zip(declared, computed, strict=True))


def model_outputs(architecture: Architecture) -> Outputs:
    """The output shapes of a model; empty where they do not follow from the config."""
    try:
        return outputs_of(model_args(architecture), Call())
    except CheckpointError:
        return ()
