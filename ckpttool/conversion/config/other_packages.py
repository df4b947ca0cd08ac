"""Layers of Keras outside `keras.layers`, such as LayerScale of ConvNeXt, which Keras finds only by their module."""

from collections.abc import Mapping
from typing import Any

from ckpttool.conversion.journal import Edit, Journal
from ckpttool.model.arguments import Args
from ckpttool.model.entries import internal_entry
from ckpttool.model.generations.values import spelled_2
from ckpttool.model.layers.internal_layers import INTERNAL_LAYERS, internal_layer

STATE_MODULE = Edit(
    "state-module",
    "writes the module of a class that Keras has outside keras.layers, such as LayerScale of ConvNeXt",
    "always: the same class",
)
EDITS = (STATE_MODULE,)

_BASE_ONLY = frozenset({"batch_input_shape"})


def outside(args: Args, new: Mapping[str, Any], label: str, journal: Journal) -> dict[str, Any] | None:
    """The entry of such a layer without its connections, None for any other layer.

    Legacy files leave out its module, and that of Keras 2.10 was another.
    """
    if internal_layer(args) is None:
        return None
    module = INTERNAL_LAYERS[args.class_name].module
    if new.get("module") != module:
        journal.edit(STATE_MODULE, label, module)
    config = {key: spelled_2(key, value) for key, value in args.config.items() if key not in _BASE_ONLY}
    entry = internal_entry(module, args.class_name, config)
    return entry | ({"build_config": new["build_config"]} if "build_config" in new else {})
