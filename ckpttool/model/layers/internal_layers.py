"""Layers of Keras outside `keras.layers`: those of `keras.applications`, and what a FeatureSpace is made of.

Sources: keras/src/applications/convnext.py and inception_resnet_v2.py, keras/src/layers/preprocessing/feature_space.py
(3.15). A file may hold a class of the user's own that has the name of one of them: only its arguments tell, where the
config states no module.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from ckpttool.model.arguments import Args
from ckpttool.model.layers.elementwise import same
from ckpttool.model.layers.layer_type import Build, LayerType
from ckpttool.model.layers.merge import concatenate, scaled_sum
from ckpttool.model.layers.work import each_output, no_work
from ckpttool.model.sizes import Inputs
from ckpttool.model.slots import Part, Slot

_OF_EVERY_LAYER = frozenset({"name", "trainable", "dtype", "batch_input_shape"})


class InternalLayer(NamedTuple):
    """A class: the module in which Keras finds it, its arguments, and its row."""

    module: str
    arguments: frozenset[str]
    row: LayerType


def layer_scale_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """LayerScale of ConvNeXt: gamma, one value a channel."""
    return args.part(Slot("gamma", (args.size("projection_dim"),), args.variable_dtype))


_CONVNEXT, _SPACE = "keras.src.applications.convnext", "keras.src.layers.preprocessing.feature_space"

INTERNAL_LAYERS: Mapping[str, InternalLayer] = MappingProxyType(
    {
        "CustomScaleLayer": InternalLayer(
            "keras.src.applications.inception_resnet_v2",
            frozenset({"scale"}),
            LayerType(outputs=scaled_sum, work=each_output(2)),
        ),
        "LayerScale": InternalLayer(
            _CONVNEXT,
            frozenset({"init_values", "projection_dim"}),
            LayerType(layer_scale_weights, same, work=each_output(1)),
        ),
        "StochasticDepth": InternalLayer(
            _CONVNEXT, frozenset({"drop_path_rate"}), LayerType(outputs=same, work=no_work)
        ),
        "TFDConcat": InternalLayer(_SPACE, frozenset({"axis"}), LayerType(outputs=concatenate, work=no_work)),
        "TFDIdentity": InternalLayer(_SPACE, frozenset(), LayerType(outputs=same, work=no_work)),
    }
)
"""The classes that have a row, by name."""


def internal_layer(args: Args) -> InternalLayer | None:
    """The class of a layer where it is one of these, None where it is any other."""
    layer = None if args.foreign else INTERNAL_LAYERS.get(args.class_name)
    return layer if layer and args.config.keys() - _OF_EVERY_LAYER == layer.arguments else None
