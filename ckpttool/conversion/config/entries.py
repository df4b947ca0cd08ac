"""Entries of layers in a config, changed on their way into that of Keras 3: shapes added, names set."""

from collections.abc import Mapping
from typing import Any

from ckpttool.model.layers.table import OLD_LAYERS
from ckpttool.model.shape_inference import Step


def with_shapes(entry: Mapping[str, Any], step: Step) -> Mapping[str, Any]:
    """The entry of a layer that Keras 3 does not have, with the shapes of its inputs, on which its replacement
    depends."""
    shapes = [list(shape) for shape in step.inputs if shape is not None]
    if str(entry.get("class_name")) not in OLD_LAYERS or not shapes or len(shapes) < len(step.inputs):
        return entry
    return {**entry, "build_config": {"input_shape": shapes if len(shapes) > 1 else shapes[0]}}


def under_name(entry: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The entry with the name of its layer, in its config alone."""
    config = entry.get("config")
    config = {"layers": config} if isinstance(config, list) else config
    renamed = {**entry, "config": {**config, "name": name} if isinstance(config, Mapping) else config}
    return {key: value for key, value in renamed.items() if key not in ("name", "inbound_nodes")}
