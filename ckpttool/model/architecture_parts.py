"""The objects of a model and their weights, as they follow from its architecture."""

from collections.abc import Mapping
from typing import Any

from ckpttool.model.arguments import Args
from ckpttool.model.class_names import class_of_model
from ckpttool.model.config import Architecture
from ckpttool.model.generations.normalization import normalized
from ckpttool.model.parts import part_of
from ckpttool.model.shape_inference import is_model
from ckpttool.model.slots import Part


def part_in(architecture: Architecture) -> Part:
    """The objects of a model and their weights: those of the live model, else those that follow from the config.

    Raises ConfigError.
    """
    if architecture.part is not None:
        return architecture.part
    return architecture.facts.once("part", _part, architecture)


def _part(architecture: Architecture) -> Part:
    args = model_args(architecture)
    return part_of(args.class_name, args, args.built)


def normalized_config(architecture: Architecture) -> Mapping[str, Any]:
    """The config of an architecture in the form of Keras 3. Raises ConfigError."""
    return architecture.facts.once("normalized", normalized, architecture.config, architecture.generation)


def model_args(architecture: Architecture) -> Args:
    """The arguments of a model; a model of an own class that lists its layers as Keras's models do counts as one.
    Raises ConfigError."""
    return architecture.facts.once("args", _model_args, architecture)


def _model_args(architecture: Architecture) -> Args:
    args = Args.of(normalized_config(architecture))
    if is_model(args):
        return args
    if not isinstance(args.config.get("layers"), list):
        from ckpttool.model.unlisted_layers import refusal  # which brings the tables of what Keras 3 builds

        raise refusal(architecture)
    plain = {"class_name": class_of_model("output_layers" not in args.config), "config": args.config}
    return Args.of(normalized(plain, architecture.generation))
