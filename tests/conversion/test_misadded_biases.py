"""Convolutions of `channels_first` whose outputs are as wide as they have channels: Keras 3.15 misplaces their bias."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckpttool.conversion import convert
from ckpttool.errors import ConversionError
from tests.conversion.test_anchors import Layer, legacy
from tests.live import keras

WIDE = {"kernel_size": 3, "padding": "same", "data_format": "channels_first", "activation": "tanh"}
CASES: dict[str, tuple[dict[str, Any], dict[str, tuple[int, ...]]]] = {
    "Conv1D": ({"filters": 5}, {"kernel": (3, 2, 5), "bias": (5,)}),
    "Conv2D": ({"filters": 5}, {"kernel": (3, 3, 2, 5), "bias": (5,)}),
    "Conv3D": ({"filters": 5}, {"kernel": (3, 3, 3, 2, 5), "bias": (5,)}),
    "Conv2DTranspose": ({"filters": 5}, {"kernel": (3, 3, 5, 2), "bias": (5,)}),
    "DepthwiseConv2D": ({"depth_multiplier": 2}, {"depthwise_kernel": (3, 3, 2, 2), "bias": (4,)}),
    "SeparableConv2D": (
        {"filters": 5},
        {"depthwise_kernel": (3, 3, 2, 1), "pointwise_kernel": (1, 1, 2, 5), "bias": (5,)},
    ),
}


def case(class_name: str, **more: Any) -> tuple[Layer, tuple[int | None, ...]]:
    """A layer as Keras 2.15 writes it, and the shape of its input, which is as wide as it gives channels."""
    arguments, weights = CASES[class_name]
    rank = int(class_name.removesuffix("Transpose")[-2])
    size = weights["bias"][0]
    return (class_name, {**WIDE, **arguments, **more}, weights), (None, 2, *(6,) * (rank - 1), size)


def edits(path: Path, layer: Layer, shape: tuple[int | None, ...], **attributes: Any) -> list[str]:
    """The edits of the conversion of a model of one layer."""
    source = legacy(path / "old.h5", layer, shape=shape, **{"keras_version": "2.15.0", **attributes})
    return [applied.edit.name for applied in convert(source, path / "new.keras").edits]


@pytest.mark.parametrize("activation", ["tanh", "softmax"])
@pytest.mark.parametrize("class_name", CASES)
def test_keras_predicts_as_with_channels_last(class_name: str, activation: str, tmp_path: Path) -> None:
    """The new model computes what the layer does in channels_last, with the channels moved before and behind it."""
    layer, shape = case(class_name, activation="linear" if activation == "softmax" else activation)
    if activation == "softmax":
        layer = (layer[0], {**layer[1], "activation": "softmax"}, layer[2])
    assert "write-channels-last" in edits(tmp_path, layer, shape)
    model = keras().models.load_model(tmp_path / "new.keras")
    batch = np.random.default_rng(1).normal(size=(3, *[size or 0 for size in shape[1:]])).astype("float32")
    arguments = {**layer[1], "data_format": "channels_last", "activation": "linear"}
    last = getattr(keras().layers, class_name)(**arguments)
    moved = np.moveaxis(batch, 1, -1)
    last.build(moved.shape)
    last.set_weights(model.get_weights())
    expected = np.moveaxis(np.asarray(last(moved)), -1, 1)
    expected = np.asarray(keras().activations.get(layer[1]["activation"])(expected))
    np.testing.assert_allclose(np.asarray(model.predict_on_batch(batch)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "more", [{"use_bias": False}, {"data_format": "channels_last"}, {"filters": 4}, {"filters": 1}], ids=str
)
def test_other_convolutions_stay(more: dict[str, Any], tmp_path: Path) -> None:
    """Nothing is changed without a bias, and where the width is not the number of channels."""
    (class_name, config, weights), shape = case("Conv2D", **more)
    depth = 5 if more.get("data_format") == "channels_last" else 2
    filters = config["filters"]
    weights = {"kernel": (3, 3, depth, filters), **({} if "use_bias" in more else {"bias": (filters,)})}
    assert "write-channels-last" not in edits(tmp_path, (class_name, config, weights), shape)


def test_a_convolution_of_each_step(tmp_path: Path) -> None:
    """TimeDistributed hands the shape of a step to its layer."""
    (class_name, config, weights), (_, *shape) = case("Conv2D")
    inner = {"class_name": class_name, "config": {"name": "inner", **config}}
    wrapper: Layer = ("TimeDistributed", {"layer": inner}, weights)
    assert "write-channels-last" in edits(tmp_path, wrapper, (None, 7, *shape))
    assert keras().models.load_model(tmp_path / "new.keras").output_shape == (None, 7, 5, 6, 5)


def test_a_layer_that_theano_padded_is_refused(tmp_path: Path) -> None:
    """It would get other layers, too."""
    layer = ("Conv2D", {**WIDE, "filters": 2, "strides": 2, "kernel_size": 3}, {"kernel": (3, 3, 2, 2), "bias": (2,)})
    with pytest.raises(ConversionError, match="whose bias Keras 3 adds along its width"):
        edits(tmp_path, layer, (None, 2, 4, 4), keras_version="2.2.4", backend="theano")
