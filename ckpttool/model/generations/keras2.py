"""Changes of the layers of Keras 2 and of tf.keras 1.x and 2.x to classes and arguments of Keras 3.

Sources: `get_config` of the layers of 2.2.4 and 2.15, and the arguments of `__init__` of those of 3.15.
"""

from collections.abc import Mapping
from types import MappingProxyType

from ckpttool.model.generations.change import Change
from ckpttool.model.generations.values import Config
from ckpttool.model.sizes import is_integer

# Arguments of `Conv` that its subclasses write too, though they have no such kernel (2.15).
_NO_KERNEL = {f"kernel_{kind}": (...,) for kind in ("initializer", "regularizer", "constraint")}
_UNGROUPED = {"groups": (1,)}
_TIME = {"time_major": (False,)}


def _one_axis(config: Config) -> Config:
    """The arguments with an axis in place of a list of one axis, which tf.keras writes."""
    axis = config.get("axis")
    if isinstance(axis, list) and len(axis) == 1 and is_integer(axis[0]):
        return {**config, "axis": axis[0]}
    return config


def _synchronized(config: Config) -> Config:
    return {**_one_axis(config), "synchronized": True}


def _by_instances(config: Config) -> Config:
    """The arguments with a group for each channel; the old config has their number once the layer is built."""
    return {**config, "groups": -1}


def _not_reset_after(config: Config) -> Config:
    """The arguments with a `reset_after`; up to 2.1.2 there was one GRU only, and the default of Keras 3 is the
    other."""
    return {"reset_after": False, **config}


def _hard_gates(config: Config) -> Config:
    """The arguments with an activation of gates, for which Keras 3 has another default."""
    return {"recurrent_activation": "hard_sigmoid", **config}


def _unpadded(config: Config) -> Config:
    """The arguments without padding where it means nothing: up to TensorFlow 2.4 it is the default, even without a
    size."""
    if config.get("pad_to_max_tokens") is True and config.get("max_tokens") is None:
        return {**config, "pad_to_max_tokens": False}
    return config


_SPATIAL = {"noise_shape": (None,), "trainable": (...,)}  # Keras 3 takes neither
_BATCH = {
    "adjustment": (None,),
    "fused": (...,),
    "renorm": (False,),
    "renorm_clipping": (None,),
    "virtual_batch_size": (None,),
}

_ADAPTIVE = tuple(f"Adaptive{kind}Pooling{rank}D" for kind in ("Average", "Max") for rank in (1, 2, 3))
"""Layers of tensorflow-addons that Keras 3.15 has too (tensorflow_addons/layers, 0.6 to 0.21)."""

CHANGES: Mapping[str, Change] = MappingProxyType(
    {
        **{f"Addons>{name}": Change(name) for name in _ADAPTIVE},
        "Addons>GroupNormalization": Change("GroupNormalization"),
        "Addons>InstanceNormalization": Change("GroupNormalization", finish=_by_instances),
        "Attention": Change("", {}, {"causal": (False,)}),
        "AdditiveAttention": Change("", {}, {"causal": (False,)}),
        "BatchNormalization": Change("", {}, _BATCH, _one_axis),
        "BatchNormalizationV1": Change("BatchNormalization", {}, _BATCH, _one_axis),
        "BatchNormalizationV2": Change("BatchNormalization", {}, _BATCH, _one_axis),
        "CategoryEncoding": Change("", {"max_tokens": "num_tokens"}),
        "Conv1DTranspose": Change("", {}, _UNGROUPED),
        "Conv2DTranspose": Change("", {}, _UNGROUPED),
        "Conv3DTranspose": Change("", {}, _UNGROUPED),
        "Convolution1DTranspose": Change("Conv1DTranspose", {}, _UNGROUPED),
        "Convolution2DTranspose": Change("Conv2DTranspose", {}, _UNGROUPED),
        "Convolution3DTranspose": Change("Conv3DTranspose", {}, _UNGROUPED),
        "ConvLSTM1D": Change("", {}, _TIME, _hard_gates),
        "ConvLSTM2D": Change("", {}, _TIME, _hard_gates),
        "ConvLSTM3D": Change("", {}, _TIME, _hard_gates),
        "DepthwiseConv1D": Change("", {}, {**_UNGROUPED, **_NO_KERNEL, "filters": (None,)}),
        "DepthwiseConv2D": Change("", {}, {**_UNGROUPED, **_NO_KERNEL, "filters": (None,)}),
        "Discretization": Change("", {"bins": "bin_boundaries"}),
        "Embedding": Change("", {}, {"input_length": (...,)}),
        "GRU": Change("", {}, _TIME, _not_reset_after),
        "GRUCell": Change("", {}, {}, _not_reset_after),
        "InputLayer": Change("", {"batch_input_shape": "batch_shape"}),
        "IntegerLookup": Change("", {"max_values": "max_tokens", "mask_value": "mask_token", "oov_value": "oov_token"}),
        "LSTM": Change("", {}, _TIME),
        "LeakyReLU": Change("", {"alpha": "negative_slope"}),
        "Model": Change("Functional"),
        "RNN": Change("", {}, _TIME),
        "SeparableConv1D": Change("", {}, {**_UNGROUPED, **_NO_KERNEL}),
        "SeparableConv2D": Change("", {}, {**_UNGROUPED, **_NO_KERNEL}),
        "SimpleRNN": Change("", {}, {**_TIME, "implementation": (...,)}),
        "SpatialDropout1D": Change("", {}, _SPATIAL),
        "SpatialDropout2D": Change("", {}, _SPATIAL),
        "SpatialDropout3D": Change("", {}, _SPATIAL),
        "SyncBatchNormalization": Change("BatchNormalization", {}, _BATCH, _synchronized),
        "TextVectorization": Change("", {}, {}, _unpadded),
    }
)
"""The classes of Keras 2 with another name or other arguments in Keras 3."""

OTHERS = Change()
"""The change of all other built-in classes of Keras 2: none."""
